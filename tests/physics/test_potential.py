"""Energies, atom vectors and moments: the same as CHGNet's own, and properties of the crystal alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from chgnet.model.model import CHGNet

from crystals import disulfide, layered, olivine, sodium_chloride, spinel
from ionvolt.errors import InputError, ModelError
from ionvolt.physics import CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.chgnet import VERSIONS
from ionvolt.physics.potentials.chgnet_graph import chgnet_graph, graph_of
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow

CRYSTALS = [layered(), disulfide(), sodium_chloride(), spinel("Mg", 8.4), olivine()]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_chgnet(version: str) -> None:
    potential, package = (
        load_chgnet(version),
        CHGNet.load(model_name=version.removeprefix("chgnet-"), use_device="cpu", verbose=False),
    )
    for crystal, output in zip(CRYSTALS[:4], potential.evaluate(CRYSTALS[:4]), strict=True):
        theirs = package.predict_structure(crystal.to_pymatgen(), task="em", return_atom_feas=True)
        assert output.energy / len(crystal) == pytest.approx(float(theirs["e"]), abs=1e-5)
        assert output.magmoms == pytest.approx(theirs["m"], abs=1e-4)
        assert output.features[:, 2] == pytest.approx(theirs["atom_fea"], abs=1e-3)


@pytest.mark.parametrize("version", VERSIONS)
def test_compiled_layers_give_the_packages_forces(version: str) -> None:
    package = CHGNet.load(model_name=version.removeprefix("chgnet-"), use_device="cpu", verbose=False)
    for crystal in CRYSTALS:
        shaken = np.random.default_rng(0).normal(0, 0.01, (len(crystal), 3))
        crystal = replace(crystal, frac_coords=crystal.frac_coords + shaken)
        found = load_chgnet(version).forces(crystal)
        theirs = package.predict_structure(crystal.to_pymatgen(), task="efs")
        assert found.energy / len(crystal) == pytest.approx(float(theirs["e"]), abs=1e-5)
        assert found.forces == pytest.approx(theirs["f"], abs=1e-3)
        assert found.stress == pytest.approx(theirs["s"] / 160.21766208, abs=1e-5)


def test_shapes_and_types(potential: CHGNetPotential) -> None:
    output = potential.evaluate([olivine()])[0]
    assert isinstance(output.energy, float)
    assert output.features.shape == (28, 4, 64)
    assert output.features.dtype == output.magmoms.dtype == np.float32
    assert output.magmoms.shape == (28,)
    iron = olivine().numbers == 26
    assert (output.magmoms[iron] > 3).all()
    assert (output.magmoms[~iron] < 0.5).all()


def test_an_answer_does_not_depend_on_the_batch(potential: CHGNetPotential) -> None:
    together = potential.evaluate(CRYSTALS)
    backwards = potential.evaluate(CRYSTALS[::-1])[::-1]
    for crystal, one, other in zip(CRYSTALS, together, backwards, strict=True):
        alone = potential.evaluate([crystal])[0]
        for answer in (one, other):
            assert answer.energy / len(crystal) == pytest.approx(alone.energy / len(crystal), abs=1e-5)
            assert answer.features == pytest.approx(alone.features, abs=1e-3)
    assert potential.evaluate([]) == []


@pytest.mark.parametrize("repeat", [(2, 1, 1), (1, 2, 3)])
def test_energy_per_atom_is_that_of_a_supercell(potential: CHGNetPotential, repeat: tuple[int, int, int]) -> None:
    for crystal in CRYSTALS[:3]:
        larger = Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell(repeat))
        small, large = potential.evaluate([crystal, larger])
        assert large.energy / len(larger) == pytest.approx(small.energy / len(crystal), abs=2e-5)


def test_order_origin_and_images_of_the_sites_do_not_matter(potential: CHGNetPotential) -> None:
    crystal = olivine()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(crystal))
    moved = crystal.frac_coords[order] + rng.random(3) + rng.integers(-2, 3, (len(crystal), 3))
    other = replace(crystal, numbers=crystal.numbers[order], frac_coords=moved)
    one, two = potential.evaluate([crystal, other])
    assert two.energy / len(crystal) == pytest.approx(one.energy / len(crystal), abs=2e-5)
    assert two.features == pytest.approx(one.features[order], abs=5e-3)


def test_versions_differ() -> None:
    energies = [load_chgnet(version).evaluate([disulfide()])[0].energy for version in VERSIONS]
    assert len({round(energy, 3) for energy in energies}) == 3


def test_threads_do_not_mix_their_vectors(potential: CHGNetPotential) -> None:
    alone = [potential.evaluate([crystal])[0] for crystal in CRYSTALS]
    with ThreadPoolExecutor(4) as pool:
        crowd = list(pool.map(lambda crystal: potential.evaluate([crystal])[0], CRYSTALS * 4))
    for one, other in zip(alone * 4, crowd, strict=True):
        assert other.features == pytest.approx(one.features, abs=1e-5)


def test_it_leaves_the_process_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    CHGNetPotential().evaluate([sodium_chloride()])
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    assert capsys.readouterr() == ("", "")


def test_what_it_cannot_compute_is_refused(potential: CHGNetPotential) -> None:
    sparse = Crystal(np.eye(3) * 8.0, np.array([3]), np.zeros((1, 3)), source="sparse.cif")
    with pytest.raises(InputError, match=r"sparse.cif: atom 1 \(Li\) has no neighbour within 6 Å"):
        potential.evaluate([sodium_chloride(), sparse])
    heavy = replace(sodium_chloride(), numbers=np.array([95, 17]), source="am.cif")
    with pytest.raises(InputError, match=r"am.cif: CHGNet does not know Am"):
        potential.evaluate([heavy])
    with pytest.raises(ModelError, match=r"9\.9: no such version"):
        load_chgnet("9.9")


def test_a_bond_is_its_own_angle_with_no_bond_but_others() -> None:
    """In rock salt each atom has six bonds of 2.82 Å: 30 ordered pairs of different ones."""
    graph = chgnet_graph(sodium_chloride(), 6.0, 3.0)
    assert len(graph.bond_graph) == 2 * 6 * 5
    assert (graph.bond_graph[:, 2] != graph.bond_graph[:, 4]).all()
    assert len(graph.directed2undirected) == 2 * len(graph.undirected2directed)
    ours = graph_of([sodium_chloride()] * 2, 6.0, 3.0)
    assert ours.angles.size == 2 * len(graph.bond_graph)
    assert (ours.pairs[0] != ours.pairs[1]).all()
    assert (ours.centers[ours.pairs[0]] == ours.centers[ours.pairs[1]]).all()
    assert len(ours.vectors) == 2 * len(graph.undirected2directed)
