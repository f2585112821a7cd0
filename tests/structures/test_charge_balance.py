"""Electrons that metals can give and take, against textbook chemistry."""

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice

from crystals import in_group
from ionvolt.structures import chemistry
from ionvolt.structures.charge_balance import COVALENT, count_electrons, nonmetal_bonds, nonmetal_charges
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.structures.reading import read_text
from structures import textbook


def amounts(formula: str) -> dict[str, float]:
    return {str(element): float(n) for element, n in Composition(formula).items()}


def give_and_take(material: Crystal | dict[str, float]) -> tuple[float, float]:
    found = count_electrons(material)
    assert found is not None
    return found.give, found.take


@pytest.mark.parametrize(
    ("formula", "gives", "takes"),
    [
        ("LiFePO4", 1, 0),
        ("FePO4", 0, 1),
        ("MgMn2O4", 2, 2),
        ("LiTi2(PO4)3", 0, 4),
        ("Li2MnO3", 0, 2),
        ("NaCoO2", 1, 1),
        ("NaFeO2", 1, 1),
        ("Li2FeSiO4", 1, 0),
        ("LiMn2O4", 1, 3),
        ("Li3V2(PO4)3", 4, 2),
        ("LiVOPO4", 1, 2),
        ("V2O5", 0, 6),
        ("TiS2", 0, 2),
        ("LiTiS2", 1, 1),
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
        ("Li2TiO3", 0, 2),
        ("Mg2Si2O6", 0, 0),
        ("Li3PS4", 0, 0),
        ("NiPS3", 2, 0),
        ("Na3Zr2Si2PO12", 0, 0),
        ("Na4MnV(PO4)3", 4, 1),
        ("LiNbO3", 0, 3),
        ("FeOOH", 1, 1),
        ("MnP4", 0, 10),
        ("Na2Fe2(CN)6", 2, 0),
        ("LiFeSO4F", 1, 0),
        ("NaCl", 0, 0),
    ],
)
def test_of_a_formula(formula: str, gives: float, takes: float) -> None:
    assert give_and_take(amounts(formula)) == pytest.approx((gives, takes))
    twice = {symbol: 2 * n for symbol, n in amounts(formula).items()}
    assert give_and_take(twice) == pytest.approx((2 * gives, 2 * takes))


@pytest.mark.parametrize(
    "formula", ["LiC6", "C6", "Li15Si4", "Mg2Sn", "LiAl", "XeF2Og", "Li2S6", "InSb", "Cu", "TiAl", "LaC2"]
)
def test_where_nothing_can_be_said(formula: str) -> None:
    assert count_electrons(amounts(formula)) is None


@pytest.mark.parametrize("formula", ["LiC6", "Cu", "TiAl", "LaC2"])
def test_metals_and_carbides_hold_no_anion(formula: str) -> None:
    assert not chemistry.has_anion(amounts(formula))


@pytest.mark.parametrize(
    ("name", "gives"),
    [("olivine", 0), ("spinel", 8), ("layered", 3), ("ilmenite", 6 * 2), ("lithium-rich", 0), ("rutile", 0)],
)
def test_of_a_crystal_as_of_its_formula(name: str, gives: float) -> None:
    crystal = read_text(textbook.ALL[name].cif(), "x.cif")
    assert give_and_take(crystal) == give_and_take(crystal.composition)
    assert give_and_take(crystal)[0] == gives


def made(group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(in_group(group, lattice, species, sites))


PYRITE = made("P a -3", Lattice.cubic(5.416), ["Fe", "S"], [[0, 0, 0], [0.385] * 3])
CALCITE = made("R -3 c:H", Lattice.hexagonal(4.80, 15.7), ["Mn", "C", "O"], [[0, 0, 0], [0, 0, 0.25], [0.268, 0, 0.25]])
PEROXIDE = made(
    "P 63/m m c",
    Lattice.hexagonal(3.14, 7.65),
    ["Li", "Li", "O"],
    [[0, 0, 0], [1 / 3, 2 / 3, 0.75], [1 / 3, 2 / 3, 0.149]],
)
CYANIDE = made(
    "F m -3 m",
    Lattice.cubic(10.2),
    ["Fe", "Fe", "C", "N"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.19, 0, 0], [0.305, 0, 0]],
)
BARITE = made(
    "P n m a",
    Lattice.orthorhombic(8.884, 5.457, 7.157),
    ["Ba", "S", "O", "O", "O"],
    [[0.1845, 0.25, 0.158], [0.437, 0.75, 0.191], [0.587, 0.75, 0.106], [0.317, 0.75, 0.049], [0.419, 0.974, 0.311]],
)


def test_bonds_tell_anions_apart() -> None:
    def charges(crystal: Crystal) -> dict[str, float]:
        found = nonmetal_charges(crystal)
        return {s: float(q) for s, q in zip(crystal.symbols, found, strict=True) if s in COVALENT}

    assert charges(PYRITE) == {"S": -1}
    assert charges(CALCITE) == {"C": 4, "O": -2}
    assert charges(PEROXIDE) == {"O": -1}
    assert charges(CYANIDE) == {"C": 2, "N": -3}
    assert charges(BARITE) == {"S": 6, "O": -2}
    assert charges(read_text(textbook.TRICLINIC.cif(), "x.cif")) == {"P": 5, "O": -2, "F": -1}


def test_pyrite_is_of_two_valent_iron() -> None:
    assert give_and_take(PYRITE) == (4, 0)
    assert give_and_take(PYRITE.composition) == (0, 8)  # without bonds it would be FeS2 of Fe4+
    assert give_and_take(CALCITE) == (6 * 2, 0)
    assert give_and_take(CYANIDE) == (0, 8)  # all Fe3+


def test_bonds_go_both_ways_and_through_faces() -> None:
    found = nonmetal_bonds(PYRITE)
    assert len(found) == 8
    assert {(i, j) for i, j in found.tolist()} == {(j, i) for i, j in found.tolist()}
    moved = Crystal(PYRITE.lattice, PYRITE.numbers, PYRITE.frac_coords + np.array([3.3, -1.7, 0.4]))
    assert sorted(map(tuple, nonmetal_bonds(moved).tolist())) == sorted(map(tuple, found.tolist()))
    assert nonmetal_bonds(Crystal(np.eye(3) * 4, np.array([26]), np.zeros((1, 3)))).shape == (0, 2)


def test_mobile_ions_have_the_charge_of_working_ions() -> None:
    from ionvolt.ions import WORKING_IONS

    for symbol, charge in chemistry.MOBILE_IONS.items():
        assert WORKING_IONS[symbol].charge == charge
    assert chemistry.IONIC_RADII.keys() == WORKING_IONS.keys()


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


def test_classes_do_not_overlap() -> None:
    assert not chemistry.ANIONS & chemistry.NONMETALS
    assert not chemistry.D_METALS & (chemistry.ANIONS | chemistry.NONMETALS)
    assert chemistry.REDOX_ACTIVE < chemistry.D_METALS
