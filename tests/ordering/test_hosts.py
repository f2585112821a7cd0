"""Hosts whose only disorder is where the working ion sits."""

import pytest

from ionvolt.ions import ions_of_formula, working_ion
from ionvolt.ordering import host_of
from ionvolt.structures import read_disordered
from ordering.cells import FLUOROPHOSPHATE, NMC811, P2_BRONZE, TITANATE, cif

NA, LI, MG = (working_ion(symbol) for symbol in ("Na", "Li", "Mg"))


def test_a_half_filled_layer_is_an_ordered_host():
    found = host_of(read_disordered(P2_BRONZE, "p2.cif"), NA)
    assert found is not None
    assert found.host.formula == "MnO2"
    assert found.host.source == "p2.cif"
    assert found.n_ions == pytest.approx(1.34)
    assert found.n_sites == 4
    assert ions_of_formula(found.host, NA, found.formula) == pytest.approx(1.34)


def test_full_and_partly_filled_sites_of_the_ion_count_together():
    found = host_of(read_disordered(FLUOROPHOSPHATE), NA)
    assert found is not None
    assert found.n_ions == pytest.approx(12)
    assert found.n_sites == 16
    assert found.host.composition == {"V": 8, "P": 8, "O": 32, "F": 12}


def test_the_hosts_own_disorder_is_not_hidden():
    assert host_of(read_disordered(NMC811), LI) is None
    assert host_of(read_disordered(TITANATE), LI) is None  # Li shares the sites of Ti


def test_another_ion_or_full_sites_are_no_filling():
    assert host_of(read_disordered(P2_BRONZE), MG) is None
    full = cif("P 1", (4, 4, 4, 90, 90, 90), [("Na", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1)])
    assert host_of(read_disordered(full), NA) is None


def test_nothing_but_the_ion_is_no_host():
    assert host_of(read_disordered(cif("P 1", (4, 4, 4, 90, 90, 90), [("Na", 0, 0, 0, 0.5)])), NA) is None


def test_a_host_that_is_refused_by_itself():
    sites = [("Na", 0, 0, 0, 0.5), ("Mn", 0.5, 0.5, 0.5, 1), ("O", 0.5, 0.5, 0, 0.6)]
    assert host_of(read_disordered(cif("P 1", (4, 4, 4, 90, 90, 90), sites)), NA) is None
