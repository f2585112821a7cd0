"""Formulas and masses are pymatgen's."""

import numpy as np
import pytest
from pymatgen.core.composition import Composition
from pymatgen.core.periodic_table import Element

from ionvolt.structures.crystal import SYMBOLS
from ionvolt.structures.element_data import ATOMIC_MASSES
from ionvolt.structures.reduced_formula import reduced_formula

KNOWN = {
    "LiFePO4": {"O": 16, "P": 4, "Fe": 4, "Li": 4},
    "Li3Fe2(PO4)3": {"Li": 3, "Fe": 2, "P": 3, "O": 12},
    "V2O5": {"V": 4, "O": 10},
    "Na2O2": {"Na": 4, "O": 4},
    "O2": {"O": 8},
    "MgO2": {"Mg": 1, "O": 2},
    "C": {"C": 8},
}


@pytest.mark.parametrize("formula", KNOWN)
def test_known_formulas(formula: str) -> None:
    assert reduced_formula(KNOWN[formula]) == formula


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
def test_random_compositions_are_written_as_pymatgen_writes_them() -> None:
    rng = np.random.default_rng(5)
    likely = ["Li", "Na", "Mg", "Fe", "V", "P", "S", "Si", "C", "N", "O", "O", "F", "Cl", "H", "Ar"]
    bracketed = 0
    for _ in range(3000):
        symbols = rng.choice(likely if rng.random() < 0.7 else list(SYMBOLS[1:]), rng.integers(1, 7))
        amounts = {str(symbol): int(rng.integers(1, 13)) * int(rng.integers(1, 4)) for symbol in symbols}
        formula = reduced_formula(amounts)
        assert formula == Composition(amounts).reduced_formula, amounts
        bracketed += "(" in formula
    assert bracketed > 100


def test_masses_are_those_of_pymatgen() -> None:
    assert list(ATOMIC_MASSES) == list(SYMBOLS[1:])
    for symbol in SYMBOLS[1:99]:  # what crystals are made of; isotopes beyond change from edition to edition
        assert ATOMIC_MASSES[symbol] == pytest.approx(float(Element(symbol).atomic_mass), rel=1e-4), symbol
