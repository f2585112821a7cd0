"""Charges that chemists give these compounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionvolt.ordering.charges import guessed_charges
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS

KNOWN: dict[str, dict[str, float]] = {
    "Li10 Ni8 Mn1 Co1 O20": {"Ni": 2.875, "Mn": 4, "Co": 3},
    "Li2 Ni1 Mn3 O8": {"Ni": 2, "Mn": 4},
    "Li4 Ti5 O12": {"Ti": 4},
    "Li6 Mn2 Ti2 O10": {"Mn": 3, "Ti": 4},
    "Na4 Mn6 O12": {"Mn": 10 / 3},
    "Li2 Fe1 Mn1 P2 O8": {"Fe": 2, "Mn": 2, "P": 5},
    "Na3 V2 P2 O8 F3": {"V": 3, "F": -1},
    "Na2 Fe1 S2 O8": {"Fe": 2, "S": 6},
    "Li1 Ti1 S2": {"Ti": 3, "S": -2},
    "Li1 Co1 V1 O4": {"Co": 2, "V": 5},
    "Mg1 Mn2 O4": {"Mn": 3},
    "Fe1 Ti1 O3": {"Fe": 2, "Ti": 4},
    "Co1 Fe2 O4": {"Fe": 3, "Co": 2},
    "Na1 Zr2 P3 O12": {"Zr": 4, "P": 5},
    "Li2 Mn1 O2 F1": {"Mn": 3},
}


def amounts(text: str) -> dict[int, float]:
    parts = text.split()
    symbols = ["".join(c for c in part if c.isalpha()) for part in parts]
    return {ATOMIC_NUMBERS[s]: float(part.removeprefix(s)) for s, part in zip(symbols, parts, strict=True)}


@pytest.mark.parametrize("compound", KNOWN)
def test_known_compounds(compound):
    found = {SYMBOLS[z]: charge for z, charge in guessed_charges(amounts(compound)).items()}
    assert {symbol: found[symbol] for symbol in KNOWN[compound]} == pytest.approx(KNOWN[compound])
    total = sum(found[SYMBOLS[z]] * n for z, n in amounts(compound).items())
    assert total == pytest.approx(0.0, abs=1e-9)


def test_an_alloy_has_none():
    assert guessed_charges(amounts("Cu3 Au1")) == {29: 0.0, 79: 0.0}


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10), st.integers(1, 12))
def test_layered_oxides_are_neutral(nickel, manganese, cobalt, lithium):
    metals = nickel + manganese + cobalt
    composition = {3: lithium, 28: nickel, 25: manganese, 27: cobalt, 8: 2 * metals}
    # Up to a mean charge of 4+ and from one of 2+ on the metals have charges to be neutral with.
    if not metals or not 2 * metals <= 4 * metals - lithium:
        return
    charges = guessed_charges(composition)
    assert sum(composition[z] * charge for z, charge in charges.items()) == pytest.approx(0.0, abs=1e-9)
    assert all(2.0 <= charges[z] <= 4.0 for z in (28, 25, 27) if z in charges)
