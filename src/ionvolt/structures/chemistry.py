"""Which elements are anions, which ions move, and how many electrons the metals of a compound can give or take.

Electrons are counted by charge balance: anions and ions of one valence have their usual charge, and what is left
belongs to the metals that change theirs. The ranges of these are those met in insertion hosts; tables of ionic radii
(Shannon, Acta Cryst. A 32, 751 (1976)) hold wider ones, but Mn7+ or Fe6+ take no part in a battery.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ANIONS = frozenset(("N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Sb", "Te", "I", "H", "C"))
"""Elements that stand for an anion somewhere; H and C by themselves do not (``has_anion``)."""

MOBILE_IONS: dict[str, int] = {"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Mg": 2, "Zn": 2, "Ca": 2}
"""Ions that leave a host, with their charges; those that move easily first."""

_FIXED: dict[str, int] = {
    **MOBILE_IONS,
    "Ag": 1, "Be": 2, "Sr": 2, "Ba": 2, "Cd": 2, "Hg": 2, "B": 3, "Al": 3, "Ga": 3, "In": 3, "Sc": 3, "Y": 3,
    "La": 3, "Pr": 3, "Nd": 3, "Sm": 3, "Gd": 3, "Tb": 3, "Dy": 3, "Ho": 3, "Er": 3, "Tm": 3, "Yb": 3, "Lu": 3,
    "Si": 4, "Ge": 4, "Zr": 4, "Hf": 4, "Th": 4, "Bi": 3,
}  # fmt: skip

_RANGES: dict[str, tuple[int, int]] = {
    "Ti": (2, 4), "V": (2, 5), "Cr": (2, 4), "Mn": (2, 4), "Fe": (2, 4), "Co": (2, 4), "Ni": (2, 4), "Cu": (1, 3),
    "Nb": (2, 5), "Mo": (2, 6), "Ru": (2, 6), "Rh": (2, 4), "Pd": (1, 4), "Ta": (3, 5), "W": (3, 6), "Re": (3, 7),
    "Os": (2, 6), "Ir": (2, 6), "Pt": (1, 4), "Au": (1, 3), "Sn": (2, 4), "Pb": (2, 4), "Sb": (3, 5), "Tl": (1, 3),
    "Ce": (3, 4), "Eu": (2, 3), "U": (3, 6),
}  # fmt: skip
"""Lowest and highest charge of metals that change theirs."""

_POLYANION_LIMITS = {"Fe": 3, "Co": 3, "Ni": 3, "Cu": 2}
"""Highest charges beside phosphate, sulfate, silicate and their kin, which oxides exceed (FeO2, NiO2)."""

_HALIDES = ("F", "Cl", "Br", "I")
_CENTRES = {"P": 5, "As": 5, "Si": 4, "B": 3, "Ge": 4}
"""Centres of polyanions, which hold on to their charge."""


class Electrons(NamedTuple):
    """Electrons of a cell's metals.

    Attributes:
        give: How many they can give up until each has its highest charge.
        take: How many they can take up until each has its lowest charge in an insertion host.
        all: How many they can take up until they are metals: beyond that nothing is left to reduce.
    """

    give: float
    take: float
    all: float


def has_anion(composition: Mapping[str, float]) -> bool:
    """Whether a composition holds an anion; carbon and hydrogen count only beside another one."""
    return bool(set(composition) & (ANIONS - {"H", "C"}))


def count_electrons(composition: Mapping[str, float]) -> Electrons | None:
    """Electrons that the metals of a composition can give and take.

    Args:
        composition: Number of atoms of each element.

    Returns:
        The counts; None where charges cannot be told: no anion, no metal that changes its charge beside unknown
        elements, or more negative charge than the cations can make up for.
    """
    left = dict(composition)
    charge = _anion_charge(left)
    if charge is None:
        return None
    polyanion = any(composition.get(centre) for centre in ("P", "As", "Si", "B", "Ge")) and "O" in composition
    polyanion = polyanion or ("S" in composition and composition.get("O", 0) >= 3.5 * composition["S"])
    lowest = highest = 0.0
    for element, n in left.items():
        if element in _RANGES:
            low, high = _RANGES[element]
            lowest += n * low
            highest += n * (_POLYANION_LIMITS.get(element, high) if polyanion else high)
        elif element in _FIXED:
            charge += n * _FIXED[element]
        else:
            return None
    present = -charge
    if not highest:
        return Electrons(0.0, 0.0, 0.0) if abs(charge) < 0.05 * sum(composition.values()) else None
    if present < -1e-6:
        return None
    return Electrons(max(0.0, highest - present), max(0.0, present - lowest), max(0.0, present))


def _anion_charge(left: dict[str, float]) -> float | None:
    """Charge of the anions and polyanions' centres, which are taken out; None without an anion."""
    oxygen, sulfur = left.get("O", 0.0), left.get("S", 0.0)
    if not has_anion(left):
        return None
    charge = 0.0
    carbon, nitrogen = left.pop("C", 0.0), left.pop("N", 0.0)
    if carbon and nitrogen and abs(carbon - nitrogen) < 0.01 * carbon:  # cyanide
        charge -= carbon
        carbon = nitrogen = 0.0
    if carbon:
        if oxygen < 1.9 * carbon:
            return None
        charge += carbon * (4 if oxygen >= 2.5 * carbon else 3)  # carbonate, oxalate
    charge += nitrogen * (5 if oxygen >= 3 * nitrogen and nitrogen else -3)
    hydrogen = left.pop("H", 0.0)
    charge += hydrogen * (1 if oxygen or nitrogen or sulfur or left.get("F") else -1)
    for element in ("S", "Se"):
        n = left.pop(element, 0.0)
        if n:
            charge += n * (6 if oxygen >= 3.5 * n else 4 if oxygen >= 2.9 * n else -2)
    n = left.pop("Te", 0.0)
    charge += n * (6 if oxygen >= 3.5 * n else 4 if oxygen >= 2 * n else -2) if n else 0.0
    for element in _HALIDES:
        n = left.pop(element, 0.0)
        if n:
            charge += n * (5 if element != "F" and oxygen >= 3 * n and len(left) <= 2 else -1)
    left.pop("O", None)
    charge -= 2 * oxygen
    strong = oxygen or sulfur or charge < 0
    for element in ("P", "As"):
        n = left.pop(element, 0.0)
        if n:
            thio = not oxygen and sulfur and sulfur < 3.5 * n
            charge += n * (4 if thio else _CENTRES[element]) if strong else -3 * n
    return charge
