"""How many electrons the metals of a compound can give or take, by balance of charges.

Anions, polyanions and cations of one charge set the total charge that the other metals bear; their usual highest and
lowest oxidation states (``chemistry``) say how far that can go. LiFePO4: O -8, P +5, Li +1, so Fe is +2 and gives one
electron up to +3. In a crystal the charges of nonmetals follow from their bonds: sulphate or sulphide, S2 2- or 2 S2-,
P2S6 or PS4, peroxide or oxide, cyanide or carbide. Of a composition alone they are guessed from the amounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.bonding import covalent_radii
from ionvolt.structures.chemistry import (
    ANIONS,
    CHALCOGENS,
    FIXED_CHARGES,
    HALOGENS,
    NONMETALS,
    AnionClass,
    has_anion,
    maximum_oxidation_state,
    minimum_oxidation_state,
)
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs

BOND, LOOSE_BOND = 1.1, 1.2
"""Longest bond between nonmetals as a multiple of the sum of their covalent radii.

The second is for like atoms (peroxide, S2 2-) and for hydrogen. A wider first one would count the weak bonds of TeO3.
"""

COVALENT = frozenset(SYMBOLS[z] for z in ANIONS | NONMETALS) - {"He", "Ne", "Ar", "Kr", "Xe", "Rn", "At", "Sb"}
"""Elements whose charge depends on what they are bonded to; Sb counts as a metal."""

_STRONG = ("O", *HALOGENS, *CHALCOGENS, "N")
_OXYGEN_CENTRES = frozenset(("P", "S", "Si", "B", "C", "As", "N", "Ge", "Se", "Cl", "Br", "I"))
# Charge of an atom by the number of oxygen atoms bonded to it; more than the last count as the last.
_OXO: dict[str, tuple[float, ...]] = {
    "S": (-2, 0, 2, 4, 6), "Se": (-2, 0, 4, 4, 6), "Te": (-2, 4, 4, 4, 4, 4, 6), "N": (-3, 2, 3, 5),
    "C": (-4, 2, 3, 4), "As": (5, 3, 3, 3, 5), "Cl": (-1, 1, 3, 5, 7), "Br": (-1, 1, 3, 5, 7), "I": (-1, 1, 3, 5, 7),
}  # fmt: skip


NO_ELECTRONS = 0.05
"""Electrons a cell below which there are none."""

SHORTFALL = 0.02
"""Share of the electrons that a change needs and that may be missing for it: charges are formal."""


class Electrons(NamedTuple):
    """Electrons of the metals of a cell or formula that change their charge.

    Attributes:
        give: How many they can give up until each has its highest charge.
        take: How many they can take up until each has its lowest charge in an insertion host.
        all: How many they can take up until they are metals: beyond that nothing is left to reduce.
    """

    give: float
    take: float
    all: float


class MetalCharges(NamedTuple):
    """Charges of the metals of a cell or formula that change theirs.

    Attributes:
        present: What they bear together, so that the whole is neutral.
        lowest: The least that they bear together in an insertion host.
        highest: The most.
        limits: The lowest and highest charge of each of them by symbol; empty where no metal changes its charge.
    """

    present: float
    lowest: float
    highest: float
    limits: dict[str, tuple[float, float]]

    @property
    def possible(self) -> bool:
        """Whether the metals can bear what they have to."""
        return bool(self.limits) and self.lowest - 1e-6 <= self.present <= self.highest + 1e-6

    @property
    def each(self) -> dict[str, float]:
        """The charge of an atom of each metal, all equally far between their lowest and their highest."""
        span = self.highest - self.lowest
        share = (self.present - self.lowest) / span if span else 0.0
        return {symbol: least + share * (most - least) for symbol, (least, most) in self.limits.items()}


def count_electrons(material: Crystal | Mapping[str, float]) -> Electrons | None:
    """Electrons that the metals of a compound can give and take.

    Args:
        material: A crystal, which is judged by its bonds, or the number of atoms of each element.

    Returns:
        The counts, zero where no metal changes its charge; None where charges cannot be told: no anion, unknown
        elements, or charges that do not add up.
    """
    found = metal_charges(material)
    if found is None:
        return None
    if not found.limits:
        n_atoms = len(material) if isinstance(material, Crystal) else sum(material.values())
        return Electrons(0.0, 0.0, 0.0) if abs(found.present) < 0.05 * n_atoms else None
    if found.present < -1e-6:
        return None
    present = found.present
    return Electrons(max(0.0, found.highest - present), max(0.0, present - found.lowest), max(0.0, present))


def metal_charges(material: Crystal | Mapping[str, float]) -> MetalCharges | None:
    """The charge that is left for the metals that change it, and the range that they can bear.

    Args:
        material: As ``count_electrons`` takes it.

    Returns:
        None where charges cannot be told: no anion, or unknown elements.
    """
    if isinstance(material, Crystal):
        if material not in _known:
            _known[material] = _metal_charges(material)
        return _known[material]
    return _metal_charges(material)


_known: WeakKeyDictionary[Crystal, MetalCharges | None] = WeakKeyDictionary()
_known_nonmetals: WeakKeyDictionary[Crystal, NDArray[np.float64]] = WeakKeyDictionary()
"""One question asks for the same crystal several times, and its bonds take longer than all else."""


def _metal_charges(material: Crystal | Mapping[str, float]) -> MetalCharges | None:
    if isinstance(material, Crystal):
        amounts: Mapping[str, float] = material.composition
        atoms = list(zip(material.symbols, nonmetal_charges(material).tolist(), strict=True))
        charge = sum(q for _, q in atoms)
        centres = {symbol for symbol, q in atoms if q > 0}
    else:
        amounts = {str(symbol): float(n) for symbol, n in material.items() if n > 0}
        by_symbol = _charges_of_amounts(amounts)
        charge = sum(q * amounts[symbol] for symbol, q in by_symbol.items())
        centres = {symbol for symbol, q in by_symbol.items() if q > 0}
    if not has_anion(amounts):
        return None
    anions = _anion_class(amounts, centres)
    lowest = highest = 0.0
    limits: dict[str, tuple[float, float]] = {}
    for symbol, n in amounts.items():
        least, most = minimum_oxidation_state(symbol, anions), maximum_oxidation_state(symbol, anions)
        if least is not None and most is not None and least < most:
            lowest, highest = lowest + n * least, highest + n * most
            limits[symbol] = (least, most)
        elif symbol not in COVALENT:
            fixed = FIXED_CHARGES.get(symbol) if most is None else most
            if fixed is None:
                return None
            charge += n * fixed
    return MetalCharges(-charge, lowest, highest, limits)


def nonmetal_charges(crystal: Crystal) -> NDArray[np.float64]:
    """Formal charges of the nonmetals of a crystal by their bonds to each other, shape (n_atoms,); metals 0."""
    if crystal in _known_nonmetals:
        return _known_nonmetals[crystal]
    symbols = crystal.symbols
    bonded: list[dict[str, int]] = [{} for _ in symbols]
    for i, j in nonmetal_bonds(crystal):
        bonded[i][symbols[j]] = bonded[i].get(symbols[j], 0) + 1
    found = [_charge(s, around) if s in COVALENT else 0.0 for s, around in zip(symbols, bonded, strict=True)]
    charges = np.array(found)
    charges.setflags(write=False)
    _known_nonmetals[crystal] = charges
    return charges


def formal_charges(crystal: Crystal) -> NDArray[np.float64]:
    """Formal charges of all atoms, shape (n_atoms,): nonmetals by their bonds, metals by what is left for them.

    Where that does not add up to zero, each atom bears the same part of the difference.
    """
    found = metal_charges(crystal)
    metals = {s: FIXED_CHARGES.get(s, 0.0) for s in crystal.composition if s not in COVALENT}
    metals |= {s: max(0.0, q) for s, q in (found.each if found else {}).items()}
    charges = nonmetal_charges(crystal) + np.array([metals.get(s, 0.0) for s in crystal.symbols])
    neutral: NDArray[np.float64] = charges - charges.mean()
    return neutral


def nonmetal_bonds(crystal: Crystal) -> NDArray[np.int64]:
    """Bonds between nonmetals, each in both directions, shape (n, 2): indices of the atoms.

    Two atoms bond below ``BOND`` or ``LOOSE_BOND`` times the sum of their covalent radii.
    """
    kept = np.flatnonzero([symbol in COVALENT for symbol in crystal.symbols])
    if not kept.size:
        return np.empty((0, 2), dtype=np.int64)
    numbers = crystal.numbers[kept]
    radii = covalent_radii()[numbers]
    nonmetals = replace(crystal, numbers=numbers, frac_coords=crystal.frac_coords[kept])
    found = find_pairs(nonmetals, 2 * LOOSE_BOND * float(radii.max()), both=True)
    one, other = numbers[found.i], numbers[found.j]
    loose = (one == other) | (one == 1) | (other == 1)
    near = found.where(found.distance < np.where(loose, LOOSE_BOND, BOND) * (radii[found.i] + radii[found.j]))
    return np.column_stack([kept[near.i], kept[near.j]])


def _charge(symbol: str, around: Mapping[str, int]) -> float:
    """Formal charge of a nonmetal with so many atoms of these elements bonded to it."""
    own, oxygen = around.get(symbol, 0), around.get("O", 0)
    stronger = any(other in around for other in _STRONG if other != symbol)
    if symbol == "H":
        return 1.0 if stronger or any(other in around for other in ("C", "P", "As")) else -1.0
    if symbol in ("B", "Si", "Ge"):
        return FIXED_CHARGES[symbol] - own
    if symbol == "P":
        return 5.0 - own - 2 * around.get("H", 0) if stronger else -3.0 + own
    if symbol == "As":
        return _step("As", sum(around.get(other, 0) for other in _STRONG)) if stronger else -3.0 + own
    if symbol == "C":
        return _carbon(around)
    if symbol in _OXO and oxygen:
        return _step(symbol, oxygen) - (own if symbol in ("S", "Se") and oxygen < 4 else 0)
    return FIXED_CHARGES[symbol] + own


def _carbon(around: Mapping[str, int]) -> float:
    oxygen, hydrogen = around.get("O", 0), around.get("H", 0)
    others = around.get("N", 0) + around.get("S", 0)
    if oxygen:
        return _step("C", oxygen) - hydrogen
    if others:
        return 4.0 if others > 1 else 2.0 - hydrogen
    return -float(hydrogen) if hydrogen or "C" in around else -4.0


def _step(symbol: str, n: int) -> float:
    steps = _OXO[symbol]
    return float(steps[min(n, len(steps) - 1)])


def _charges_of_amounts(amounts: Mapping[str, float]) -> dict[str, float]:
    """Formal charges of the nonmetals of a composition."""
    return {symbol: _charge_of_amounts(symbol, n, amounts) for symbol, n in amounts.items() if symbol in COVALENT}


def _charge_of_amounts(symbol: str, n: float, amounts: Mapping[str, float]) -> float:
    oxygen, stronger = amounts.get("O", 0.0), _sum(amounts, _STRONG)
    if symbol in ("S", "Se"):
        return 6.0 if oxygen >= 3.5 * n else 4.0 if oxygen >= 2.9 * n else -2.0
    if symbol == "Te":
        return 6.0 if oxygen >= 3.5 * n else 4.0 if oxygen >= 2 * n else -2.0
    if symbol == "N":
        return 5.0 if oxygen >= 3 * n else -3.0
    if symbol == "H":
        return 1.0 if stronger or "C" in amounts else -1.0
    if symbol == "C":
        if oxygen >= 1.9 * n:
            return 4.0 if oxygen >= 2.5 * n else 3.0
        return 2.0 if amounts.get("N", 0.0) > 0.99 * n else -4.0
    if symbol in ("P", "As"):
        thio = not oxygen and not _sum(amounts, HALOGENS) and _sum(amounts, ("S", "Se")) < 3.5 * n
        low = 4.0 if symbol == "P" else 3.0
        return (low if thio else 5.0) if stronger else -3.0
    return FIXED_CHARGES[symbol]


def _anion_class(amounts: Mapping[str, float], centres: set[str]) -> AnionClass:
    oxygen = amounts.get("O", 0.0)
    if oxygen and centres & _OXYGEN_CENTRES:
        return "polyanion"
    classes: dict[AnionClass, float] = {
        "oxide": oxygen,
        "halide": _sum(amounts, HALOGENS),
        "chalcogenide": _sum(amounts, CHALCOGENS),
        "other": _sum(amounts, ("N", "P", "As")),
    }
    return max(classes, key=lambda name: classes[name])


def _sum(amounts: Mapping[str, float], symbols: tuple[str, ...]) -> float:
    return sum(amounts.get(symbol, 0.0) for symbol in symbols)
