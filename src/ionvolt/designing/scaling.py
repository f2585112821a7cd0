"""The cell of a candidate: bonds grow and shrink with the radii of the atoms that they join."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ionvolt.designing.chemistry import charges_of, radius
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.pairs import find_pairs

SHELL = 1.25
"""Bonds of an atom are its distances to atoms of the other sign below this multiple of the shortest one."""

REACH = 3.6
"""Å, the longest bond that is looked at."""

LEAST, MOST = 0.8, 1.3
"""Between which a cell's edges are scaled."""


def scaled(before: Crystal, after: Crystal) -> Crystal:
    """A crystal with other elements on the same places, its cell scaled by the mean change of its bonds.

    Args:
        before: The crystal whose bonds are known.
        after: The same places with other elements; none may be missing.
    """
    old, new = _radii(before), _radii(after)
    changed = (new - old).round(9)
    if not changed.any():
        return after
    ratio = _bond_ratio(before, changed)
    return replace(after, lattice=after.lattice * min(max(ratio, LEAST), MOST))


def _radii(crystal: Crystal) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Radius of every atom, Å, shape (n_atoms,)."""
    charges = charges_of(crystal)
    each = {symbol: radius(symbol, round(charges.get(symbol, 0.0))) for symbol in crystal.composition}
    return np.array([each[symbol] for symbol in crystal.symbols])


def _bond_ratio(crystal: Crystal, changed: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Mean of (bond + change of its ends' radii) / bond over the bonds between cations and anions."""
    charges = charges_of(crystal)
    signs = np.sign([charges.get(symbol, 0.0) for symbol in crystal.symbols])
    pairs = find_pairs(crystal, REACH, both=True)
    pairs = pairs.where(signs[pairs.i] * signs[pairs.j] < 0)
    if not len(pairs):
        return 1.0
    shortest = np.full(len(crystal), np.inf)
    np.minimum.at(shortest, pairs.i, pairs.distance)
    cations = signs[pairs.i] > 0
    bonds = pairs.where(cations & (pairs.distance <= SHELL * shortest[pairs.i]))
    return float(np.mean((bonds.distance + changed[bonds.i] + changed[bonds.j]) / bonds.distance))


def substituted(crystal: Crystal, changes: dict[int, str]) -> Crystal:
    """A crystal with other elements at some sites, its cell scaled; ``changes`` gives the new symbol by index."""
    numbers = crystal.numbers.copy()
    for index, symbol in changes.items():
        numbers[index] = ATOMIC_NUMBERS[symbol]
    return scaled(crystal, replace(crystal, numbers=numbers))
