"""CHGNet's weights in the cache folder; see ``kept``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ionvolt.physics.potentials import kept
from ionvolt.physics.potentials.chgnet_weights import Weights, from_arrays

FORMAT = 1
"""Counted up when what a file holds or how it comes about changes."""


def find(name: str) -> Weights | None:
    """The weights of a version, by its name in the package; None where they were not kept."""
    return kept.find(_path(name), from_arrays)


def keep(name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep weights."""
    kept.keep(_path(name), arrays)


def _path(name: str) -> Path | None:
    return kept.file_of("chgnet", f"pretrained/{name}/*.pth.tar", f"chgnet-{name}", FORMAT)
