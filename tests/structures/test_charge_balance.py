"""Electrons that metals can give and take, against textbook chemistry."""

import math

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from ionvolt.structures import chemistry
from ionvolt.structures.charge_balance import (
    bonds,
    charge_balance,
    electrons_to_give,
    electrons_to_take,
    nonmetal_charges,
)
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.reading import read_text
from structures import textbook


def amounts(formula: str) -> dict[str, float]:
    return {str(element): float(n) for element, n in Composition(formula).items()}


@pytest.mark.parametrize(
    ("formula", "gives", "takes"),
    [
        ("LiFePO4", 1, 0),
        ("FePO4", 0, 1),
        ("MgMn2O4", 2, 2),
        ("LiTi2(PO4)3", 0, 2),
        ("Li2MnO3", 0, 2),
        ("NaCoO2", 1, 1),
        ("NaFeO2", 1, 1),
        ("Li2FeSiO4", 1, 0),
        ("LiMn2O4", 1, 3),
        ("Li3V2(PO4)3", 4, 2),
        ("LiVOPO4", 1, 2),
        ("V2O5", 0, 6),
        ("TiS2", 0, 1),
        ("LiTiS2", 1, 0),
        ("Mo6S8", 8, 4),
        ("LiCrO2", 1, 1),
        ("K2CrO4", 0, 4),
        ("FeF3", 0, 1),
        ("NaFeSO4F", 1, 0),
        ("Na2Fe2(SO4)3", 2, 0),
        ("KFeFe(CN)6", 1, 1),
        ("Li2FeFe(CN)6", 2, 0),
        ("Li2Mn(CO3)2", 2, 0),
        ("FeC2O4", 1, 0),
        ("LiNiPO4", 1, 0),
        ("Li2TiO3", 0, 1),
        ("Mg2Si2O6", 0, 0),
        ("Li3PS4", 0, 0),
        ("NiPS3", 2, 0),
        ("Na3Zr2Si2PO12", 0, 0),
        ("Na4MnV(PO4)3", 4, 1),
        ("LiNbO3", 0, 2),
        ("FeOOH", 1, 1),
        ("MnP4", 0, 10),
    ],
)
def test_of_a_formula(formula: str, gives: float, takes: float) -> None:
    assert electrons_to_give(amounts(formula)) == pytest.approx(gives)
    assert electrons_to_take(amounts(formula)) == pytest.approx(takes)
    twice = {symbol: 2 * n for symbol, n in amounts(formula).items()}
    assert electrons_to_give(twice) == pytest.approx(2 * gives)


@pytest.mark.parametrize("formula", ["LiC6", "C6", "Li15Si4", "Mg2Sn", "LiAl", "XeF2Og"])
def test_where_nothing_can_be_said(formula: str) -> None:
    assert electrons_to_give(amounts(formula)) == math.inf
    assert electrons_to_take(amounts(formula)) == math.inf
    assert charge_balance(amounts(formula)) is None


@pytest.mark.parametrize(
    ("name", "gives"),
    [("olivine", 0), ("spinel", 8), ("layered", 3), ("ilmenite", 6 * 2), ("lithium-rich", 0), ("rutile", 0)],
)
def test_of_a_crystal_as_of_its_formula(name: str, gives: float) -> None:
    crystal = read_text(textbook.ALL[name].cif(), "x.cif")
    assert electrons_to_give(crystal) == gives
    assert electrons_to_give(crystal.composition) == gives


def made(group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, sites))


PYRITE = made("Pa-3", Lattice.cubic(5.416), ["Fe", "S"], [[0, 0, 0], [0.385] * 3])
CALCITE = made("R-3c", Lattice.hexagonal(4.80, 15.7), ["Mn", "C", "O"], [[0, 0, 0], [0, 0, 0.25], [0.268, 0, 0.25]])
PEROXIDE = made(
    "P6_3/mmc",
    Lattice.hexagonal(3.14, 7.65),
    ["Li", "Li", "O"],
    [[0, 0, 0], [1 / 3, 2 / 3, 0.75], [1 / 3, 2 / 3, 0.149]],
)
CYANIDE = made(
    "Fm-3m",
    Lattice.cubic(10.2),
    ["Fe", "Fe", "C", "N"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.19, 0, 0], [0.305, 0, 0]],
)
BARITE = made(
    "Pnma",
    Lattice.orthorhombic(8.884, 5.457, 7.157),
    ["Ba", "S", "O", "O", "O"],
    [[0.1845, 0.25, 0.158], [0.437, 0.75, 0.191], [0.587, 0.75, 0.106], [0.317, 0.75, 0.049], [0.419, 0.974, 0.311]],
)


