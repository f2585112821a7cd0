import numpy as np
import pytest
from pymatgen.core import Composition, Element

from ionvolt.errors import InputError
from ionvolt.ions import (
    FARADAY,
    WORKING_IONS,
    capacity_grav,
    end_member,
    formula_mass,
    parse_ions,
    remove_ion,
    working_ion,
)
from ionvolt.structures.crystal import Crystal


def crystal(formula: str) -> Crystal:
    """A cell of this content; where its atoms stand does not matter here."""
    numbers = [Element(s).Z for s, n in Composition(formula).get_el_amt_dict().items() for _ in range(round(n))]
    frac = np.linspace(0.0, 0.9, 3 * len(numbers)).reshape(-1, 3)
    return Crystal(np.eye(3) * 6.0, np.array(numbers), frac, source=f"{formula}.cif", warnings=("a reservation",))


@pytest.mark.parametrize(
    ("formula", "ion", "expected"),
    [
        ("LiFePO4", "Li", 169.9),
        ("LiCoO2", "Li", 273.8),
        ("LiMn2O4", "Li", 148.2),
        ("NaMnO2", "Na", 243.8),
        ("NaCoO2", "Na", 235.1),
        ("Na3V2P3O12", "Na", 176.4),
        ("KMnO2", "K", 212.7),
        ("MgMn2O4", "Mg", 270.4),
        ("MgV2O5", "Mg", 259.8),
        ("CaMn2O4", "Ca", 250.4),
        ("ZnMn2O4", "Zn", 224.1),
        ("Li", "Li", 3861),
        ("Mg", "Mg", 2205),
        ("Al", "Al", 2980),
        ("Al2O3", "Al", 1577.2),
    ],
)
def test_capacities_of_the_textbook(formula: str, ion: str, expected: float) -> None:
    assert capacity_grav(crystal(formula), WORKING_IONS[ion]) == pytest.approx(expected, rel=1e-3)


def test_capacity_by_its_formula() -> None:
    mass = Composition("Al2O3").weight
    assert capacity_grav(crystal("Al2O3"), WORKING_IONS["Al"]) == pytest.approx(2 * 3 * 96485.332 / (3.6 * mass))


def test_capacity_is_the_same_in_every_cell() -> None:
    one, four = crystal("LiFePO4"), crystal("Li4Fe4P4O16")
    assert capacity_grav(four, WORKING_IONS["Li"]) == pytest.approx(capacity_grav(one, WORKING_IONS["Li"]))


def test_a_host_without_the_ion_has_no_capacity() -> None:
    assert capacity_grav(crystal("FePO4"), WORKING_IONS["Li"]) == 0


def test_energy_has_the_sign_of_the_voltage() -> None:
    """V times mAh/g is Wh/kg: lithium iron phosphate at 3.43 V has some 583."""
    assert 3.43 * capacity_grav(crystal("LiFePO4"), WORKING_IONS["Li"]) == pytest.approx(582.8, rel=1e-3)


def test_formula_mass_is_that_of_the_cell() -> None:
    assert formula_mass(crystal("LiFePO4")) == pytest.approx(157.76, abs=0.01)
    assert formula_mass(crystal("Li4Fe4P4O16")) == pytest.approx(4 * 157.76, abs=0.04)


def test_the_table_of_ions() -> None:
    charges = {"Li": 1, "Na": 1, "K": 1, "Rb": 1, "Cs": 1, "Mg": 2, "Ca": 2, "Zn": 2, "Al": 3, "Y": 3}
    assert {symbol: ion.charge for symbol, ion in WORKING_IONS.items()} == charges
    for symbol, ion in WORKING_IONS.items():
        assert ion.symbol == symbol
        assert ion.number == Element(symbol).Z
    assert pytest.approx(6.02214076e23 * 1.602176634e-19) == FARADAY


@pytest.mark.parametrize("name", ["Mg", "mg", "MG", " Mg ", "Mg2+", "mg2+", "Mg+2", "Mg++"])
def test_ways_to_write_an_ion(name: str) -> None:
    assert working_ion(name) is WORKING_IONS["Mg"]


@pytest.mark.parametrize("name", ["Fe", "", "2+", "Mgg", "M g", "magnesium", "all", "Mg,Ca", "H"])
def test_an_unknown_ion_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=r"no such working ion\. Choose from Li, Na, K, Rb, Cs, Mg, Ca, Zn, Al, Y"):
        working_ion(name)


def symbols(text: str) -> list[str]:
    return [ion.symbol for ion in parse_ions(text)]


def test_lists_of_ions() -> None:
    assert symbols("Mg") == ["Mg"]
    assert symbols("Ca,Mg") == ["Ca", "Mg"]
    assert symbols(" ca , Mg2+,") == ["Ca", "Mg"]
    assert symbols("Mg,Ca,mg,Mg") == ["Mg", "Ca"]
    assert symbols("all") == symbols(" ALL ") == list(WORKING_IONS)


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_ion_at_all_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no working ion given"):
        parse_ions(text)


def test_one_wrong_ion_among_many_is_named() -> None:
    with pytest.raises(InputError, match=r"^Fe: no such working ion"):
        parse_ions("Mg,Fe,Ca")


def test_state_of_a_host() -> None:
    assert end_member(crystal("LiFePO4"), WORKING_IONS["Li"]) == "discharged"
    assert end_member(crystal("FePO4"), WORKING_IONS["Li"]) == "charged"
    assert end_member(crystal("LiFePO4"), WORKING_IONS["Na"]) == "charged"


def test_remove_ion_leaves_the_rest_where_it_was() -> None:
    full = crystal("LiFePO4")
    host = remove_ion(full, WORKING_IONS["Li"])
    assert host.formula == "FePO4"
    assert (host.source, host.warnings) == (full.source, full.warnings)
    np.testing.assert_array_equal(host.lattice, full.lattice)
    np.testing.assert_array_equal(host.frac_coords, full.frac_coords[full.numbers != 3])
    np.testing.assert_array_equal(host.numbers, full.numbers[full.numbers != 3])
    assert len(full) == 7
    assert end_member(host, WORKING_IONS["Li"]) == "charged"


def test_composition_of_the_host_is_its_own() -> None:
    """Even where that of the full crystal was asked for before."""
    full = crystal("LiFePO4")
    assert full.composition["Li"] == 1
    assert "Li" not in remove_ion(full, WORKING_IONS["Li"]).composition


def test_removing_an_ion_that_is_not_there_changes_nothing() -> None:
    host = crystal("FePO4")
    assert len(remove_ion(host, WORKING_IONS["Li"])) == len(host)


def test_the_metal_of_the_ion_is_no_electrode() -> None:
    with pytest.raises(InputError, match=r"^Li\.cif: nothing is left when Li is removed\. Give a compound"):
        remove_ion(crystal("Li"), WORKING_IONS["Li"])
