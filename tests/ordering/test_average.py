"""What is ordered and what is refused."""

import pytest

from ionvolt.errors import InputError
from ionvolt.ordering.average import average_cell, contents
from ionvolt.structures import read_disordered
from ordering.cells import ALL, OXYFLUORIDE, SPINEL_5V, cif

BOX = (6, 6, 6, 90, 90, 90)


def rule(sites) -> str:
    with pytest.raises(InputError) as error:
        average_cell(read_disordered(cif("P 1", BOX, sites), "x.cif"))
    assert error.value.source == "x.cif"
    return error.value.rule


@pytest.mark.parametrize("name", ALL)
def test_known_electrodes_can_be_ordered(name):
    cell = average_cell(read_disordered(ALL[name]))
    assert cell.notes == ()
    assert any(len(site) > 1 or min(site.values()) < 1 for site in cell.occupancies)


def test_the_primitive_cell_and_its_orbits():
    cell = average_cell(read_disordered(SPINEL_5V))
    assert cell.n_atoms == pytest.approx(14)
    assert sorted(cell.multiplicities.tolist()) == [2, 4, 8]
    assert len(cell.rotations) == 48
    shared = cell.occupancies[int(cell.multiplicities.tolist().index(4))]
    assert shared == pytest.approx({28: 0.25, 25: 0.75})


def test_missing_and_mixed_anions_are_refused():
    assert "anions that are mixed or partly missing" in rule([("Ti", 0, 0, 0, 1), ("O", 0.5, 0.5, 0.5, 0.8)])
    sites = [("Ti", 0, 0, 0, 1), ("S", 0.5, 0.5, 0.5, 0.5), ("Se", 0.5, 0.5, 0.5, 0.5)]
    assert "a site holds S 0.5 + Se 0.5" in rule(sites)


def test_turned_polyanions_are_refused():
    sites = [("Li", 0, 0, 0, 1), ("P", 0.5, 0.5, 0.5, 0.5), ("P", 0.6, 0.5, 0.5, 0.5), ("O", 0.5, 0.5, 0.8, 1)]
    assert "polyanions that are partly missing or turned" in rule(sites)


def test_molecules_are_refused():
    sites = [("Mn", 0, 0, 0, 1), ("O", 0.5, 0.5, 0.5, 1), ("H", 0.5, 0.5, 0.66, 0.5)]
    assert "molecules and hydrogen" in rule(sites)


def test_oxygen_and_fluorine_may_mix_away_from_polyanions():
    average_cell(read_disordered(OXYFLUORIDE))
    mixed = [("O", 0.5, 0.5, 0.75, 0.5), ("F", 0.5, 0.5, 0.75, 0.5)]
    assert "a site holds O 0.5 + F 0.5" in rule([("Li", 0, 0, 0, 1), ("P", 0.5, 0.5, 0.5, 1), *mixed])


def test_nearly_full_anions_are_taken_as_full_and_told():
    sites = [("Li", 0, 0, 0, 0.5), ("Mn", 0.5, 0, 0, 1), ("O", 0.5, 0.5, 0.5, 0.97)]
    cell = average_cell(read_disordered(cif("P 1", BOX, sites)))
    assert cell.notes == ("O 0.97 + empty 0.03 on a site is taken as full",)
    assert {8: 1.0} in cell.occupancies


def test_centres_of_polyanions_may_be_mixed():
    sites = [("Na", 0, 0, 0, 1), ("Si", 0.5, 0.5, 0.5, 0.6667), ("P", 0.5, 0.5, 0.5, 0.3333), ("O", 0.5, 0.5, 0.77, 1)]
    cell = average_cell(read_disordered(cif("P 1", BOX, sites)))
    assert any(set(site) == {14, 15} for site in cell.occupancies)


def test_contents_in_words():
    assert contents({25: 0.1, 28: 0.8}) == "Ni 0.8 + Mn 0.1 + empty 0.1"
