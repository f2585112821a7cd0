"""SevenNet: the same as the package's own calculator, and properties of the crystal alone."""

from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crystals import bent, disulfide, layered, olivine, sodium_chloride
from ionvolt.errors import InputError, ModelError
from ionvolt.ions import WORKING_IONS, remove_ion, working_ion
from ionvolt.physics.average import RelaxOptions, compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import VERSION, SevenNetPotential, load_sevennet
from ionvolt.physics.profile import voltage_profile
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import RELAXED, metal_energy
from ionvolt.store import read_arrays, write_arrays
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow

LI = working_ion("Li")


@pytest.fixture(scope="module")
def equivariant() -> SevenNetPotential:
    return load_sevennet()


def test_compiled_messages_are_the_same_network(equivariant: SevenNetPotential) -> None:
    pytest.importorskip("numba")
    crystals = [layered(), disulfide(), olivine()]
    plain = copy(equivariant)
    plain.compiled = None
    assert equivariant.compiled is not None
    for one, other in zip(equivariant.evaluate(crystals), plain.evaluate(crystals), strict=True):
        assert one.energy == pytest.approx(other.energy, abs=2e-6 * len(one.features))
        assert one.atom_energies == pytest.approx(other.atom_energies, abs=1e-5)
        assert one.features == pytest.approx(other.features, abs=1e-4)
        assert one.features.shape == (len(one.atom_energies), 2, 128)


def test_a_kept_network_answers_without_the_package(
    equivariant: SevenNetPotential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = pytest.importorskip("ionvolt.physics.potentials.sevennet_kept")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept.find(VERSION) is None
    assert equivariant.compiled is not None
    kept.keep(VERSION, equivariant.compiled)
    assert kept.find("7net-mf-0:pbe") is None
    again = SevenNetPotential()
    assert again._built is None
    for one, other in zip(again.evaluate([layered()]), equivariant.evaluate([layered()]), strict=True):
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.features, other.features)
    assert again._built is None
    assert again.forces(layered()).forces == pytest.approx(equivariant.forces(layered()).forces, abs=1e-5)
    # What is no such file is built again, and kept anew.
    (path,) = tmp_path.rglob("*.npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[:5000]):
        path.write_bytes(damaged)
        assert kept.find(VERSION) is None
    path.write_bytes(whole)
    arrays = read_arrays(path)
    assert arrays is not None
    name = max(arrays, key=lambda name: arrays[name].size)
    for changed in (arrays[name][..., :-1], arrays[name] + np.float32(1), arrays[name].astype(np.float64)):
        write_arrays(path, arrays | {name: changed}, compressed=False)
        assert kept.find(VERSION) is None, "whatever is not what was kept"
    path.write_bytes(whole)
    assert kept.find(VERSION) is not None


def test_harmonics_are_those_of_the_package() -> None:
    bonds = pytest.importorskip("ionvolt.physics.potentials.sevennet_bonds")
    from e3nn.o3 import spherical_harmonics

    arrows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    expected = spherical_harmonics(
        [0, 1, 2, 3], torch.from_numpy(arrows), normalize=True, normalization="component"
    ).numpy()
    np.testing.assert_allclose(bonds.Embedding.harmonics(arrows), expected, atol=2e-6)


def test_pieces_of_a_crystal_are_the_whole(equivariant: SevenNetPotential, monkeypatch: pytest.MonkeyPatch) -> None:
    inference = pytest.importorskip("ionvolt.physics.potentials.sevennet_inference")
    whole, forces = equivariant.evaluate([olivine()])[0], equivariant.forces(olivine())
    bonds = pytest.importorskip("ionvolt.physics.potentials.sevennet_bonds")
    for module, name, most in (
        (inference, "ATOMS_TOGETHER", 5), (inference, "LENGTHS_TOGETHER", 10), (bonds, "BONDS_TOGETHER", 10),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, most)
    pieces = equivariant.evaluate([olivine()])[0]
    assert pieces.energy == pytest.approx(whole.energy, abs=1e-5)
    assert pieces.features == pytest.approx(whole.features, abs=1e-5)
    assert equivariant.forces(olivine()).forces == pytest.approx(forces.forces, abs=1e-4)


@pytest.mark.parametrize(
    "crystal", [layered(), bent(olivine(), 0.05), bent(disulfide(), 0.05)], ids=lambda c: c.formula
)
def test_forces_are_those_of_the_packages_network(equivariant: SevenNetPotential, crystal: Crystal) -> None:
    pytest.importorskip("numba")
    plain = copy(equivariant)
    plain.compiled = None
    ours, theirs = equivariant.forces(crystal), plain.forces(crystal)
    assert ours.energy == pytest.approx(theirs.energy, abs=2e-6 * len(crystal))
    assert ours.forces == pytest.approx(theirs.forces, abs=1e-4)
    assert ours.stress == pytest.approx(theirs.stress, abs=1e-5)


def test_forces_and_stress_are_slopes_of_the_energy_without_pytorch(equivariant: SevenNetPotential) -> None:
    crystal, step = bent(olivine(), 0.05), 0.02
    found = equivariant.forces(crystal)

    def slope(low: Crystal, high: Crystal) -> float:
        below, above = equivariant.evaluate([low, high])
        return (above.energy - below.energy) / (2 * step)

    along = np.random.default_rng(2).normal(size=(len(crystal), 3))
    along /= np.linalg.norm(along)
    moved = [
        replace(crystal, frac_coords=crystal.frac_coords + sign * step * along @ np.linalg.inv(crystal.lattice))
        for sign in (-1, 1)
    ]
    assert slope(moved[0], moved[1]) == pytest.approx(-(found.forces * along).sum(), rel=0.01)
    strain = np.array([[0.3, 0.2, 0.0], [0.2, -0.1, 0.4], [0.0, 0.4, 0.5]]) * 0.1
    strained = [replace(crystal, lattice=crystal.lattice @ (np.eye(3) + sign * step * strain)) for sign in (-1, 1)]
    assert slope(strained[0], strained[1]) == pytest.approx((found.stress * strain).sum() * crystal.volume, rel=0.02)


def test_slopes_of_the_bases_are_theirs(equivariant: SevenNetPotential) -> None:
    bonds = pytest.importorskip("ionvolt.physics.potentials.sevennet_bonds")
    rng, step = np.random.default_rng(0), 1e-4
    arrows, gradient = rng.normal(size=(20, 3)), rng.normal(size=(20, 16))
    for axis in range(3):
        move = step * np.eye(3)[axis]
        higher, lower = (bonds.Embedding.harmonics(arrows + sign * move) for sign in (1, -1))
        expected = ((higher - lower) * gradient).sum(1) / (2 * step)
        np.testing.assert_allclose(bonds.harmonics_back(arrows, gradient)[:, axis], expected, atol=1e-4)
    assert equivariant.compiled is not None
    embedding, lengths = equivariant.compiled.embedding, np.linspace(1, 4.95, 9)
    expected = (embedding.basis(lengths + step) - embedding.basis(lengths - step)) / (2 * step)
    np.testing.assert_allclose(embedding.basis_slopes(lengths), expected, atol=1e-4)


def test_it_does_not_feel_cell_order_or_orientation(equivariant: SevenNetPotential) -> None:
    crystal = layered()
    larger = Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell((2, 1, 1)))
    order = np.random.default_rng(0).permutation(len(crystal))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turned = Crystal(crystal.lattice @ turn, crystal.numbers[order], crystal.frac_coords[order] + 1.3)
    one, two, three = equivariant.evaluate([crystal, larger, turned])
    assert two.energy / 2 == pytest.approx(one.energy, abs=1e-4)
    assert three.energy == pytest.approx(one.energy, abs=1e-4)
    assert three.features == pytest.approx(one.features[order], abs=1e-3)


