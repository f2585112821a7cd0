"""Formulas and masses without pymatgen are pymatgen's."""

import numpy as np
import pytest
from pymatgen.core.composition import Composition
from pymatgen.core.periodic_table import Element

from ionvolt.structures.crystal import SYMBOLS
from ionvolt.structures.element_data import ATOMIC_MASSES
from ionvolt.structures.reduced_formula import reduced_formula

OFTEN = ("Li", "Na", "Mg", "O", "S", "F", "P", "Fe", "Mn", "H", "N", "Cl", "C", "He")


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
@pytest.mark.parametrize("symbols", [OFTEN, SYMBOLS[1:]], ids=["few elements", "all elements"])
def test_reduced_formulas_are_those_of_pymatgen(symbols: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(1500):
        chosen = rng.choice(symbols, int(rng.integers(1, 6)), replace=False)
        factor = int(rng.choice([1, 2, 3, 4]))
        counts = {str(symbol): factor * int(rng.integers(1, 13)) for symbol in chosen}
        assert reduced_formula(counts) == Composition(counts).reduced_formula, counts


@pytest.mark.parametrize(
    ("counts", "formula"),
    [
        ({"O": 16, "P": 4, "Fe": 4, "Li": 4}, "LiFePO4"),
        ({"Na": 3, "V": 2, "P": 3, "O": 12}, "Na3V2(PO4)3"),
        ({"Li": 2, "O": 2}, "Li2O2"),
        ({"Li": 4}, "Li"),
        ({"Fe": 2, "O": 0}, "Fe"),
    ],
)
def test_formulas_as_chemists_write_them(counts: dict[str, int], formula: str) -> None:
    assert reduced_formula(counts) == formula


def test_masses_are_those_of_pymatgen() -> None:
    assert [float(Element(symbol).atomic_mass) for symbol in SYMBOLS[1:]] == list(ATOMIC_MASSES[1:])
