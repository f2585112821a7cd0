"""How tightly an ion is bound: the sum of its bond valences, which in a relaxed crystal is near its charge.

An ion that stands in the place of a larger or a smaller one shows here, where the pressure on the cell may not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.chemistry import ANIONS
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs

REACH = 4.5
"""Å within which anions count."""

SOFTNESS = 0.31
"""Å: how fast a bond valence falls with the distance."""

_PARAMETERS: dict[str, tuple[float, float]] = {
    "Li": (1, 0.97), "Na": (1.36, 1.01), "K": (1.73, 0.91), "Rb": (1.84, 0.89), "Cs": (2.05, 0.86),
    "Mg": (1.21, 1.23), "Ca": (1.5, 1.04), "Zn": (1.07, 1.66), "Al": (1.13, 1.47), "Y": (1.52, 1.11),
    "N": (0.72, 2.61), "O": (0.63, 3.15), "F": (0.58, 3.98), "S": (1.03, 2.35), "Cl": (0.99, 2.74),
    "Se": (1.18, 2.51), "Br": (1.13, 2.58), "Te": (1.4, 2.72), "I": (1.33, 2.38),
}  # fmt: skip
"""Size in Å and electronegativity (O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991))."""

USUAL: dict[str, tuple[float, float]] = {
    "Li": (0.2, 1.35), "Na": (0.3, 1.8), "K": (0.3, 2.1), "Rb": (0.35, 2.3), "Cs": (0.25, 2.9), "Mg": (0.45, 1.25),
    "Ca": (0.5, 1.35), "Zn": (0.03, 1.0), "Al": (0.3, 1.1), "Y": (0.4, 1.05),
}  # fmt: skip
"""Sums of bond valences over the charge, the mean over the ions of a crystal, that relaxed electrodes have."""


def valence_sums(crystal: Crystal, symbol: str) -> NDArray[np.float64]:
    """The bond valences of each ion of an element with the anions around it, added up, shape (n_ions,)."""
    pairs = find_pairs(crystal, REACH, both=True)
    ions = np.array([SYMBOLS[z] == symbol for z in crystal.numbers], dtype=bool)
    bonds = pairs.where(ions[pairs.i] & np.isin(crystal.numbers[pairs.j], sorted(ANIONS)))
    length = np.zeros(len(SYMBOLS))
    for z in np.unique(crystal.numbers[bonds.j]).tolist():
        length[z] = _length(symbol, SYMBOLS[z])
    valences = np.exp((length[crystal.numbers[bonds.j]] - bonds.distance) / SOFTNESS)
    return np.asarray(np.bincount(bonds.i, valences, len(crystal))[ions], dtype=np.float64)


def misfit(crystal: Crystal, symbol: str, charge: int) -> str | None:
    """Why the ions of an element cannot be at rest where they are; None where they can.

    Args:
        crystal: The crystal.
        symbol: Symbol of a working ion.
        charge: Charge of the ion.
    """
    elements = set(crystal.composition)
    if symbol not in elements or not set(crystal.numbers.tolist()) & ANIONS:
        return None
    found = float(valence_sums(crystal, symbol).mean()) / charge
    low, high = USUAL[symbol]
    if {"C", "N"} <= elements:  # in the wide cages of cyanides ions stand far from all anions
        low = 0.0
    if low <= found <= high:
        return None
    return (
        f"{crystal.formula} is not relaxed: {symbol} has {'too little' if found > high else 'too much'} room (bond "
        f"valences of {found:.2f} for each charge; {low:g} to {high:g} are usual)"
    )


def _length(cation: str, anion: str) -> float:
    """Length of a bond of valence 1, Å."""
    (r1, c1), (r2, c2) = _PARAMETERS[cation], _PARAMETERS[anion]
    difference = float(np.sqrt(c1) - np.sqrt(c2))
    return r1 + r2 - r1 * r2 * difference**2 / (c1 * r1 + c2 * r2)