@pytest.mark.parametrize("symbol", ["Li", "Na", "Mg", "Ca", "Zn", "Al", "Y"])
def test_metals_lie_at_the_minimum_of_its_energy(equivariant: SevenNetPotential, symbol: str) -> None:
    cell, reference = RELAXED[symbol], metal_energy(WORKING_IONS[symbol], VERSION)
    crystals = [replace(cell, a=cell.a * s, c=cell.c * s).crystal(symbol) for s in (0.97, 1.0, 1.03)]
    energies = [
        output.energy / len(crystal) for output, crystal in zip(equivariant.evaluate(crystals), crystals, strict=True)
    ]
    assert energies[1] == pytest.approx(reference, abs=0.004)
    assert min(energies) > reference - 5e-4


def test_what_it_cannot_compute_is_refused(equivariant: SevenNetPotential) -> None:
    heavy = replace(sodium_chloride(), numbers=np.where(sodium_chloride().numbers == 8, 8, 98))
    with pytest.raises(InputError, match="Cf"):
        equivariant.evaluate([heavy])
    radium = replace(heavy, numbers=np.where(heavy.numbers == 98, 88, heavy.numbers))
    with pytest.raises(InputError, match="does not know Ra"):
        equivariant.evaluate([radium])
    apart = replace(sodium_chloride(), lattice=sodium_chloride().lattice * 4)
    with pytest.raises(InputError, match="no neighbour within 5"):
        equivariant.evaluate([apart])
    with pytest.raises(ModelError, match="7net-l3i5"):
        load_potentials("7net")


def test_threads_do_not_mix_their_vectors(equivariant: SevenNetPotential) -> None:
    crystals = [layered(), disulfide(), sodium_chloride()]
    alone = [equivariant.evaluate([crystal])[0] for crystal in crystals]
    with ThreadPoolExecutor(3) as pool:
        crowd = list(pool.map(lambda crystal: equivariant.evaluate([crystal])[0], crystals * 2))
    for one, other in zip(alone * 2, crowd, strict=True):
        assert other.features == pytest.approx(one.features, abs=1e-5)


def test_known_electrodes(equivariant: SevenNetPotential) -> None:
    """Within what an unrelaxed charged host and the functional cost of the measured 3.45, 3.9 and 2.1 V."""
    for crystal, measured in ((olivine(), 3.45), (layered(), 3.9), (disulfide(), 2.1)):
        host = remove_ion(crystal, LI)
        full, empty = equivariant.evaluate([crystal, host])
        voltage = average_voltage(full.energy, empty.energy, balance(crystal, host, LI), metal_energy(LI, VERSION), LI)
        assert abs(voltage - measured) < 0.7, crystal.formula


def test_its_energies_give_the_voltage_of_ends_and_steps(equivariant: SevenNetPotential, no_cache: Cache) -> None:
    potentials = load_potentials()
    assert potentials.energy_model is equivariant
    assert potentials.relaxer.version == "chgnet-0.3.0"
    crystal = layered()
    found = compute(crystal, None, LI, potentials, no_cache, RelaxOptions(relax=False))
    full, empty = equivariant.evaluate([crystal, remove_ion(crystal, LI)])
    assert found.potential == VERSION
    assert found.voltage == pytest.approx(-(full.energy - empty.energy - metal_energy(LI, VERSION)), abs=1e-4)
    profile = voltage_profile(crystal, LI, potentials, None, no_cache)
    assert profile.average == pytest.approx(found.voltage, abs=2e-3)
    widths = [step.filling_discharged - step.filling_charged for step in profile.steps]
    assert np.dot([step.voltage for step in profile.steps], widths) == pytest.approx(profile.average, abs=1e-6)
