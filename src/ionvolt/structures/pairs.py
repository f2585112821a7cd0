"""Pairs of atoms within a distance, images included: the one place that calls vesin."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.quiet import without_modules
from ionvolt.structures.crystal import Crystal


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of atoms.

    Attributes:
        i: First atom, shape (n_pairs,), int64.
        j: Second atom, shape (n_pairs,), int64.
        image: Cell that the second atom is in, relative to wrapped coordinates, shape (n_pairs, 3), int64.
        distance: Å, shape (n_pairs,), float64.
    """

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    image: NDArray[np.int64]
    distance: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.i.size)

    def where(self, keep: NDArray[np.bool_]) -> Pairs:
        """Some of them."""
        return Pairs(self.i[keep], self.j[keep], self.image[keep], self.distance[keep])

    def within(self, cutoff: float) -> Pairs:
        """Those of them that are no longer than ``cutoff`` (Å)."""
        return self.where(self.distance <= cutoff)


def find_pairs(crystal: Crystal, cutoff: float, *, both: bool) -> Pairs:
    """All pairs of atoms that are no farther apart than a cut-off.

    Args:
        crystal: The crystal.
        cutoff: Å.
        both: Give each pair in both directions, else once.
    """
    i, j, image, distance = search(crystal, cutoff, "ijSd", both=both)
    return Pairs(i.astype(np.int64), j.astype(np.int64), image.astype(np.int64), distance.astype(np.float64))


def search(crystal: Crystal, cutoff: float, quantities: str, *, both: bool) -> list[NDArray[Any]]:
    """What vesin says of the pairs; ``quantities`` are its letters, other arguments those of ``find_pairs``."""
    # One thread: starting more costs longer than the search.
    vesin = _neighbor_list()(cutoff=cutoff, full_list=both, n_threads=1)
    found: list[NDArray[Any]] = vesin.compute(crystal.wrapped @ crystal.lattice, crystal.lattice, True, quantities)
    return found


_IMPORTING = threading.Lock()


@cache
def _neighbor_list() -> Any:
    """Vesin's class, imported without the packages whose arrays it would take, too: PyTorch takes over a second.

    It is kept from everybody else: who imports vesin afterwards gets one of his own, which takes all.
    """
    with _IMPORTING:
        known = "vesin" in sys.modules
        with without_modules("ase", "cupy", "torch"):
            from vesin import NeighborList
        if not known:
            for name in [name for name in sys.modules if name.partition(".")[0] == "vesin"]:
                del sys.modules[name]
    return NeighborList
