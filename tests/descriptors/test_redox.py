"""Features of redox couples, by hand and against the description of a crystal."""

import numpy as np
import pytest

from crystals import rock_salt
from ionvolt.descriptors.elements import ElementTable, element_table
from ionvolt.descriptors.host import HOST_FEATURES, host_features
from ionvolt.descriptors.redox import HIGHEST_CHARGE, RedoxTable, redox_table
from ionvolt.ions import remove_ion, working_ion
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal
from ionvolt.testing import layered

pytest.importorskip("matminer")

LAYERED = remove_ion(layered("Li", "Co", 2.82, 14.05).discharged, working_ion("Li"))


def named(host: Crystal) -> dict[str, float]:
    row = host_features([host], element_table(), redox_table())[0]
    assert np.isfinite(row).all()
    return dict(zip(HOST_FEATURES, row, strict=True))


def test_names_are_unique() -> None:
    assert len(set(HOST_FEATURES)) == len(HOST_FEATURES)


def test_the_couple_of_a_layered_oxide() -> None:
    row = named(LAYERED)
    assert row["there are redox metals"] == 1
    assert row["charge of redox metals"] == pytest.approx(4)
    assert row["share of redox metals"] == pytest.approx(1 / 3)
    assert row["place between lowest and highest charge"] == pytest.approx(1)
    assert row["electrons to take, a redox metal"] == pytest.approx(2)
    assert row["share of Co in redox metals"] == 1
    assert row["mean d electrons"] == pytest.approx(5)
    assert row["share with 5 d electrons"] == pytest.approx(1)
    # Co3+ to Co4+ takes 51.3 eV, Co2+ to Co3+ 33.5 eV (NIST).
    assert row["mean ionisation energy of the charge"] == pytest.approx(51.3, abs=0.3)
    assert row["mean ionisation energy of the charge less 1"] == pytest.approx(33.5, abs=0.3)
    assert row["share of O around metals"] == pytest.approx(1, abs=0.05)


def test_bond_valences_of_a_rock_salt() -> None:
    row = named(rock_salt("Ni", 4.18))
    assert row["charge of redox metals"] == pytest.approx(2)
    assert row["mean metal bond valence"] == pytest.approx(2, abs=0.35)
    assert row["mean valence that anions lack"] == pytest.approx(0, abs=0.35)
    assert row["mean metal bond valence less charge"] == pytest.approx(row["mean metal bond valence"] - 2)


def test_a_host_without_a_couple() -> None:
    row = named(rock_salt("Mg", 4.2))
    assert row["there are redox metals"] == row["charge of redox metals"] == 0
    assert row["metal coordination"] == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize("scaling", [[2, 1, 1], [[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 2, 0], [1, 0, 1]]])
def test_nothing_hangs_on_the_cell(scaling: list[object]) -> None:
    other = Crystal.from_pymatgen(LAYERED.to_pymatgen().make_supercell(scaling))
    before, after = (host_features([h], element_table(), redox_table())[0] for h in (LAYERED, other))
    assert after == pytest.approx(before, abs=1e-5)


def test_many_are_answered_as_each_alone() -> None:
    hosts = [LAYERED, rock_salt("Mg", 4.2), rock_salt("Ni", 4.18)]
    together = host_features(hosts, element_table(), redox_table())
    alone = np.vstack([host_features([host], element_table(), redox_table()) for host in hosts])
    assert together == pytest.approx(alone, abs=1e-9)
    assert host_features([], element_table(), redox_table()).shape == (0, len(HOST_FEATURES))


def test_energies_between_whole_charges() -> None:
    iron = np.full(3, ATOMIC_NUMBERS["Fe"])
    table = redox_table()
    second, third = table.ionisation[26, 2], table.ionisation[26, 3]
    assert second == pytest.approx(16.2, abs=0.1)
    assert third == pytest.approx(30.7, abs=0.1)
    found = table.energy(iron, np.array([2.0, 2.5, 30.0]))
    assert found == pytest.approx([second, (second + third) / 2, table.ionisation[26, HIGHEST_CHARGE]])


def test_tables_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="redox table"):
        RedoxTable(np.zeros((119, 3)), np.zeros((119, 119)))
    assert isinstance(element_table(), ElementTable)
