"""What kind of solid a crystal is: a network, layers, chains, molecules, or a slab in a vacuum."""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs

BOND = 1.25
"""Distances up to this multiple of the sum of two covalent radii are bonds."""

VACUUM = 7.0
"""Å without an atom between two faces from which on a crystal is a slab in a vacuum."""


@cache
def covalent_radii() -> NDArray[np.float64]:
    """Covalent radii in Å by atomic number (Cordero et al., Dalton Trans. 2832 (2008)); 0 for no element."""
    import gemmi

    return np.array([0.0] + [gemmi.Element(z).covalent_r for z in range(1, len(SYMBOLS))])


def bonds(crystal: Crystal, factor: float = BOND) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of bonded atoms i, j and the cells (n, 3) in which j stands, each bond in both directions."""
    radii = covalent_radii()[crystal.numbers]
    found = find_pairs(crystal, float(2 * radii.max() * factor), both=True)
    near = found.where(found.distance <= factor * (radii[found.i] + radii[found.j]))
    return near.i, near.j, near.image


def is_molecular(crystal: Crystal) -> bool:
    """Whether bonds join no atom with its own image: separate molecules (or separate atoms)."""
    if crystal not in _molecular:
        _molecular[crystal] = _is_molecular(crystal)
    return _molecular[crystal]


_molecular: WeakKeyDictionary[Crystal, bool] = WeakKeyDictionary()
"""Asked once for each ion, and its bonds take longer than all else."""


def _is_molecular(crystal: Crystal) -> bool:
    i, j, shift = bonds(crystal)
    if len(i) == 0:
        return True
    order = np.argsort(i, kind="stable")
    i, j, shift = i[order], j[order], shift[order]
    first, last = np.searchsorted(i, np.arange(len(crystal))), np.searchsorted(i, np.arange(len(crystal)), "right")
    place: dict[int, NDArray[np.int64]] = {}
    for start in range(len(crystal)):
        if start in place:
            continue
        place[start] = np.zeros(3, dtype=np.int64)
        waiting = [start]
        while waiting:
            one = waiting.pop()
            for k in range(first[one], last[one]):
                other, there = int(j[k]), place[one] + shift[k]
                if other not in place:
                    place[other] = there
                    waiting.append(other)
                elif (place[other] != there).any():
                    return False
    return True


def vacuum(crystal: Crystal) -> float:
    """The widest gap without an atom between parallel planes along a cell vector's direction, Å."""
    if crystal not in _gaps:
        _gaps[crystal] = _vacuum(crystal)
    return _gaps[crystal]


_gaps: WeakKeyDictionary[Crystal, float] = WeakKeyDictionary()


def _vacuum(crystal: Crystal) -> float:
    cell = crystal.lattice
    areas = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    heights = crystal.volume / areas
    frac = np.sort(crystal.wrapped, axis=0)
    gaps = np.diff(np.vstack([frac, frac[:1] + 1.0]), axis=0).max(axis=0)
    return float((gaps * heights).max())