def test_bonds_tell_anions_apart() -> None:
    def charges(crystal: Crystal) -> dict[str, float]:
        found = nonmetal_charges(crystal)
        return {s: float(q) for s, q in zip(crystal.symbols, found, strict=True) if s in chemistry.COVALENT_RADII}

    assert charges(PYRITE) == {"S": -1}
    assert charges(CALCITE) == {"C": 4, "O": -2}
    assert charges(PEROXIDE) == {"O": -1}
    assert charges(CYANIDE) == {"C": 2, "N": -3}
    assert charges(BARITE) == {"S": 6, "O": -2}
    assert charges(read_text(textbook.TRICLINIC.cif(), "x.cif")) == {"P": 5, "O": -2, "F": -1}


def test_pyrite_is_of_two_valent_iron() -> None:
    balance = charge_balance(PYRITE)
    assert balance is not None
    assert (balance.present, balance.n_active, balance.anions) == (8, 4, "chalcogenide")
    assert (balance.to_give, balance.to_take) == (4, 0)
    assert electrons_to_give(CALCITE) == 6 * 2
    assert electrons_to_give(CYANIDE) == 0  # all Fe3+
    assert electrons_to_take(CYANIDE) == 8


def test_bonds_go_both_ways_and_through_faces() -> None:
    found = bonds(PYRITE)
    assert len(found) == 8
    assert {(i, j) for i, j in found.tolist()} == {(j, i) for i, j in found.tolist()}
    moved = Crystal(PYRITE.lattice, PYRITE.numbers, PYRITE.frac_coords + np.array([3.3, -1.7, 0.4]))
    assert sorted(map(tuple, bonds(moved).tolist())) == sorted(map(tuple, found.tolist()))
    assert bonds(Crystal(np.eye(3) * 4, np.array([26]), np.zeros((1, 3)))).shape == (0, 2)


@pytest.mark.parametrize("symbol", sorted(chemistry.MOBILE_CHARGES))
def test_mobile_ions_have_the_charge_of_working_ions(symbol: str) -> None:
    from ionvolt.ions import WORKING_IONS

    if symbol in WORKING_IONS:
        assert chemistry.MOBILE_CHARGES[symbol] == WORKING_IONS[symbol].charge
        assert symbol in chemistry.IONIC_RADII
    else:
        assert symbol in ("Ag", "Cu")


def test_limits_are_in_order_and_known_to_pymatgen() -> None:
    from pymatgen.core.periodic_table import Element

    for anions in ("oxide", "polyanion", "halide", "chalcogenide", "other"):
        for symbol in ATOMIC_NUMBERS:
            most = chemistry.maximum_oxidation_state(symbol, anions)
            least = chemistry.minimum_oxidation_state(symbol, anions)
            assert (most is None) == (least is None)
            if most is not None and least is not None:
                assert 0 < least <= most <= max(Element(symbol).oxidation_states)
    assert chemistry.maximum_oxidation_state("Fe") == 4
    assert chemistry.maximum_oxidation_state("Fe", "polyanion") == 3
    assert chemistry.maximum_oxidation_state("Li") is None
    assert chemistry.usual_anion_charge("O") == -2
    assert chemistry.usual_anion_charge("Fe") is None


def test_classes_do_not_overlap() -> None:
    assert not chemistry.ANIONS & chemistry.NONMETALS
    assert not chemistry.D_METALS & (chemistry.ANIONS | chemistry.NONMETALS)
    assert chemistry.REDOX_ACTIVE < chemistry.D_METALS
