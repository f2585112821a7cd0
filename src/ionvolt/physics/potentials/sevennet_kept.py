"""Shipped networks of SevenNet as they answer, kept in the cache folder: the package builds them in seconds.

A file goes by the content of the checkpoint that it was made of. One that cannot be read is made again.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ionvolt.errors import DataError
from ionvolt.physics.potentials.sevennet_inference import CompiledNetwork
from ionvolt.store import cache_folder, file_sha256, read_arrays, write_arrays

FORMAT = 1
"""Counted up when what a file holds or how it comes about changes."""

_CHECKPOINTS = {"7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth"}
"""Below the package's folder of weights; those of other versions are not kept."""


def find(version: str) -> CompiledNetwork | None:
    """The network of a version; None where it was not kept."""
    path = _path(version)
    arrays = None if path is None else read_arrays(path)
    with suppress(KeyError, ValueError, TypeError):
        return None if arrays is None else CompiledNetwork.from_arrays(arrays)
    return None


def keep(version: str, network: CompiledNetwork) -> None:
    """Keep a network. A full or read-only disk is no error: it is built again the next time."""
    path = _path(version)
    if path is not None:
        with suppress(DataError):
            write_arrays(path, network.to_arrays(), compressed=False)


def _path(version: str) -> Path | None:
    spec = find_spec("sevenn") if version in _CHECKPOINTS else None
    if spec is None or spec.origin is None:
        return None
    checkpoint = Path(spec.origin).parent / "pretrained_potentials" / _CHECKPOINTS[version]
    if not checkpoint.is_file():
        return None
    return cache_folder("networks") / f"{version}-{file_sha256(checkpoint)[:16]}-{FORMAT}.npz"
