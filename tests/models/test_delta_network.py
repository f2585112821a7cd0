"""The network of corrections answers in NumPy what PyTorch trains."""

import numpy as np
import pytest
import torch

from ionvolt.models.mlip.delta_network import (
    DeltaNetwork,
    EndMemberPair,
    collate_pairs,
    corrections,
    network_arrays,
    networks_from,
    sum_rows,
)
from ionvolt.models.mlip.latent_features import ATOM_SIZE, POOLED_SIZE, CrystalFeatures
from ionvolt.physics.potentials.activations import silu
from ionvolt.training.mlip.network import TrainedNetwork

RNG = np.random.default_rng(3)


def crystal(n: int) -> CrystalFeatures:
    atoms = RNG.normal(0, 3, size=(n, ATOM_SIZE)).astype(np.float32)
    return CrystalFeatures(-5.0 * n, atoms, np.zeros(POOLED_SIZE, dtype=np.float32), 11.0 * n)


PAIRS = [
    EndMemberPair(crystal(n + n_ions), crystal(n), 1, 1, n_ions, ion, physics)
    for n, n_ions, ion, physics in ((1, 1, "Li", 3.0), (7, 2, "Mg", 1.5), (30, 4, "Al", 0.5), (3, 1, "Y", 2.0))
]


def trained(seed: int = 0) -> TrainedNetwork:
    """Random weights in all layers: those of the last ones start at zero."""
    torch.manual_seed(seed)
    network = TrainedNetwork(ATOM_SIZE).eval()
    network.atom_scale.learn(np.concatenate([pair.charged.atoms for pair in PAIRS]))
    with torch.no_grad():
        for part in (network.energy, network.shift):
            for parameter in part[-1].parameters():
                parameter.normal_()
    return network


def test_numpy_answers_what_pytorch_trains() -> None:
    network, batch = trained(), collate_pairs(PAIRS)
    with torch.no_grad():
        expected = network(batch).double().numpy()
    assert np.abs(expected).min() > 1e-3
    assert network.answering()(batch) == pytest.approx(expected, abs=2e-6)
    assert corrections([network.answering()], PAIRS)[0] == pytest.approx(expected, abs=2e-6)
    one_by_one = [corrections([network.answering()], [pair])[0, 0] for pair in PAIRS]
    assert one_by_one == pytest.approx(expected, abs=2e-6)


def test_energies_of_atoms_are_those_in_the_answer() -> None:
    network = trained()
    torch.nn.init.zeros_(network.shift[-1].weight)
    torch.nn.init.zeros_(network.shift[-1].bias)
    answering, batch = network.answering(), collate_pairs(PAIRS)
    by_atom = answering.atom_energies(batch.atoms) * batch.weight
    sums = [by_atom[batch.graph_index == i].sum() for i in range(len(PAIRS))]
    assert answering(batch) == pytest.approx(sums, abs=1e-5)


def test_what_answers_is_not_what_is_trained_further() -> None:
    network = trained()
    answering = network.answering()
    before = corrections([answering], PAIRS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(corrections([answering], PAIRS), before)


def test_names_of_stored_arrays_are_those_of_pytorchs_parameters() -> None:
    networks = [trained(seed) for seed in (0, 1)]
    stored = network_arrays([network.answering() for network in networks])
    assert set(stored) == {f"network.{m}.{name}" for m in (0, 1) for name in networks[m].state_dict()}
    again = networks_from(stored)
    assert len(again) == 2
    for one, network in zip(again, networks, strict=True):
        np.testing.assert_array_equal(one(collate_pairs(PAIRS)), network.answering()(collate_pairs(PAIRS)))


def test_arrays_that_do_not_fit_are_refused() -> None:
    stored = trained().answering().arrays()
    with pytest.raises(ValueError, match=r"shift\.0\.weight"):
        DeltaNetwork.from_arrays(stored | {"shift.0.weight": np.zeros((64, 3), dtype=np.float32)})
    with pytest.raises(KeyError):
        DeltaNetwork.from_arrays({name: array for name, array in stored.items() if name != "side.0.bias"})


def test_sums_of_rows_whose_keys_come_in_runs() -> None:
    key = np.array([0, 0, 3, 1, 1, 1, 0, 3])
    values = RNG.normal(size=(8, 5)).astype(np.float32)
    weight = RNG.normal(size=8).astype(np.float32)
    expected = np.array([(weight[:, None] * values)[key == k].sum(0) for k in range(5)])
    np.testing.assert_allclose(sum_rows(values, weight, key, 5), expected, atol=1e-6)
    assert (sum_rows(values, weight, key, 5)[[2, 4]] == 0).all()


def test_silu_is_pytorchs_also_far_out() -> None:
    values = np.array([-1e4, -200.0, -88.8, -30.0, -1.0, 0.0, 1e-8, 2.0, 90.0, 1e4], dtype=np.float32)
    expected = torch.nn.functional.silu(torch.from_numpy(values.copy())).numpy()
    np.testing.assert_allclose(silu(values.copy()), expected, rtol=1e-6, atol=1e-12)
