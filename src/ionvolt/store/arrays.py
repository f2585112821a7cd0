"""Arrays on disk: numpy's ``.npz`` without pickle, complete or not there."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.store.files import atomic_file


def write_arrays(path: Path, arrays: Mapping[str, Any], *, compressed: bool = True) -> None:
    """Write named arrays, numbers or strings, atomically.

    Raises:
        DataError: The file cannot be written there.
    """
    write = np.savez_compressed if compressed else np.savez
    # An open file keeps numpy from adding an ending of its own to the name.
    with atomic_file(path) as part, part.open("wb") as file:
        write(file, **arrays)


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file by name; None where there is no such file or it cannot be read, so that it is made again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None  # RuntimeError: bytes that say "encrypted", or packed in a way that is unknown
