"""A kernel regression of voltage corrections in which every atom has an energy of its own.

The correction of an atom's energy is a Gaussian process over atom vectors; a voltage is a weighted sum of such
energies, so that labels of electrodes teach energies of atoms, in closed form. The Gaussian kernel is drawn as random
Fourier features (Rahimi & Recht, NeurIPS 2007), by which a crystal costs no more than its atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.models.mlip.delta_network import IONS, EndMemberPair, collate_pairs, sum_rows
from ionvolt.models.tensors import Arrays
from ionvolt.typing import Array, Array32

CLIP = 6.0
BATCH_SIZE = 64


@dataclass(frozen=True)
class AtomicGPSettings:
    """What shapes the kernel.

    Attributes:
        width: Width of the Gaussian, in root mean square differences of standardised atom vectors.
        n_features: Random features.
        ridge: Noise, in units of the mean variance of the energies' part.
        ion: Variance of a shift for each ion, in the same units.
        common: Variance of a shift for all ions.
        robust: V; residuals beyond this one count by their size, not by its square.
        rounds: Rounds of reweighting, by which that is brought about.
        seed: Seed of the random features.
    """

    width: float = 1.0
    n_features: int = 4000
    ridge: float = 0.03
    ion: float = 0.3
    common: float = 0.1
    robust: float = 0.15
    rounds: int = 4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class AtomicGP:
    """A fitted kernel.

    Attributes:
        mean: Mean of each number of an atom, shape (size,): ``ATOM_SIZE`` or ``WIDE_SIZE``.
        scale: Deviation of each.
        directions: Shape (size, n_features).
        phases: Shape (n_features,).
        weights: eV for each feature, shape (n_features,).
        shifts: V for each ion, shape (n_ions,).
    """

    mean: Array32
    scale: Array32
    directions: Array32
    phases: Array32
    weights: Array32
    shifts: Array32

    def corrections(self, pairs: Sequence[EndMemberPair]) -> Array:
        """What the voltage of the potential lacks, in V, shape (n_pairs,)."""
        ions = np.array([IONS.index(pair.ion) for pair in pairs])
        sums = pair_features(pairs, self.mean, self.scale, self.directions, self.phases)
        corrections: Array = (sums @ self.weights + self.shifts[ions]).astype(np.float64)
        return corrections

    def atom_energies(self, atoms: Array32) -> Array:
        """Corrections of the energies of atoms in eV, shape (N,), from their vectors, shape (N, size)."""
        features = atom_features(atoms, self.mean, self.scale, self.directions, self.phases)
        energies: Array = (features @ self.weights).astype(np.float64)
        return energies

    def arrays(self) -> Arrays:
        """All that is stored, by name."""
        return {f"atom_kernel.{name}": getattr(self, name) for name in self.__dataclass_fields__} | {
            "atom_kernel.directions": self.directions.astype(np.float16)
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> AtomicGP:
        """What stored arrays say."""
        return cls(*(arrays[f"atom_kernel.{name}"].astype(np.float32) for name in cls.__dataclass_fields__))


def atom_features(atoms: Array32, mean: Array32, scale: Array32, directions: Array32, phases: Array32) -> Array32:
    """Random features of atoms, shape (N, n_features)."""
    standardised = np.clip((atoms - mean) / scale, -CLIP, CLIP)
    features: Array32 = np.cos(standardised @ directions + phases) * np.float32(np.sqrt(2 / len(phases)))
    return features


def pair_features(
    pairs: Sequence[EndMemberPair], mean: Array32, scale: Array32, directions: Array32, phases: Array32
) -> Array32:
    """Random features of the atoms, added up as their energies enter the voltage, shape (n_pairs, n_features)."""
    parts = []
    for start in range(0, len(pairs), BATCH_SIZE):
        batch = collate_pairs(pairs[start : start + BATCH_SIZE])
        features = atom_features(batch.atoms, mean, scale, directions, phases)
        parts.append(sum_rows(features, batch.weight, batch.graph_index, len(batch.ion)))
    return np.concatenate(parts)


def fit_atomic_gp(pairs: Sequence[EndMemberPair], target: Array, settings: AtomicGPSettings) -> AtomicGP:
    """Fit on training pairs.

    Args:
        pairs: Both end members.
        target: Labelled voltages, V, shape (n,).
        settings: Settings of the kernel.
    """
    rng = np.random.default_rng(settings.seed)
    atoms = np.concatenate([crystal.atoms for pair in pairs for crystal in (pair.discharged, pair.charged)])
    mean, scale = atoms.mean(0), atoms.std(0) + np.float32(1e-6)
    size = atoms.shape[1]
    length = settings.width * np.sqrt(size)
    # Rounded as they will be stored, so that the loaded model is the one that was fitted.
    directions = (rng.normal(size=(size, settings.n_features)) / length).astype(np.float16).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, settings.n_features).astype(np.float32)
    sums = pair_features(pairs, mean, scale, directions, phases)
    ions = np.array([IONS.index(pair.ion) for pair in pairs])
    residual = target - np.array([pair.physics for pair in pairs])
    energies = (sums @ sums.T).astype(np.float64)
    unit = float(np.trace(energies)) / len(pairs)
    kernel = energies / unit + settings.ion * (ions[:, None] == ions[None]) + settings.common
    importance = np.ones(len(pairs))
    dual = np.zeros(len(pairs))
    for _ in range(settings.rounds):
        dual = np.linalg.solve(kernel + settings.ridge * np.diag(1 / importance), residual)
        importance = settings.robust / np.maximum(np.abs(residual - kernel @ dual), settings.robust)
    shifts = settings.ion * np.bincount(ions, dual, minlength=len(IONS)) + settings.common * dual.sum()
    weights = (sums.T @ dual.astype(np.float32)) / np.float32(unit)
    return AtomicGP(mean, scale, directions, phases, weights.astype(np.float32), shifts.astype(np.float32))
