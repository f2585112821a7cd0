"""Ions tried in the voids of a host: where they go, how many, and that the choice of cell does not matter."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import bent, rock_salt
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, WorkingIon, remove_ion
from ionvolt.physics.equilibrium import MAX_FORCE
from ionvolt.physics.interstitials import (
    InterstitialSite,
    crowding_energy,
    distances,
    find_interstitials,
    rank_sites,
)
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.settling import AT_REST, STEPS, GivenForces, at_ease, settle
from ionvolt.physics.trial_insertion import (
    Trial,
    Wanted,
    fill_sites,
    settled,
    sites_for_trials,
    stretched,
    trial_insertions,
)
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell
from models.small import DISCHARGED

LI, MG = WORKING_IONS["Li"], WORKING_IONS["Mg"]
LICOO2 = DISCHARGED[0]
COO2 = remove_ion(LICOO2, LI)


def tried(host: Crystal, ion: WorkingIon, potential: Potential, n_ions: int | None = None) -> tuple[Trial, Trial]:
    ((single, filled),) = trial_insertions(host, [Wanted(ion, n_ions)], potential)
    return single, filled


def test_lithium_goes_back_to_where_it_was() -> None:
    single, filled = tried(COO2, LI, load_chgnet())
    assert single.n_ions == filled.n_ions == 1, "one transition metal has one electron to give"
    assert single.crystal.numbers.tolist() == [*COO2.numbers.tolist(), 3]
    site = LICOO2.frac_coords[LICOO2.numbers == 3]
    assert distances(COO2.lattice, single.crystal.frac_coords[-1], site).min() < 0.3


def test_a_large_ion_pushes_the_host_apart() -> None:
    potential = load_chgnet()
    single, filled = tried(COO2, WORKING_IONS["K"], potential)
    assert filled.crystal.numbers.tolist() == single.crystal.numbers.tolist()
    assert filled.output.energy < single.output.energy
    assert filled.crystal.volume > 1.1 * COO2.volume
    assert single.crystal.volume == pytest.approx(COO2.volume)
    # Two atoms that see each other alone: stretched on, they would see nothing.
    pair = Crystal(np.diag([20.0, 20.0, 20.0]), np.array([8, 19]), np.array([[0.0, 0, 0], [0.24, 0, 0]]))
    alone = Trial(pair, 1, potential.evaluate([pair])[0])
    assert stretched(alone, potential).crystal.lattice[0, 0] < 21


def test_what_is_filled_in_a_relaxed_host_takes_all_steps() -> None:
    potential = load_chgnet()
    host = settle(COO2, potential, 12)
    single, filled = tried(host, LI, potential)
    assert single.crystal.volume == pytest.approx(host.volume)
    relaxed = settle(single.crystal, potential, STEPS)
    assert filled.crystal.lattice == pytest.approx(relaxed.lattice, abs=1e-6)
    assert filled.crystal.frac_coords == pytest.approx(relaxed.frac_coords, abs=1e-6)
    assert filled.output.energy < single.output.energy - 0.05


def test_a_host_that_is_not_at_rest_gains_less_by_itself() -> None:
    """The voltage would rise by as much as the energy of the filled end alone."""
    potential = load_chgnet()

    def gained(host: Crystal, settled_by: GivenForces) -> float:
        single, _ = tried(host, LI, potential)
        return single.output.energy - settled(single.crystal, 1, settled_by, potential, STEPS).output.energy

    host = settle(COO2, potential, 12)
    own = gained(host, GivenForces.of(host, potential))
    shaken = bent(host, 0.04)
    unrest = GivenForces.of(shaken, potential)
    plain = GivenForces(0.0, 0 * unrest.gradient)
    assert AT_REST < unrest.max_force < MAX_FORCE
    assert abs(gained(shaken, unrest) - own) < 0.7 * (gained(shaken, plain) - own)


def test_a_trial_stays_where_settling_fails_or_finds_nothing_lower() -> None:
    potential = load_chgnet()
    single, filled = tried(COO2, LI, potential)
    given = GivenForces.of(COO2, potential)
    far = GivenForces(2.1 * MAX_FORCE, given.gradient)
    assert settled(single.crystal, 1, far, potential, STEPS, single.output).output is single.output
    lower = replace(single.output, energy=filled.output.energy - 1e-3)
    stayed = settled(single.crystal, 1, given, potential, STEPS, lower)
    assert stayed.crystal is single.crystal
    assert stayed.output is lower
    with_energy = settled(single.crystal, 1, given, potential, STEPS)
    assert with_energy.output.energy == pytest.approx(filled.output.energy, abs=1e-5)
    lonely = Crystal(np.diag([20.0, 20.0, 20.0]), np.array([8, 3]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))
    nothing = GivenForces(0.0, np.zeros(9))
    assert settled(lonely, 1, nothing, potential, STEPS, single.output).crystal is lonely
    with pytest.raises(InputError):
        settled(lonely, 1, nothing, potential, STEPS)


def test_a_given_crystal_is_settled_where_it_is_not_relaxed() -> None:
    potential = load_chgnet()
    host = settle(COO2, potential, 12)
    same, given = at_ease(host, potential)
    assert same is host
    assert given.max_force <= MAX_FORCE
    shaken = bent(host, 0.12)
    assert GivenForces.of(shaken, potential).max_force > MAX_FORCE
    there, forces = at_ease(shaken, potential)
    assert there.frac_coords == pytest.approx(settle(shaken, potential, STEPS).frac_coords)
    assert forces.max_force == GivenForces.of(there, potential).max_force < GivenForces.of(shaken, potential).max_force


def test_forces_of_a_turned_crystal_are_as_large() -> None:
    """Those of the cell, too, which are the largest in a layered crystal that is pulled along its layers."""
    potential, (axes, _) = load_chgnet(), np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    host = settle(COO2, potential, 12)
    pulled = replace(host, lattice=host.lattice * [1.05, 1.02, 1.0])
    found = GivenForces.of(pulled, potential)
    assert found.max_force > 1.1 * np.linalg.norm(potential.forces(pulled).forces, axis=1).max()
    turned = replace(pulled, lattice=pulled.lattice @ axes * np.sign(np.linalg.det(axes)))
    assert GivenForces.of(turned, potential).max_force == pytest.approx(found.max_force, rel=1e-4)


def test_threads_change_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [Wanted(WORKING_IONS[symbol]) for symbol in ("Li", "K", "Mg")]
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("IONVOLT_THREADS", threads)
        found.append(trial_insertions(COO2, wanted, load_chgnet()))
    for (one, filled), (other, also) in zip(*found, strict=True):
        assert one.output.energy == other.output.energy
        assert filled.output.energy == also.output.energy
        assert np.array_equal(filled.crystal.frac_coords, also.crystal.frac_coords)


def along_c(crystal: Crystal, times: int) -> Crystal:
    places = np.concatenate([crystal.frac_coords + np.array([0, 0, i]) for i in range(times)]) / [1, 1, times]
    return replace(
        crystal,
        lattice=crystal.lattice * [[1], [1], [times]],
        numbers=np.tile(crystal.numbers, times),
        frac_coords=places,
    )


def test_supercells_have_one_primitive_cell() -> None:
    large = along_c(COO2, 3)
    cell = primitive_cell(large)
    assert len(cell) == len(COO2)
    assert cell.volume == pytest.approx(COO2.volume)
    assert primitive_cell(COO2) is COO2
    assert (cell.source, cell.warnings) == (large.source, large.warnings)


def test_a_void_is_filled_by_electrons_and_by_room() -> None:
    host = along_c(COO2, 4)
    single, filled = tried(host, LI, load_chgnet())
    assert (single.n_ions, filled.n_ions) == (1, 4)
    assert tried(host, MG, load_chgnet())[1].n_ions == 2
    places = filled.crystal.frac_coords[-4:]
    assert min(distances(host.lattice, p, np.delete(places, i, 0)).min() for i, p in enumerate(places)) > 2.2


def test_as_many_ions_as_are_known_to_go_in() -> None:
    host = along_c(COO2, 4)
    for n in (1, 2, 3, 4):
        single, filled = tried(host, LI, load_chgnet(), n)
        assert (single.n_ions, filled.n_ions) == (1, n)
        assert (filled.crystal.numbers == 3).sum() == n
    assert tried(host, LI, load_chgnet(), 99)[1].n_ions == 4, "as many as find room"


def test_where_one_kind_of_void_is_full_the_next_is_filled() -> None:
    host = Crystal(np.diag([12.0, 8.0, 4.0]), np.array([8]), np.zeros((1, 3)), source="rows of sites")
    near, far = (InterstitialSite(2.0, np.array([[x, y, 0.5] for x in (0.1, 0.6)])) for y in (0.3, 0.7))
    assert fill_sites(host, [near, far], 3)[:, 1].tolist() == [0.3, 0.3, 0.7]
    assert len(fill_sites(host, [near, far], 9)) == 4


def test_further_ions_keep_away_from_those_there() -> None:
    lattice = np.diag([12.0, 4.0, 4.0])
    host = Crystal(lattice, np.array([8]), np.zeros((1, 3)), source="a row of sites")
    row = InterstitialSite(2.0, np.array([[x, 0.5, 0.5] for x in (0.0, 0.25, 0.5, 0.75)]))
    np.testing.assert_allclose(fill_sites(host, [row], 2)[:, 0], [0.0, 0.5])
    assert len(fill_sites(host, [row], 9)) == 4
    close = InterstitialSite(2.0, np.array([[0.0, 0.5, 0.5], [0.1, 0.5, 0.5]]))
    assert len(fill_sites(host, [close], 2)) == 1, "1.2 Å apart"
    near = crowding_energy(lattice, row.frac_coords[0], row.frac_coords[1:2])
    assert near > crowding_energy(lattice, row.frac_coords[0], row.frac_coords[2:3])
    assert near == pytest.approx(crowding_energy(lattice, row.frac_coords[0] + [3, 0, -1], row.frac_coords[1:2]))


def test_voids_are_ranked_by_anions_at_bond_length_and_distant_cations() -> None:
    host = rock_salt("Mn", 4.4)
    sites = find_interstitials(host)
    best = rank_sites(host, "Li", sites)[0]
    anions = distances(host.lattice, best.frac_coords[0], host.frac_coords[host.numbers == 8])
    assert anions.min() == pytest.approx(4.4 * 3**0.5 / 4, abs=0.01), "the tetrahedral void"
    metal = Crystal(host.lattice, np.array([25, 27]), host.frac_coords, source="an alloy")
    assert rank_sites(metal, "Li", find_interstitials(metal))[0].free_radius == max(
        v.free_radius for v in find_interstitials(metal)
    )


def test_voids_that_touch_unlike_atoms_do_not_hang_on_rounding() -> None:
    """Oxygen and the phosphorus of a phosphate equally near: whichever comes out nearer by a rounding."""
    lattice = np.diag([6.0, 6.0, 6.0])
    sites = [InterstitialSite(1.8, np.array([[x, 0.5, 0.5]])) for x in (0.5, 0.46)]
    found = []
    for shift in (-1e-12, 1e-12):
        places = np.array([[0.2 + shift, 0.5, 0.5], [0.8, 0.5, 0.5], [0.5, 0.5, 0.0]])
        host = Crystal(lattice, np.array([8, 15, 26]), places)
        found.append([site.frac_coords[0].tolist() for site in rank_sites(host, "K", sites)])
    assert found[0] == found[1]


def test_a_dense_host_still_has_its_widest_void() -> None:
    dense = rock_salt("Mg", 3.0)
    assert not find_interstitials(dense)
    (site,) = sites_for_trials(dense)
    assert site.free_radius < 1.5
    assert tried(dense, LI, load_chgnet())[0].n_ions == 1


def test_layers_in_a_vacuum() -> None:
    """A narrow void is preferred to one in the middle of nothing; a single sheet of atoms is refused in one line."""

    def sheet(height: float, shift: float) -> Crystal:
        lattice = np.array([[3.0, 0, 0], [0, 3.0, 0], [0, 0, height]])
        places = np.array([[0, 0, 0.5], [0.5, 0.5, 0.5 + shift / height]])
        return Crystal(lattice, np.array([25, 8]), places, source="sheet.cif")

    assert max(site.free_radius for site in sites_for_trials(sheet(16.0, 2.5))) < 4.8
    with pytest.raises(InputError, match=r"sheet.cif: its atoms lie in one plane"):
        sites_for_trials(sheet(20.0, 0.0))
