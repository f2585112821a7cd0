"""Shipped networks of SevenNet as they answer, in the cache folder; see ``kept``."""

from __future__ import annotations

from pathlib import Path

from ionvolt.physics.potentials import kept
from ionvolt.physics.potentials.sevennet_inference import CompiledNetwork

FORMAT = 1
"""Counted up when what a file holds or how it comes about changes."""

_CHECKPOINTS = {"7net-l3i5": "SevenNet_l3i5/checkpoint_l3i5.pth"}
"""Below the package's folder of weights; those of other versions are not kept."""


def find(version: str) -> CompiledNetwork | None:
    """The network of a version; None where it was not kept."""
    return kept.find(_path(version), CompiledNetwork.from_arrays)


def keep(version: str, network: CompiledNetwork) -> None:
    """Keep a network."""
    path = _path(version)
    if path is not None:
        kept.keep(path, network.to_arrays())


def _path(version: str) -> Path | None:
    if version not in _CHECKPOINTS:
        return None
    return kept.file_of("sevenn", f"pretrained_potentials/{_CHECKPOINTS[version]}", version, FORMAT)
