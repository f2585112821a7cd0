"""The ion's best place among formal charges."""

import sys
from pathlib import Path

import numpy as np
import pytest

import ionvolt
from crystals import rock_salt
from ionvolt.descriptors import ion_site
from ionvolt.descriptors.ion_site import ION_SITE_FEATURES, ion_site_features
from ionvolt.descriptors.redox import redox_table
from ionvolt.ions import remove_ion, working_ion
from ionvolt.structures.charge_balance import formal_charges
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.reading import read_file
from ionvolt.testing import layered

DISCHARGED = layered("Li", "Co", 2.82, 14.05).discharged
HOST = remove_ion(DISCHARGED, working_ion("Li"))


def found(host: Crystal, ion: str = "Li") -> np.ndarray:
    return ion_site_features([host], [ion], redox_table())[0]


def test_formal_charges_by_hand() -> None:
    charges = dict(zip(HOST.symbols, formal_charges(HOST).tolist(), strict=True))
    assert charges == {"Co": pytest.approx(4), "O": pytest.approx(-2)}
    lithium = dict(zip(DISCHARGED.symbols, formal_charges(DISCHARGED).tolist(), strict=True))
    assert lithium == {"Li": pytest.approx(1), "Co": pytest.approx(3), "O": pytest.approx(-2)}


@pytest.mark.parametrize("ion", ["Li", "Mg"])
def test_the_minimum_is_one(ion: str) -> None:
    """No place of a fine grid is lower than the place that was found."""
    chosen = working_ion(ion)
    positions, atoms, _ = ion_site._in_and_around(HOST)
    lengths = redox_table().length[chosen.number, HOST.numbers][atoms]
    host = ion_site._Host(positions, formal_charges(HOST)[atoms], lengths)
    frac = np.random.default_rng(0).random((4000, 3))
    factors = np.array([chosen.charge * ion_site.COULOMB, ion_site.REPULSION, ion_site.HARDNESS])
    energies = ion_site.sums(frac @ HOST.lattice, host) @ factors / chosen.charge
    energy = found(HOST, ion)[0]
    assert energy <= energies.min() + 1e-6
    assert energies.min() - energy < 0.5


def test_the_force_is_the_slope_of_the_energy() -> None:
    positions, atoms, _ = ion_site._in_and_around(HOST)
    host = ion_site._Host(positions, formal_charges(HOST)[atoms], redox_table().length[3, HOST.numbers][atoms])
    factors = np.array([ion_site.COULOMB, ion_site.REPULSION, ion_site.HARDNESS])
    place = np.array([0.4, 0.3, 0.9]) @ HOST.lattice
    energy, force = ion_site._force(place, host, factors)
    assert energy == pytest.approx(float(ion_site.sums(place[None], host)[0] @ factors))
    for axis in np.eye(3):
        ends = [ion_site._force(place + sign * 1e-5 * axis, host, factors)[0] for sign in (1, -1)]
        assert force @ axis == pytest.approx(-(ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-4)


def test_nothing_hangs_on_the_cell() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    others = [
        Crystal(HOST.lattice, HOST.numbers, HOST.frac_coords + np.array([0.13, 0.41, 0.77])),
        Crystal(HOST.lattice @ turn, HOST.numbers, HOST.frac_coords),
        Crystal(HOST.lattice, HOST.numbers[::-1], HOST.frac_coords[::-1]),
        Crystal.from_pymatgen(HOST.to_pymatgen().make_supercell([2, 1, 1])),
    ]
    for other in others:
        assert found(other) == pytest.approx(found(HOST), abs=5e-3)


def crowd(seed: int) -> Crystal:
    """Manganese and oxygen at random in a cell, 1.6 Å apart: places of nearly the same energy."""
    rng = np.random.default_rng(seed)
    lattice, n = np.diag(rng.uniform(4, 9, 3)), int(rng.integers(6, 14))
    places: list[np.ndarray] = []
    while len(places) < n:
        place = rng.random(3)
        if all(np.linalg.norm(((place - other + 0.5) % 1 - 0.5) @ lattice) > 1.6 for other in places):
            places.append(place)
    return Crystal(lattice, np.array([25] * (n // 3) + [8] * (n - n // 3)), np.array(places))


EXAMPLES = Path(ionvolt.__file__).parent / "examples"
HOSTS = [remove_ion(read_file(EXAMPLES / "NaCrO2.cif"), working_ion("Na")), *(crowd(seed) for seed in (0, 1, 3, 11))]


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.formula)
@pytest.mark.parametrize("ion", ["Al", "K"])
def test_the_origin_of_the_cell_has_no_say(host: Crystal, ion: str) -> None:
    """From a grid that began at the origin another of several places was found, up to 3 V apart."""
    rng = np.random.default_rng(3)
    for _ in range(6):
        order = rng.permutation(len(host))
        moved = Crystal(host.lattice, host.numbers[order], (host.frac_coords[order] + rng.random(3)) % 1)
        assert found(moved, ion) == pytest.approx(found(host, ion), abs=2e-3)


def test_without_numba_the_same_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = [(HOST, "Li"), (HOST, "Al"), (rock_salt("Ni", 4.18), "Mg")]
    before = [found(host, ion) for host, ion in hosts]
    monkeypatch.setitem(sys.modules, "ionvolt.descriptors._ion_site_numba", None)
    assert np.array([found(host, ion) for host, ion in hosts]) == pytest.approx(np.array(before), abs=5e-3)


def test_a_wide_host_takes_a_large_ion_better_than_a_narrow_one() -> None:
    wide = Crystal(HOST.lattice * [[1], [1], [1.25]], HOST.numbers, HOST.frac_coords)
    assert found(wide, "K")[0] < found(HOST, "K")[0]


def test_no_hosts() -> None:
    assert ion_site_features([], [], redox_table()).shape == (0, len(ION_SITE_FEATURES))
