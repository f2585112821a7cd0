"""How many electrons the metals of a crystal can still give or take, by balance of charges.

The anions, polyanions and cations of one charge set the total charge that the other metals bear; their usual highest
and lowest oxidation states (``chemistry``) say how far that can go. LiFePO4: O -8, P +5, Li +1, so Fe is +2 and gives
one electron up to +3. In a crystal the charges of nonmetals follow from their bonds: sulphate or sulphide, S2 2- or 2
S2-, P2S6 or PS4, peroxide or oxide, cyanide or carbide. Of a composition alone they are guessed from the amounts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.chemistry import (
    COVALENT_RADII,
    FIXED_CHARGES,
    OXIDISED_CHARGES,
    AnionClass,
    maximum_oxidation_state,
    minimum_oxidation_state,
    usual_anion_charge,
)
from ionvolt.structures.crystal import Crystal

BOND, LOOSE_BOND = 1.1, 1.2
"""Longest bond between nonmetals as a multiple of the sum of their covalent radii.

The second is for like atoms (peroxide, S2 2-) and for hydrogen. A wider first one would count the weak bonds of TeO3.
"""

_HALOGENS = ("F", "Cl", "Br", "I")
_CHALCOGENS = ("S", "Se", "Te")
_STRONG = ("O", *_HALOGENS, *_CHALCOGENS, "N")
_WEAK = ("P", "As")
_OXYGEN_CENTRES = frozenset(("P", "S", "Si", "B", "C", "As", "N", "Ge", "Se", "Cl", "Br", "I"))
# Charge of an atom by the number of oxygen atoms bonded to it; more than the last count as the last.
_OXO: dict[str, tuple[float, ...]] = {
    "S": (-2, 0, 2, 4, 6), "Se": (-2, 0, 4, 4, 6), "Te": (-2, 4, 4, 4, 4, 4, 6), "N": (-3, 2, 3, 5),
    "C": (-4, 2, 3, 4), "As": (5, 3, 3, 3, 5), "Cl": (-1, 1, 3, 5, 7), "Br": (-1, 1, 3, 5, 7), "I": (-1, 1, 3, 5, 7),
}  # fmt: skip


@dataclass(frozen=True)
class ChargeBalance:
    """Charges of a cell or of a formula, in elementary charges.

    Attributes:
        present: Total charge of all metals, which makes the crystal neutral.
        highest: Total charge at the highest oxidation states.
        lowest: Total charge at the lowest.
        n_active: Metal atoms that have more than one oxidation state.
        anions: What surrounds the metals.
    """

    present: float
    highest: float
    lowest: float
    n_active: float
    anions: AnionClass

    @property
    def to_give(self) -> float:
        """Electrons that the metals can give up; 0 where none of them changes its charge."""
        return max(0.0, self.highest - self.present) if self.n_active else 0.0

    @property
    def to_take(self) -> float:
        """Electrons that the metals can take up; 0 where none of them changes its charge."""
        return max(0.0, self.present - self.lowest) if self.n_active else 0.0


def electrons_to_give(material: Crystal | Mapping[str, float]) -> float:
    """Electrons that the metals of a cell can still give up when ions are taken out.

    Args:
        material: A crystal (per cell) or the amounts of elements (per formula). A crystal is judged by its bonds.

    Returns:
        0 where no metal changes its charge (Li2TiO3) or all are at their highest (Li2MnO3: what comes out comes from
        oxygen); infinity where nothing can be said, because there is no anion (alloys, LiC6) or an unknown element.
    """
    balance = charge_balance(material)
    return math.inf if balance is None else balance.to_give


def electrons_to_take(material: Crystal | Mapping[str, float]) -> float:
    """Electrons that the metals of a cell can take up when ions go in; otherwise as ``electrons_to_give``."""
    balance = charge_balance(material)
    return math.inf if balance is None else balance.to_take


def charge_balance(material: Crystal | Mapping[str, float]) -> ChargeBalance | None:
    """Balance the charges of a crystal or a composition; None where nothing can be said."""
    if isinstance(material, Crystal):
        amounts: Mapping[str, float] = material.composition
        charges = nonmetal_charges(material)
        atoms = zip(material.symbols, charges.tolist(), strict=True)
        total = sum(charge for symbol, charge in atoms if symbol in COVALENT_RADII)
        centres = {s for s, q in zip(material.symbols, charges.tolist(), strict=True) if q > 0}
    else:
        amounts = {str(symbol): float(n) for symbol, n in material.items() if n > 0}
        by_symbol = _charges_of_amounts(amounts)
        total = sum(charge * amounts[symbol] for symbol, charge in by_symbol.items())
        centres = {symbol for symbol, charge in by_symbol.items() if charge > 0}
    if not any(symbol in amounts for symbol in (*_STRONG, *_WEAK)):
        return None
    anions = _anion_class(amounts, centres)
    highest = lowest = n_active = 0.0
    for symbol, n in amounts.items():
        if symbol in COVALENT_RADII:
            continue
        fixed = FIXED_CHARGES.get(symbol)
        most, least = maximum_oxidation_state(symbol, anions), minimum_oxidation_state(symbol, anions)
        most, least = (fixed if most is None else most), (fixed if least is None else least)
        if most is None or least is None:
            return None
        highest, lowest = highest + n * most, lowest + n * least
        n_active += n * (most > least)
    return ChargeBalance(-total, highest, lowest, n_active, anions)


def nonmetal_charges(crystal: Crystal) -> NDArray[np.float64]:
    """Formal charges of the nonmetals of a crystal by their bonds to each other, shape (n_atoms,); metals 0."""
    symbols = crystal.symbols
    bonded: list[dict[str, int]] = [{} for _ in symbols]
    for i, j in bonds(crystal):
        bonded[i][symbols[j]] = bonded[i].get(symbols[j], 0) + 1
    return np.array(
        [_charge(s, around) if s in COVALENT_RADII else 0.0 for s, around in zip(symbols, bonded, strict=True)]
    )


def bonds(crystal: Crystal) -> NDArray[np.int64]:
    """Bonds between nonmetals, each in both directions, shape (n, 2): indices of the atoms.

    Two atoms bond below ``BOND`` or ``LOOSE_BOND`` times the sum of their covalent radii.
    """
    from vesin import NeighborList

    radii = np.array([COVALENT_RADII.get(symbol, 0.0) for symbol in crystal.symbols])
    kept = np.flatnonzero(radii)
    if not kept.size:
        return np.empty((0, 2), dtype=np.int64)
    search = NeighborList(cutoff=2 * LOOSE_BOND * float(radii.max()), full_list=True)
    i, j, d = search.compute(crystal.wrapped[kept] @ crystal.lattice, crystal.lattice, True, "ijd")
    i, j = kept[i.astype(np.int64)], kept[j.astype(np.int64)]
    numbers = crystal.numbers
    loose = (numbers[i] == numbers[j]) | (numbers[i] == 1) | (numbers[j] == 1)
    near = d < np.where(loose, LOOSE_BOND, BOND) * (radii[i] + radii[j])
    return np.column_stack([i[near], j[near]])


def _charge(symbol: str, around: Mapping[str, int]) -> float:
    """Formal charge of a nonmetal with so many atoms of these elements bonded to it."""
    own = around.get(symbol, 0)
    stronger = sum(around.get(other, 0) for other in _STRONG if other != symbol)
    oxygen = around.get("O", 0)
    if symbol == "H":
        return 1.0 if any(other in around for other in (*_STRONG, *_WEAK, "C")) else -1.0
    if symbol in ("B", "Si", "Ge"):
        return FIXED_CHARGES[symbol] - own
    if symbol == "P":
        return 5.0 - own - 2 * around.get("H", 0) if stronger else -3.0 + own
    if symbol == "As":
        return (_step("As", stronger) if stronger else -3.0) + (own if not stronger else 0)
    if symbol == "C":
        return _carbon(around)
    if symbol == "O":
        return -2.0 + own
    if symbol == "F":
        return -1.0
    if symbol in _OXO and oxygen:
        return _step(symbol, oxygen) - (own if symbol in ("S", "Se") and oxygen < 4 else 0)
    return (usual_anion_charge(symbol) or 0.0) + own


def _carbon(around: Mapping[str, int]) -> float:
    hetero = around.get("O", 0)
    nitrogen, sulphur = around.get("N", 0), around.get("S", 0)
    hydrogen = around.get("H", 0)
    if hetero:
        return _step("C", hetero) - hydrogen
    if nitrogen or sulphur:
        return 4.0 if nitrogen + sulphur > 1 else 2.0 - hydrogen
    return -float(hydrogen) if hydrogen or around.get("C", 0) else -4.0


def _step(symbol: str, n: int) -> float:
    steps = _OXO[symbol]
    return float(steps[min(n, len(steps) - 1)])


def _charges_of_amounts(amounts: Mapping[str, float]) -> dict[str, float]:
    """Formal charges of the nonmetals of a composition."""
    oxygen = amounts.get("O", 0.0)
    soft, halogens = _sum(amounts, ("S", "Se")), _sum(amounts, _HALOGENS)
    stronger = _sum(amounts, _STRONG)
    found: dict[str, float] = {}
    for symbol, n in amounts.items():
        if symbol not in COVALENT_RADII:
            continue
        charge = FIXED_CHARGES[symbol]
        if symbol in OXIDISED_CHARGES and oxygen > 2.5 * n:
            charge = OXIDISED_CHARGES[symbol]
        elif symbol == "H":
            charge = 1.0 if stronger or "C" in amounts else -1.0
        elif symbol == "C":
            charge = _carbon_of_amounts(n, oxygen, amounts.get("N", 0.0))
        elif symbol in ("P", "As") and not stronger:
            charge = -3.0
        elif symbol in ("P", "As") and not oxygen and soft <= 3.25 * n and not halogens:
            charge = 4.0 if symbol == "P" else 3.0
        found[symbol] = charge
    return found


def _carbon_of_amounts(n: float, oxygen: float, nitrogen: float) -> float:
    if oxygen > 1.5 * n:
        return 4.0 if oxygen > 2.5 * n else 3.0
    return 2.0 if nitrogen > 0.9 * n else -4.0


def _anion_class(amounts: Mapping[str, float], centres: set[str]) -> AnionClass:
    oxygen = amounts.get("O", 0.0)
    if oxygen and centres & _OXYGEN_CENTRES:
        return "polyanion"
    classes: dict[AnionClass, float] = {
        "oxide": oxygen,
        "halide": _sum(amounts, _HALOGENS),
        "chalcogenide": _sum(amounts, _CHALCOGENS),
        "other": _sum(amounts, ("N", *_WEAK)),
    }
    return max(classes, key=lambda name: classes[name])


def _sum(amounts: Mapping[str, float], symbols: tuple[str, ...]) -> float:
    return sum(amounts.get(symbol, 0.0) for symbol in symbols)
