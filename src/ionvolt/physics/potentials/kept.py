"""Networks of packages as they answer, kept in the cache folder: the packages take seconds to read or build them.

A file goes by the content of the checkpoint that it was made of, and holds a checksum of its own. One that cannot be
read, or holds anything else than what was kept, is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import DataError
from ionvolt.store import cache_folder, file_sha256, fingerprint, read_arrays, write_arrays

Network = TypeVar("Network")

CHECKSUM = "checksum"
"""Name of the array that holds it."""


def find(path: Path | None, from_arrays: Callable[[Mapping[str, NDArray[Any]]], Network]) -> Network | None:
    """The network in a file; None where it was not kept, or is none."""
    arrays = None if path is None else read_arrays(path)
    if arrays is None or str(arrays.pop(CHECKSUM, "")) != _checksum(arrays):
        return None
    with suppress(KeyError, ValueError, TypeError, IndexError):
        return from_arrays(arrays)
    return None


def keep(path: Path | None, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep a network. A full or read-only disk is no error: it is made again the next time."""
    if path is not None:
        with suppress(DataError):
            write_arrays(path, {**arrays, CHECKSUM: np.array(_checksum(arrays))}, compressed=False)


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Of names, types, shapes and bytes."""
    return fingerprint(sorted(arrays), *(np.asarray(arrays[name]) for name in sorted(arrays)))


def file_of(package: str, checkpoint: str, name: str, form: int) -> Path | None:
    """Where a network is kept; None where its package is not installed, or not as it is known.

    Args:
        package: The package that has the checkpoint.
        checkpoint: Below the package's folder; a pattern, which must fit one file.
        name: Begins the file's name.
        form: Counted up when what a file holds or how it comes about changes.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    checkpoints = sorted(Path(spec.origin).parent.glob(checkpoint))
    if len(checkpoints) != 1 or not checkpoints[0].is_file():
        return None
    return cache_folder("networks") / f"{name}-{file_sha256(checkpoints[0])[:16]}-{form}.npz"
