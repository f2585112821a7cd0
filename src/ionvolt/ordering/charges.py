"""Charges of the elements of a compound, guessed from its composition: what electrostatics needs to rank orderings."""

from __future__ import annotations

from collections.abc import Mapping

from ionvolt.structures.chemistry import ANIONS, FIXED_CHARGES
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS

_ANIONS = {SYMBOLS[z]: FIXED_CHARGES[SYMBOLS[z]] for z in ANIONS}
_CENTRES = {"B": 3.0, "C": 4.0, "N": 5.0, "Si": 4.0, "P": 5.0, "S": 6.0, "Ge": 4.0, "As": 5.0, "Se": 4.0, "Te": 4.0}
"""Of the middle of a polyanion, where enough oxygen or fluorine is there to make one of it."""

_FIXED = {
    1: "H Li Na K Rb Cs Tl",
    2: "Be Mg Ca Sr Ba Zn Cd Hg Pb",
    3: "Al Ga In Sc Y La Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Yb Lu",
    4: "Zr Hf Th",
}
_LOWEST = {
    1: "Cu Ag Au",
    2: "Ti V Cr Mn Fe Co Ni Pd Pt Sn Eu",
    3: "Nb Mo Ru Rh Ir Sb Bi Ce",
    4: "Ta W Re Os Tc U",
}
"""The lowest charge that these metals have beside anions of oxygen or fluorine; ``_COUPLES`` lead on from there."""

_COUPLES = (
    "Eu 2 3", "Ta 4 5", "Ti 2 3", "Nb 3 4", "V 2 3", "Sn 2 4", "Cr 2 3", "W 4 5", "Mo 3 4", "Ti 3 4", "Nb 4 5", "W 5 6",
    "Mo 4 5", "U 4 6", "Sb 3 5", "Mo 5 6", "Re 4 7", "Tc 4 7", "Cu 1 2", "Fe 2 3", "V 3 4", "V 4 5", "Mn 2 3", "Ce 3 4",
    "Co 2 3", "Os 4 6", "Ru 3 4", "Mn 3 4", "Ni 2 3", "Cr 3 4", "Ru 4 5", "Ir 3 4", "Ir 4 5", "Rh 3 4", "Pt 2 4",
    "Pd 2 4", "Bi 3 5", "Ni 3 4", "Co 3 4", "Fe 3 4", "Cr 4 6", "Cu 2 3", "Au 1 3", "Ag 1 2",
)  # fmt: skip
"""Redox couples in the order in which they give electrons, the most willing first: of two metals in one oxide the one
whose couple stands earlier is oxidised. Mn is 4+ before Ni leaves 2+, Fe is 3+ before Mn leaves 2+."""


def guessed_charges(composition: Mapping[int, float]) -> dict[int, float]:
    """The charge of each element in a neutral compound, one for all its atoms; fractions where the valence is mixed.

    Anions and the cations of one charge are taken as they are. Redox metals begin with their lowest charge and give
    electrons, one couple after the other, until the compound is neutral. Where it cannot become neutral, charges stay
    as near to it as they get: all orderings of one composition are off by the same constant.

    Args:
        composition: Amounts by atomic number.

    Returns:
        Charges by atomic number; all zero where there is no anion.
    """
    amounts = {symbol: composition[z] for symbol, z in ATOMIC_NUMBERS.items() if composition.get(z, 0.0) > 0.0}
    centres = _centres(amounts)
    anions = amounts.keys() & _ANIONS.keys() - centres
    if not anions:
        return {ATOMIC_NUMBERS[symbol]: 0.0 for symbol in amounts}
    fixed = _by_symbol(_FIXED)
    lowest = _by_symbol(_LOWEST)
    charges = {}
    for symbol in amounts:
        if symbol in anions:
            charges[symbol] = _ANIONS[symbol]
        elif symbol in centres or symbol in _CENTRES:
            charges[symbol] = _CENTRES[symbol]
        else:
            charges[symbol] = fixed.get(symbol, lowest.get(symbol, 3.0))
    missing = -sum(charges[symbol] * amount for symbol, amount in amounts.items())
    for couple in _COUPLES:
        symbol, low, high = couple.split()
        if missing <= 0.0:
            break
        if symbol in amounts and charges[symbol] == float(low):
            step = min(float(high) - float(low), missing / amounts[symbol])
            charges[symbol] += step
            missing -= step * amounts[symbol]
    return {ATOMIC_NUMBERS[symbol]: charge for symbol, charge in charges.items()}


def _centres(amounts: Mapping[str, float]) -> set[str]:
    """Non-metals that are the middle of a polyanion rather than an anion or a neighbour of metals."""
    around = amounts.get("O", 0.0) + amounts.get("F", 0.0)
    found: set[str] = set()
    for symbol in ("C", "B", "Si", "Ge", "P", "As", "S", "Se", "Te", "N"):
        amount = amounts.get(symbol, 0.0)
        if amount and around >= 2.5 * amount:
            found.add(symbol)
            around -= 2.5 * amount
    return found


def _by_symbol(table: Mapping[int, str]) -> dict[str, float]:
    return {symbol: float(charge) for charge, symbols in table.items() for symbol in symbols.split()}
