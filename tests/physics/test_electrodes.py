"""Electrodes from one end member or both, insertion sites, and voltage profiles."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from crystals import disulfide, layered, olivine, sodium_chloride, spinel
from ionvolt.errors import InputError
from ionvolt.ions import remove_ion, working_ion
from ionvolt.physics import CHGNetPotential, balance, volume_change
from ionvolt.physics.average import RelaxOptions, compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.insertion import default_ions, insert
from ionvolt.physics.interstitials import distances, find_interstitials
from ionvolt.physics.orderings import MOST_PER_FILLING, remove_sites, supercell, symmetry_distinct_orderings
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.physics.profile import STEP_FLOOR, STEP_QUANTILE, Step, step_half_width, voltage_profile
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.physics.vasp import write_vasp
from ionvolt.structures.crystal import Crystal

LI, MG = working_ion("Li"), working_ion("Mg")


def test_both_end_members(potentials: PotentialPair, no_cache: Cache) -> None:
    crystal = layered()
    both = compute(crystal, remove_ion(crystal, LI), LI, potentials, no_cache)
    assert both.method == "both end members given, unrelaxed"
    assert both.converged is None
    assert both.steps == 0
    assert 3.3 < both.voltage < 4.2
    assert [len(output.magmoms) for output in both.outputs] == [4, 3]
    one = compute(crystal, None, LI, potentials, no_cache, RelaxOptions(relax=False))
    assert one.voltage == pytest.approx(both.voltage, abs=1e-5)


def test_discharged_alone_is_relaxed_without_the_ion(potentials: PotentialPair, no_cache: Cache) -> None:
    words: list[str] = []
    found = compute(layered(), None, LI, potentials, no_cache, log=words.append)
    assert found.method == "charged host made by removing the ion, relaxed"
    assert found.converged
    assert found.steps > 0
    assert 3.2 < found.voltage < 4.2
    assert found.volume_change == pytest.approx(volume_change(found.discharged, found.charged, found.reaction))
    assert "relaxing the charged host" in words


@pytest.mark.slow
def test_olivine(potentials: PotentialPair, no_cache: Cache) -> None:
    """LiFePO4: 3.45 V measured, 3.4 to 3.5 V calculated; the volume shrinks by 7 % on charge."""
    found = compute(olivine(), None, LI, potentials, no_cache)
    assert found.converged
    assert 3.2 < found.voltage < 3.7
    assert 0.02 < found.volume_change < 0.09


def test_what_makes_no_electrode_is_refused(potentials: PotentialPair, no_cache: Cache) -> None:
    host = remove_ion(layered(), LI)
    for full, empty in ((host, host), (host, layered()), (layered(), remove_ion(disulfide(), LI)), (None, None)):
        with pytest.raises(InputError):
            compute(full, empty, LI, potentials, no_cache)
    with pytest.raises(InputError, match="nothing is left"):
        compute(replace(sodium_chloride(), numbers=np.array([3, 3])), None, LI, potentials, no_cache)


def test_great_changes_and_unfinished_relaxations_are_told(potentials: PotentialPair, no_cache: Cache) -> None:
    crystal = disulfide()
    host = remove_ion(crystal, LI)
    small = replace(host, lattice=host.lattice * 0.9)
    found = compute(crystal, small, LI, potentials, no_cache)
    assert any("volume changes by 37 %" in warning for warning in found.warnings)
    options = RelaxOptions(settings=RelaxSettings(fmax=1e-4, max_steps=1))
    found = compute(crystal, None, LI, potentials, no_cache, options)
    assert found.converged is False
    assert any("did not converge" in warning for warning in found.warnings)


def test_voids_of_rock_salt() -> None:
    """The tetrahedral holes: in the middle of every eighth of the cubic cell, 2 for each pair of ions."""
    (site,) = find_interstitials(sodium_chloride())
    assert site.free_radius == pytest.approx(np.sqrt(3) / 4 * 5.64, abs=1e-3)
    assert len(site.frac_coords) == 2


@pytest.mark.parametrize(
    ("crystal", "ion"), [(layered(), LI), (disulfide(), LI), (olivine(), LI), (spinel("Mg", 8.4), MG)]
)
def test_the_sites_of_known_electrodes_are_among_the_voids(crystal: Crystal, ion) -> None:
    sites = find_interstitials(remove_ion(crystal, ion))
    for site in crystal.frac_coords[crystal.numbers == ion.number]:
        nearest = min(distances(crystal.lattice, site, found.frac_coords).min() for found in sites)
        assert nearest < 0.5
    for found in sites:
        host = remove_ion(crystal, ion)
        for place in found.frac_coords:
            assert distances(host.lattice, place, host.frac_coords).min() == pytest.approx(found.free_radius, abs=0.05)


def test_distances_count_images() -> None:
    lattice = np.diag([4.0, 5.0, 6.0])
    found = distances(lattice, np.array([0.05, 0.5, 0.5]), np.array([[0.95, 0.5, 0.5], [0.05, 0.5, -1.5]]))
    assert found == pytest.approx([0.4, 0.0])


@pytest.mark.slow
def test_an_ion_finds_its_way_back(potentials: PotentialPair, no_cache: Cache) -> None:
    """Put into empty CoO2, lithium ends where LiCoO2 has it, and its energy is that of LiCoO2."""
    host = remove_ion(layered(), LI)
    assert default_ions(host, LI) == 1
    found = compute(None, host, LI, potentials, no_cache)
    known = compute(layered(), None, LI, potentials, no_cache)
    assert found.method == "discharged electrode made by inserting the ion, relaxed"
    assert found.discharged.formula == "LiCoO2"
    assert found.voltage == pytest.approx(known.voltage, abs=0.05)
    unrelaxed = compute(None, host, LI, potentials, no_cache, RelaxOptions(relax=False))
    assert unrelaxed.converged is None
    assert np.isfinite(unrelaxed.voltage)


def test_how_many_ions_a_host_takes(potential: CHGNetPotential, no_cache: Cache) -> None:
    iron_phosphate = remove_ion(olivine(), LI)
    assert [default_ions(iron_phosphate, working_ion(ion)) for ion in ("Li", "Mg", "Al")] == [4, 2, 1]
    assert default_ions(sodium_chloride(), LI) == 1
    host = remove_ion(disulfide(), LI)
    with pytest.raises(InputError, match="do not hold 9 Li"):
        insert(host, LI, potential, None, no_cache, 9)
    with pytest.raises(InputError, match="0 ions"):
        insert(host, LI, potential, None, no_cache, 0)
    two = insert(host, LI, potential, None, no_cache, 2)
    assert all(arrangement.crystal.composition["Li"] == 2 for arrangement in two)
    assert [arrangement.energy for arrangement in two] == sorted(arrangement.energy for arrangement in two)


def test_fillings_that_symmetry_tells_apart() -> None:
    chain = supercell(disulfide(), LI)
    sites = np.flatnonzero(chain.numbers == 3)
    assert len(sites) == 4
    assert chain.formula == "LiTiS2"
    # Two by two sites of a triangular net: every two of the four are neighbours in one of three equal directions.
    assert [len(symmetry_distinct_orderings(chain, LI, n)) for n in range(5)] == [1, 1, 1, 1, 1]
    # Four sites of olivine: of its six pairs three are distinct, along a, b or the diagonal.
    assert [len(symmetry_distinct_orderings(olivine(), LI, n)) for n in range(5)] == [1, 1, 3, 1, 1]
    for n in range(5):
        for removed in symmetry_distinct_orderings(chain, LI, n):
            assert remove_sites(chain, removed).composition.get("Li", 0) == n
    many = symmetry_distinct_orderings(Crystal.from_pymatgen(olivine().to_pymatgen().make_supercell((2, 1, 1))), LI, 4)
    assert len(many) == MOST_PER_FILLING


def test_a_repeated_cell_is_the_same_crystal(potential: CHGNetPotential) -> None:
    small, large = layered(), supercell(layered(), LI)
    energies = [output.energy for output in potential.evaluate([small, large])]
    assert energies[1] / len(large) == pytest.approx(energies[0] / len(small), abs=2e-5)
    assert supercell(olivine(), LI) is not None
    assert len(supercell(olivine(), LI)) == 28


@pytest.mark.parametrize("settings", [None, RelaxSettings(fmax=0.3)])
@pytest.mark.slow
def test_steps_add_up_to_the_average(
    potentials: PotentialPair, no_cache: Cache, settings: RelaxSettings | None
) -> None:
    steps: list[tuple[int, int, str]] = []
    profile = voltage_profile(layered(), LI, potentials, settings, no_cache, lambda *done: steps.append(done))
    assert steps[-1] == (5, 5, "")
    assert profile.n_ions == 4
    assert profile.steps[0].filling_charged == 0.0
    assert profile.steps[-1].filling_discharged == 1.0
    assert profile.steps[0].formula_charged == "CoO2"
    assert profile.steps[-1].formula_discharged == "LiCoO2"
    for one, two in pairwise(profile.steps):
        assert one.filling_discharged == two.filling_charged
        assert one.voltage >= two.voltage  # a hull is convex
    weighted = sum(step.voltage * (step.filling_discharged - step.filling_charged) for step in profile.steps)
    assert weighted == pytest.approx(profile.average, abs=1e-6)
    whole = compute(layered(), None, LI, potentials, no_cache, RelaxOptions(settings is not None, None, settings))
    assert profile.average == pytest.approx(whole.voltage, abs=1e-3 if settings is None else 0.05)


def test_the_interval_of_a_step_is_of_the_step_and_not_of_its_cell() -> None:
    full = layered()
    cell = supercell(full, LI)
    half = remove_sites(cell, np.flatnonzero(cell.numbers == 3)[:2])
    whole = step_half_width(Step(3.5, "", "", 0, 1, 0, remove_ion(full, LI), full), LI)
    assert step_half_width(Step(3.5, "", "", 0, 1, 0, remove_ion(cell, LI), cell), LI) == pytest.approx(whole)
    both = ((remove_ion(cell, LI), half), (half, cell))
    parts = [step_half_width(Step(3.5, "", "", 0, 0.5, 0, *ends), LI) for ends in both]
    assert parts[0] == pytest.approx(parts[1])
    assert parts[0] > whole > STEP_QUANTILE * STEP_FLOOR


@pytest.mark.slow
def test_many_ions_leave_one_after_the_other(
    potentials: PotentialPair, no_cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ionvolt.physics.profile.MOST_IONS", 3)
    profile = voltage_profile(layered(), LI, potentials, None, no_cache)
    assert profile.n_computed == 1 + 4 + 3 + 2 + 1
    weighted = sum(step.voltage * (step.filling_discharged - step.filling_charged) for step in profile.steps)
    assert weighted == pytest.approx(profile.average, abs=1e-6)


def test_a_profile_needs_the_ion(potentials: PotentialPair, no_cache: Cache) -> None:
    with pytest.raises(InputError, match="holds no more Mg"):
        voltage_profile(layered(), MG, potentials, None, no_cache)


def test_vasp_inputs(tmp_path: Path) -> None:
    write_vasp(layered(), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"INCAR", "KPOINTS", "POSCAR", "POTCAR.spec"}
    incar = (tmp_path / "run" / "INCAR").read_text()
    assert "LDAUU" in incar
    assert "ENCUT = 520" in incar
    from ionvolt.structures import read_file

    again = read_file(tmp_path / "run" / "POSCAR")
    assert again.composition == layered().composition
    assert balance(again, remove_ion(layered(), LI), LI).n_ions == 1
    with pytest.raises(InputError, match="INCAR in it already"):
        write_vasp(layered(), tmp_path / "run")
