from dataclasses import replace

import numpy as np
import pytest

from ionvolt.models.differences import mean_differences
from ionvolt.models.mlip.atomic_gp import AtomicGP, AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.crystal_krr import KRRSettings, fit_kernel
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import ATOM_SIZE, POOLED_SIZE, CrystalFeatures

RNG = np.random.default_rng(0)
DESCRIPTORS = RNG.normal(size=(10, 5)).astype(np.float32)


def fitted(ridge: float = 1e-6):
    features = RNG.normal(size=(30, 12)).astype(np.float32)
    ions, content = RNG.integers(0, 10, 30), RNG.random(30)
    target = RNG.normal(3, 1, 30)
    model = fit_kernel(features, ions, content, target, DESCRIPTORS, replace(KRRSettings(), ridge=ridge))
    return model, features, ions, content, target


def test_distances_are_mean_absolute_differences() -> None:
    a, b = RNG.normal(size=(4, 7)).astype(np.float32), RNG.normal(size=(3, 7)).astype(np.float32)
    expected = [[np.abs(x - y).mean() for y in b] for x in a]
    np.testing.assert_allclose(mean_differences(a, b), expected, rtol=1e-6)


def test_without_noise_the_training_voltages_come_back_with_and_without_content() -> None:
    model, features, ions, content, target = fitted()
    distances = model.distances(features)
    np.testing.assert_allclose(model.voltages(distances, ions, content), target, atol=2e-2)
    np.testing.assert_allclose(model.voltages(distances, ions, np.full(30, np.nan)), target, atol=2e-2)
    mixed = content.copy()
    mixed[::2] = np.nan
    both = model.voltages(distances, ions, mixed)
    np.testing.assert_allclose(both[::2], model.voltages(distances, ions, np.full(30, np.nan))[::2])
    np.testing.assert_allclose(both[1::2], model.voltages(distances, ions, content)[1::2])


def test_far_from_all_hosts_only_the_ions_count() -> None:
    model, _, ions, _content, target = fitted(ridge=0.1)
    far = np.full((2, 30), 1e4, dtype=np.float32)
    a, b = model.voltages(far, ions[:1].repeat(2), np.array([0.1, 0.9]))
    assert a == pytest.approx(b)
    assert abs(a - target.mean()) < 3 * target.std()


MIX = np.random.default_rng(9).normal(size=(6, ATOM_SIZE))
"""Atoms differ in few ways, as those of crystals do, each of which shows in all numbers."""


def crystal(rng: np.random.Generator, n: int) -> CrystalFeatures:
    atoms = (rng.normal(size=(n, len(MIX))) @ MIX).astype(np.float32)
    return CrystalFeatures(0.0, atoms, np.zeros(POOLED_SIZE, dtype=np.float32), 10.0)


def law(atoms: np.ndarray) -> float:
    """An energy that each atom has by itself, eV."""
    return float(np.tanh(atoms[:, 0] / 2).sum())


def random_pairs(n: int, seed: int) -> tuple[list[EndMemberPair], np.ndarray]:
    rng = np.random.default_rng(seed)
    pairs, voltages = [], []
    for _ in range(n):
        full, empty, moved = crystal(rng, 6), crystal(rng, 4), int(rng.integers(1, 4))
        pairs.append(EndMemberPair(full, empty, 1, 1, moved, "Mg", 2.0))
        voltages.append(2.0 - (law(full.atoms) - law(empty.atoms)) / (moved * 2))
    return pairs, np.array(voltages)


def test_labels_of_electrodes_teach_energies_of_atoms() -> None:
    pairs, voltages = random_pairs(400, 1)
    model = fit_atomic_gp(pairs, voltages, replace(AtomicGPSettings(), n_features=800))
    new, truth = random_pairs(100, 2)
    error = np.abs(2.0 + model.corrections(new) - truth).mean()
    assert error < 0.5 * np.abs(truth - 2.0).mean()


def test_a_stored_kernel_answers_the_same() -> None:
    pairs, voltages = random_pairs(20, 3)
    model = fit_atomic_gp(pairs, voltages, replace(AtomicGPSettings(), n_features=50))
    again = AtomicGP.from_arrays(model.arrays())
    np.testing.assert_array_equal(again.corrections(pairs), model.corrections(pairs))


def test_doubled_cells_change_nothing() -> None:
    pairs, voltages = random_pairs(20, 4)
    model = fit_atomic_gp(pairs, voltages, replace(AtomicGPSettings(), n_features=50))
    pair = pairs[0]
    twice = CrystalFeatures(0.0, np.concatenate([pair.discharged.atoms] * 2), pair.discharged.pooled, 20.0)
    doubled = replace(pair, discharged=twice, charged_cells=2, n_ions=2 * pair.n_ions)
    np.testing.assert_allclose(model.corrections([doubled]), model.corrections([pair]), atol=1e-5)
