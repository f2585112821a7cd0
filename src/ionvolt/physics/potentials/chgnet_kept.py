"""CHGNet's weights in the cache folder: the package and PyTorch take seconds to read them.

A file goes by the content of the checkpoint that it was made of. One that cannot be read is made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ionvolt.errors import DataError
from ionvolt.physics.potentials.chgnet_weights import Weights, from_arrays
from ionvolt.store import cache_folder, file_sha256, read_arrays, write_arrays

FORMAT = 1
"""Counted up when what a file holds or how it comes about changes."""


def find(name: str) -> Weights | None:
    """The weights of a version, by its name in the package; None where they were not kept."""
    path = _path(name)
    arrays = None if path is None else read_arrays(path)
    with suppress(KeyError, ValueError, TypeError, IndexError):
        return None if arrays is None else from_arrays(arrays)
    return None


def keep(name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep weights. A full or read-only disk is no error: they are read anew the next time."""
    path = _path(name)
    if path is not None:
        with suppress(DataError):
            write_arrays(path, arrays, compressed=False)


def _path(name: str) -> Path | None:
    spec = find_spec("chgnet")
    if spec is None or spec.origin is None:
        return None
    checkpoints = sorted((Path(spec.origin).parent / "pretrained" / name).glob("*.pth.tar"))
    if len(checkpoints) != 1:
        return None
    return cache_folder("networks") / f"chgnet-{name}-{file_sha256(checkpoints[0])[:16]}-{FORMAT}.npz"
