"""Forces, relaxation and what is remembered of it."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chgnet.model.model import CHGNet

from crystals import disulfide, sodium_chloride
from ionvolt.errors import InputError
from ionvolt.physics import CHGNetPotential
from ionvolt.physics.cache import Cache, cached_outputs, cached_relax, default_folder, key
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.structures.crystal import Crystal


def strained(crystal: Crystal, shake: float = 0.08, strain: float = 0.03) -> Crystal:
    rng = np.random.default_rng(1)
    moved = crystal.frac_coords + rng.normal(0, shake, (len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
    return replace(crystal, lattice=crystal.lattice * (1 + strain), frac_coords=moved, warnings=("a note",))


def test_forces_are_chgnets_own(potential: CHGNetPotential) -> None:
    crystal = strained(disulfide())
    package = CHGNet.load(model_name=potential.version.removeprefix("chgnet-"), use_device="cpu", verbose=False)
    theirs = package.predict_structure(crystal.to_pymatgen(), task="efs")
    ours = potential.forces(crystal)
    assert ours.energy / len(crystal) == pytest.approx(float(theirs["e"]), abs=1e-5)
    assert ours.forces == pytest.approx(theirs["f"], abs=1e-4)
    assert ours.stress * 160.21766208 == pytest.approx(theirs["s"], abs=1e-2)
    assert ours.energy == pytest.approx(potential.evaluate([crystal])[0].energy, abs=1e-5)


def test_forces_and_stress_are_slopes_of_the_energy(potential: CHGNetPotential) -> None:
    crystal = strained(disulfide())
    found = potential.forces(crystal)
    step = 5e-3
    pushed = []
    for sign in (1, -1):
        cartesian = crystal.frac_coords @ crystal.lattice
        cartesian[1, 2] += sign * step
        pushed.append(replace(crystal, frac_coords=cartesian @ np.linalg.inv(crystal.lattice)))
    up, down = (output.energy for output in potential.evaluate(pushed))
    assert -(up - down) / (2 * step) == pytest.approx(found.forces[1, 2], abs=5e-3)
    grown = [replace(crystal, lattice=crystal.lattice * (1 + sign * step)) for sign in (1, -1)]
    up, down = (output.energy for output in potential.evaluate(grown))
    assert (up - down) / (2 * step) / crystal.volume == pytest.approx(np.trace(found.stress), abs=1e-3)


def test_relaxation_goes_down_and_says_so(potential: CHGNetPotential) -> None:
    start = strained(disulfide())
    result = relax(start, potential)
    assert result.converged
    assert result.stopped_by == "converged"
    assert result.max_force < 0.1
    assert 0 < result.steps < 100
    assert result.energy < result.start_energy - 0.1
    assert result.energy == pytest.approx(potential.evaluate([result.crystal])[0].energy, abs=1e-4)
    assert result.volume_ratio == pytest.approx(result.crystal.volume / start.volume)
    assert result.volume_ratio < 1
    assert (result.crystal.source, result.crystal.warnings) == (start.source, start.warnings)
    assert (result.crystal.numbers == start.numbers).all()
    again = relax(result.crystal, potential)
    assert again.steps <= 2
    assert again.energy == pytest.approx(result.energy, abs=0.01)


def test_it_stops_when_it_must_with_the_best_so_far(potential: CHGNetPotential) -> None:
    start = strained(disulfide())
    few = relax(start, potential, RelaxSettings(fmax=1e-4, max_steps=3))
    assert (few.converged, few.stopped_by, few.steps) == (False, "steps", 3)
    assert few.energy < few.start_energy
    short = relax(start, potential, RelaxSettings(fmax=1e-4, timeout=1e-6))
    assert (short.converged, short.stopped_by) == (False, "time")
    assert short.energy <= short.start_energy
    assert short.max_force > 0


def test_a_step_into_nowhere_ends_it_cleanly(potential: CHGNetPotential, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = CHGNetPotential.forces, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) > 2:
            raise InputError("x", "an atom flew away", "-")
        return real(*arguments)

    monkeypatch.setattr(CHGNetPotential, "forces", failing)
    result = relax(strained(disulfide()), potential)
    assert (result.converged, result.stopped_by) == (False, "error")
    assert np.isfinite(result.energy)
    calls[:] = [1, 1, 1]
    with pytest.raises(InputError):
        relax(disulfide(), potential)


def test_energies_that_are_no_numbers_end_it(potential: CHGNetPotential, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = CHGNetPotential.forces, []

    def broken(*arguments):
        calls.append(1)
        return replace(real(*arguments), energy=float("nan")) if len(calls) > 3 else real(*arguments)

    monkeypatch.setattr(CHGNetPotential, "forces", broken)
    result = relax(strained(disulfide()), potential, RelaxSettings(fmax=0.01))
    assert (result.converged, result.stopped_by) == (False, "error")
    assert np.isfinite(result.energy)


def test_outputs_are_remembered(potential: CHGNetPotential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    first = cached_outputs([disulfide(), sodium_chloride(), disulfide()], potential, cache)
    assert first[0].energy == first[2].energy
    assert len(list(tmp_path.rglob("*.npz"))) == 2
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.setattr(CHGNetPotential, "evaluate", lambda *_: pytest.fail("computed again"))
    again = cached_outputs([sodium_chloride(), disulfide()], potential, cache)
    assert again[1].energy == first[0].energy
    assert (again[1].features == first[0].features).all()
    assert (again[0].magmoms == first[1].magmoms).all()


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_computed_again(potential: CHGNetPotential, tmp_path: Path, damage: bytes | None) -> None:
    cache = Cache(tmp_path)
    first = cached_outputs([sodium_chloride()], potential, cache)[0]
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:200] if damage is None else damage)
    assert cached_outputs([sodium_chloride()], potential, cache)[0].energy == pytest.approx(first.energy, abs=1e-6)
    # Another crystal's or a malicious file's content is no answer either.
    np.savez(file, energy=1.0, features=np.zeros((1, 4, 64)), magmoms=np.zeros(1))
    assert cached_outputs([sodium_chloride()], potential, cache)[0].energy == pytest.approx(first.energy, abs=1e-6)
    np.savez(file, energy=np.array([{}], dtype=object), features=1, magmoms=1)
    assert cached_outputs([sodium_chloride()], potential, cache)[0].energy == pytest.approx(first.energy, abs=1e-6)


def test_a_folder_that_cannot_be_written_is_no_error(potential: CHGNetPotential, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert cached_outputs([sodium_chloride()], potential, Cache(tmp_path / "file"))
    assert cached_outputs([sodium_chloride()], potential, Cache(None))


def test_relaxations_are_remembered_and_those_out_of_time_go_on(potential: CHGNetPotential, tmp_path: Path) -> None:
    cache, start = Cache(tmp_path), strained(disulfide())
    hurried = RelaxSettings(timeout=1e-6)
    first = cached_relax(start, potential, hurried, cache)
    assert first.stopped_by == "time"
    second = cached_relax(start, potential, RelaxSettings(), cache)
    assert second.converged
    assert second.start_energy == first.start_energy
    assert second.steps >= first.steps
    third = cached_relax(start, potential, RelaxSettings(), cache)
    assert third.energy == second.energy
    assert third.seconds == second.seconds
    assert (third.crystal.frac_coords == second.crystal.frac_coords).all()
    assert third.crystal.warnings == ("a note",)
    # Another limit or optimiser is another relaxation.
    assert cached_relax(start, potential, RelaxSettings(optimiser="bfgs"), cache).steps != second.steps
    assert cached_relax(start, potential, RelaxSettings(fmax=0.5), cache).energy > second.energy


def test_keys_know_a_crystal_by_its_content() -> None:
    crystal = disulfide()
    same = replace(crystal, source="other", frac_coords=crystal.frac_coords + 1 + 1e-9)
    assert key(crystal, "a", 1) == key(same, "a", 1)
    assert key(crystal, "a", 1) != key(crystal, "a", 2)
    assert key(crystal) != key(replace(crystal, frac_coords=crystal.frac_coords + 0.01))
    assert key(crystal) != key(replace(crystal, numbers=crystal.numbers[::-1]))
    assert key(crystal) != key(replace(crystal, lattice=crystal.lattice * 1.001))


def test_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "ionvolt" / "physics"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "ionvolt" / "physics"


def test_names_of_remembered_results_stay() -> None:
    crystal = Crystal(np.diag([3.0, 4.0, 5.0]), np.array([3, 8]), np.array([[0.0, -0.0, 1.25], [0.5, 0.25, -0.25]]))
    digest = hashlib.sha256(json.dumps([1, "output", "chgnet-0.3.0"]).encode())
    for array in (crystal.lattice, crystal.numbers, np.array([[0.0, 0.0, 0.25], [0.5, 0.25, 0.75]])):
        digest.update(array.tobytes())
    assert key(crystal, "output", "chgnet-0.3.0") == digest.hexdigest()[:40]
    assert key(replace(crystal, numbers=np.array([8, 3])), "output", "chgnet-0.3.0") != digest.hexdigest()[:40]
