"""Formulas as people write them, without pymatgen, which says the same and takes longer to load than a network."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, inf

from ionvolt.structures.element_data import ELECTRONEGATIVITIES

NOT_REDUCED = {
    "LiO": "Li2O2", "NaO": "Na2O2", "KO": "K2O2", "RbO": "Rb2O2", "CsO": "Cs2O2", "HO": "H2O2",
    "O": "O2", "N": "N2", "F": "F2", "Cl": "Cl2", "H": "H2",
}  # fmt: skip
"""Peroxides and gases, whose formulas are not those of least numbers."""

POLYANION = 1.65
"""Difference of electronegativity below which the two last elements of a formula may be a polyanion."""


def reduced_formula(counts: Mapping[str, int]) -> str:
    """``LiFePO4`` of numbers of atoms, as pymatgen writes it: by electronegativity, polyanions in brackets."""
    formula, _ = _reduced({symbol: n for symbol, n in counts.items() if n})
    return NOT_REDUCED.get(formula, formula)


def _reduced(counts: Mapping[str, int]) -> tuple[str, int]:
    """A formula, and how many of it the atoms are."""
    symbols = sorted(counts, key=lambda symbol: (ELECTRONEGATIVITIES.get(symbol, inf), symbol))
    factor = gcd(*counts.values())
    end = ""
    last = [ELECTRONEGATIVITIES.get(symbol, inf) for symbol in symbols[-2:]]
    if len(symbols) >= 3 and last[1] - last[0] < POLYANION:
        anion, times = _reduced({symbol: counts[symbol] // factor for symbol in symbols[-2:]})
        if times != 1:
            end, symbols = f"({anion}){times}", symbols[:-2]
    amounts = [counts[symbol] // factor for symbol in symbols]
    return "".join(s if n == 1 else f"{s}{n}" for s, n in zip(symbols, amounts, strict=True)) + end, factor
