"""Which element may take which place, with what charge and size."""

from __future__ import annotations

from functools import cache
from typing import Literal

from ionvolt.ions import WorkingIon
from ionvolt.structures.charge_balance import COVALENT, metal_charges, nonmetal_charges
from ionvolt.structures.chemistry import ANION_RADII, ANIONS, CHALCOGENS, FIXED_CHARGES, HALOGENS, MOBILE_IONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

Place = Literal["metal", "centre", "anion", "mobile"]
"""Kinds of places: metals, centres of polyanions, anions, and mobile ions other than the working ion."""

DEFAULT = frozenset(
    "Ti V Cr Mn Fe Co Ni Cu Nb Mo Zr Al Ga Sc Mg Zn Si P S B Ge O F Cl Br Se I".split()  # noqa: SIM905
)
"""Elements that come in where none are named: no noble, rare, radioactive or very toxic ones (Be, As, Cd, Hg, Pb)."""

CENTRES = ("Si", "P", "S", "B", "Ge", "As", "Se", "V", "Mo", "W", "C", "N")
"""Elements that stand amid oxygen; V, Mo and W do so as vanadate, molybdate and tungstate."""

_METALS_AS_CENTRES = frozenset({"V", "Mo", "W"})
_UNTOUCHED = frozenset({"H", "C", "N"})
"""Elements that are never substituted: water, cyanide, carbonate and nitrate are what they are."""


def places(crystal: Crystal, ion: WorkingIon) -> dict[str, Place]:
    """What kind of place each element of a discharged electrode holds; the working ion, H, C and N are left out."""
    charges = nonmetal_charges(crystal)
    found: dict[str, Place] = {}
    for symbol in crystal.composition:
        if symbol == ion.symbol or symbol in _UNTOUCHED:
            continue
        number = ATOMIC_NUMBERS[symbol]
        if symbol in MOBILE_IONS and MOBILE_IONS[symbol] == 1:
            found[symbol] = "mobile"
        elif symbol in COVALENT:
            own = charges[crystal.numbers == number]
            if (own > 0).all():
                found[symbol] = "centre"
            elif (own < 0).all() and number in ANIONS:
                found[symbol] = "anion"
        else:
            found[symbol] = "metal"
    return found


def newcomers(symbol: str, place: Place, allowed: frozenset[str]) -> list[str]:
    """Elements that may take the place of another one, by atomic number."""
    if place == "anion":
        found = set(HALOGENS if symbol in HALOGENS else ("O", *CHALCOGENS))
        found |= {"F"} if symbol == "O" else {"O"} if symbol == "F" else set()
    elif place == "centre":
        found = set(CENTRES)
    elif place == "metal":
        found = {
            other for other in allowed if other not in COVALENT and (other not in MOBILE_IONS or MOBILE_IONS[other] > 1)
        }
    else:
        return []
    return sorted((found & allowed) - {symbol}, key=ATOMIC_NUMBERS.__getitem__)


def charges_of(crystal: Crystal) -> dict[str, float]:
    """Formal charge of an atom of each element, the mean where an element has several; none where they are unknown."""
    bonded, metals = nonmetal_charges(crystal), metal_charges(crystal)
    if metals is None:
        return {}
    each = metals.each
    return {
        symbol: float(bonded[crystal.numbers == ATOMIC_NUMBERS[symbol]].mean())
        if symbol in COVALENT
        else each.get(symbol, FIXED_CHARGES.get(symbol, 0.0))
        for symbol in crystal.composition
    }


@cache
def radius(symbol: str, charge: int) -> float:
    """Shannon's effective ionic radius, Å: six-fold and high-spin for metals, four-fold for centres of polyanions.

    Where he has none for that charge, that of the nearest one; anions as ``chemistry.ANION_RADII`` has them.
    """
    from pymatgen.core.periodic_table import Element

    number = ATOMIC_NUMBERS[symbol]
    if charge <= 0 and number in ANION_RADII:
        return ANION_RADII[number]
    centre = symbol in COVALENT or (symbol in _METALS_AS_CENTRES and charge >= 5)
    by_charge = Element(symbol).data.get("Shannon radii") or {}
    found = {int(state): _shannon(shells, centre) for state, shells in by_charge.items() if int(state) > 0}
    known = {state: value for state, value in found.items() if value is not None}
    if not known:
        return 1.0
    return known[min(known, key=lambda state: (abs(state - charge), state))]


def _shannon(shells: dict[str, dict[str, dict[str, float]]], centre: bool) -> float | None:
    """One of the radii of an ion: of the coordination that is meant, else of the nearest that there is."""
    for shell in ("IV", "III", "VI", "VIII") if centre else ("VI", "VII", "VIII", "V", "IV", "IVSQ"):
        if spins := shells.get(shell):
            spin = spins.get("High Spin") or next(iter(spins.values()))
            return float(spin["ionic_radius"])
    return None
