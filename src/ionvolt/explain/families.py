"""Families of elements, their places in the table and the properties that a model may have learned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs.elements import KNOWN_ELEMENTS, element_properties, place
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS

Family = Literal[
    "alkali metal",
    "alkaline earth metal",
    "early transition metal",
    "late transition metal",
    "f-block metal",
    "other metal or metalloid",
    "non-metal",
    "halogen",
    "noble gas",
]
PaperGroup = Literal["IA", "main", "TM"]
"""The three groups of the paper: alkali metals, other s and p elements, d elements."""

_NON_METALS = frozenset(ATOMIC_NUMBERS[s] for s in ("H", "C", "N", "O", "P", "S", "Se"))


def family(z: int) -> Family:
    """The family of element ``z``; transition metals are early in groups 3 to 7, late in 8 to 12."""
    group, _, block = place(z)
    if z in _NON_METALS:
        return "non-metal"
    if block == "f":
        return "f-block metal"
    if block == "d":
        return "early transition metal" if group <= 7 else "late transition metal"
    named: dict[int, Family] = {
        1: "alkali metal",
        2: "alkaline earth metal",
        17: "halogen",
        18: "noble gas",
    }
    return named.get(group, "other metal or metalloid")


def paper_group(z: int) -> PaperGroup | None:
    """Which of the paper's three groups element ``z`` falls into; None for the f block, of which it does not speak."""
    group, _, block = place(z)
    if block == "f":
        return None
    if block == "d":
        return "TM"
    return "IA" if group == 1 and z != 1 else "main"


def neighbour_in_group(z: int) -> int | None:
    """The element below ``z`` in its group, or above where there is none that networks know; f block: beside it."""
    group, period, block = place(z)
    if block == "f":
        beside = [y for y in (z + 1, z - 1) if y in KNOWN_ELEMENTS and place(y)[2] == "f"]
        return beside[0] if beside else None
    by_period = {place(y)[1]: y for y in KNOWN_ELEMENTS if place(y)[0] == group and place(y)[2] == block}
    # Below radon nothing forms the compounds that electrodes are made of.
    below = by_period.get(period + 1) if period < 6 else None
    return below or by_period.get(period - 1)


@cache
def properties() -> Mapping[str, NDArray[np.float64]]:
    """Properties of the elements by name, each of shape (n_elements + 1,), index = atomic number, NaN if unknown.

    Covalent radii are given twice: Pyykkö and Atsumi (2009), classes of which the networks are told, and Cordero et al.
    (2008), of which they are not; in pm both.
    """
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    found = dict(element_properties())
    cordero = np.full(len(found["period"]), np.nan)
    for symbol, radius in CovalentRadius.radius.items():
        if symbol in ATOMIC_NUMBERS and ATOMIC_NUMBERS[symbol] < len(cordero):
            cordero[ATOMIC_NUMBERS[symbol]] = 100 * radius
    return {
        "covalent radius (Pyykkö)": found.pop("covalent radius"),
        "covalent radius (Cordero)": cordero,
        **found,
        "atomic number": np.append(np.nan, np.arange(1.0, len(cordero))),
    }


def symbols(numbers: NDArray[np.int64]) -> list[str]:
    """Symbols of atomic numbers."""
    return [SYMBOLS[z] for z in numbers]
