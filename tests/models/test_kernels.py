from dataclasses import replace

import numpy as np
import pytest

from ionvolt.ions import remove_ion
from ionvolt.models.differences import mean_differences
from ionvolt.models.mlip import delta_model
from ionvolt.models.mlip.atomic_gp import AtomicGP, AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.crystal_machine import known_of, row_size
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import ATOM_SIZE, POOLED_SIZE, CrystalFeatures
from ionvolt.models.mlip.pair_features import SIZE
from ionvolt.structures.crystal import Crystal
from ionvolt.training.laplacian import element_data
from ionvolt.training.mlip.fit import train_pair_machine
from models.small import DISCHARGED, EXACT, LI, VOLTAGES, pairs

RNG = np.random.default_rng(0)


def test_distances_are_mean_absolute_differences() -> None:
    a, b = RNG.normal(size=(4, 7)).astype(np.float32), RNG.normal(size=(3, 7)).astype(np.float32)
    expected = [[np.abs(x - y).mean() for y in b] for x in a]
    np.testing.assert_allclose(mean_differences(a, b), expected, rtol=1e-6)


def test_the_content_of_ions_and_the_tables_count_beside_the_potential() -> None:
    known = known_of([remove_ion(d, LI) for d in DISCHARGED], ["Li"] * 4, element_data())
    machine = train_pair_machine(pairs(), known, VOLTAGES, np.arange(4), EXACT)
    physics = np.array([pair.physics for pair in pairs()])
    rows = delta_model.rows_of(pairs(), known)
    assert rows.shape == (4, row_size(SIZE)) == (4, machine.n_features)
    assert physics + machine.predict(rows) == pytest.approx(VOLTAGES, abs=0.03), "training rows are kept in bytes"
    fewer = delta_model.rows_of([replace(pair, n_ions=2 * pair.n_ions) for pair in pairs()], known)
    assert (np.abs(fewer - rows) > 0).sum() == 4
    assert fewer[:, SIZE] == pytest.approx(2 * rows[:, SIZE])
    other = delta_model.rows_of(pairs(), known[::-1])
    assert np.abs(machine.predict(other) - machine.predict(rows)).max() > 0.05


def test_what_is_known_of_a_supercell_is_that_of_its_cell() -> None:
    host = remove_ion(DISCHARGED[0], LI)
    double = Crystal.from_pymatgen(host.to_pymatgen().make_supercell((2, 1, 1)))
    one, two = known_of([host, double], ["Li", "Li"], element_data())
    assert two == pytest.approx(one, rel=1e-6, abs=1e-6)


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
