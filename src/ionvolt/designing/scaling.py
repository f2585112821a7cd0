"""The cell of a candidate: bonds grow and shrink with the radii of the atoms that they join."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ionvolt.designing.chemistry import charges_of, radius
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.pairs import find_pairs
from ionvolt.typing import Array

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
    sites = _site_charges(before)
    # Bonds between nonmetals, by which charges are told, are wrong until the cell has about its size: anions that are
    # larger than those before them would count as bonded to each other.
    first = _resized(before, after, sites, sites)
    return _resized(
        before, after, sites, np.where(sites < 0, np.minimum(_site_charges(first), -1), _site_charges(first))
    )


def _resized(before: Crystal, after: Crystal, old: Array, new: Array) -> Crystal:
    """``after`` in the cell of ``before``, scaled by the radii of atoms with such charges, shape (n_atoms,) each."""
    changed = (_radii(after, new) - _radii(before, old)).round(9)
    if not changed.any():
        return after
    ratio = _bond_ratio(before, changed)
    return replace(after, lattice=before.lattice * min(max(ratio, LEAST), MOST))


def _site_charges(crystal: Crystal) -> Array:
    """Formal charge of every atom, rounded, shape (n_atoms,)."""
    charges = charges_of(crystal)
    return np.array([round(charges.get(symbol, 0.0)) for symbol in crystal.symbols], dtype=np.float64)


def _radii(crystal: Crystal, charges: Array) -> Array:
    """Radius of every atom, Å, shape (n_atoms,)."""
    return np.array([radius(symbol, int(charge)) for symbol, charge in zip(crystal.symbols, charges, strict=True)])


def _bond_ratio(crystal: Crystal, changed: Array) -> float:
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
