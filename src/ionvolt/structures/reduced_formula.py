"""Reduced formulas as pymatgen writes them, without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, inf

from ionvolt.structures.element_data import ELECTRONEGATIVITIES

_NOT_HALVED = {
    "LiO": "Li2O2", "NaO": "Na2O2", "KO": "K2O2", "HO": "H2O2", "CsO": "Cs2O2", "RbO": "Rb2O2", "O": "O2", "N": "N2",
    "F": "F2", "Cl": "Cl2", "H": "H2",
}  # fmt: skip
"""Peroxides and molecules."""

_POLYANION = 1.65
"""Elements of a polyanion differ in electronegativity by less."""


def reduced_formula(amounts: Mapping[str, int]) -> str:
    """The formula of the smallest whole numbers: ``LiFePO4``; elements by electronegativity, polyanions in brackets.

    Args:
        amounts: Atoms of each element, by symbol; at least one of each.
    """
    formula, _ = _reduced(amounts)
    return _NOT_HALVED.get(formula, formula)


def _reduced(amounts: Mapping[str, int]) -> tuple[str, int]:
    """The formula, and how many of it the amounts are."""
    rank = {symbol: ELECTRONEGATIVITIES.get(symbol, inf) for symbol in amounts}
    symbols = sorted(amounts, key=lambda symbol: (rank[symbol], symbol))
    factor = gcd(*amounts.values())
    least = {symbol: amounts[symbol] // factor for symbol in symbols}
    polyanions = ""
    if len(symbols) >= 3 and rank[symbols[-1]] - rank[symbols[-2]] < _POLYANION:
        polyanion, times = _reduced({symbol: least[symbol] for symbol in symbols[-2:]})
        if times > 1:
            polyanions, symbols = f"({polyanion}){times}", symbols[:-2]
    return "".join(f"{symbol}{_number(least[symbol])}" for symbol in symbols) + polyanions, factor


def _number(amount: int) -> str:
    return "" if amount == 1 else str(amount)
