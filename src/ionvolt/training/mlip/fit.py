"""Training of the networks and the kernels that stand on a universal potential's atom vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.mlip import delta_model, foundation_model, pair_features, trial_features
from ionvolt.models.mlip.atomic_gp import AtomicGP, AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.delta_network import AtomBatch, DeltaNetwork, EndMemberPair, collate_pairs
from ionvolt.models.mlip.trial_features import TrialFeatures
from ionvolt.training.laplacian import LaplacianSettings, feature_weights, fit_laplacian
from ionvolt.training.loop import fit
from ionvolt.training.mlip.network import TrainedNetwork
from ionvolt.training.settings import Settings
from ionvolt.typing import Array, Array32, Indices, MemberCallback


@dataclass(frozen=True)
class CorrectionSettings:
    """How the learners of corrections are trained.

    Attributes:
        networks: Settings of the networks; their seed is set for each.
        unit: V in which the networks measure corrections: their loss is linear from 0.3 of it on.
        kernel: Settings of the kernel on atoms.
    """

    networks: Settings
    unit: float
    kernel: AtomicGPSettings


@dataclass(frozen=True)
class MachineSettings:
    """What shapes the support vectors on whole electrodes; chosen on framework folds 0 to 2 of seed 0.

    Attributes:
        potential: Weight of the mean difference between features of the potential.
        content: Weight of the difference in ions per host atom.
        tables: Weights of the features of host and ion, and the fit.
    """

    potential: float = 0.2
    content: float = 0.1
    tables: LaplacianSettings = field(default_factory=lambda: LaplacianSettings(gamma=0.5, penalty=1.5, tube=0.03))


def train_host_machine(
    trials: Sequence[TrialFeatures], known: Array, target: Array, train: Indices, settings: MachineSettings
) -> LaplacianMachine:
    """Fit the support vectors that add to a part of the trials' voltages on some rows.

    Args:
        trials: Hosts with the ion tried in them, of all rows.
        known: What element tables and geometry say of them, shape (n, len(HOST_AND_ION_FEATURES)).
        target: Labelled voltages, V, shape (n,).
        train: Rows to learn from.
        settings: Shape of the kernel and its fit.
    """
    some = [trials[i] for i in train]
    residual = target[train] - foundation_model.taken_as_it_is(some)
    return _fit_machine(foundation_model.rows_of(some, known[train]), residual, trial_features.importance(), settings)


def train_pair_machine(
    pairs: Sequence[EndMemberPair], known: Array, target: Array, train: Indices, settings: MachineSettings
) -> LaplacianMachine:
    """Fit the support vectors that correct the potential's voltage on some rows.

    Args:
        pairs: Both ends of all rows.
        known: As above.
        target: Labelled voltages, V, shape (n,).
        train: Rows to learn from.
        settings: Shape of the kernel and its fit.
    """
    some = [pairs[i] for i in train]
    residual = target[train] - np.array([pair.physics for pair in some])
    return _fit_machine(delta_model.rows_of(some, known[train]), residual, pair_features.importance(), settings)


def _fit_machine(rows: Array, target: Array, importance: Array32, settings: MachineSettings) -> LaplacianMachine:
    of_potential = settings.potential * importance / len(importance)
    weights = np.concatenate([of_potential, [settings.content], feature_weights(settings.tables)])
    return fit_laplacian(rows, target, settings.tables, weights)


def train_atomic_gp(
    pairs: Sequence[EndMemberPair], target: Array, train: Indices, settings: CorrectionSettings
) -> AtomicGP:
    """Fit the kernel that corrects energies atom by atom on some rows."""
    return fit_atomic_gp([pairs[i] for i in train], target[train], settings.kernel)


def train_delta_network(
    pairs: Sequence[EndMemberPair],
    target: Array,
    train: Indices,
    settings: CorrectionSettings,
    seed: int,
    *,
    folder: Path | None = None,
    progress: MemberCallback | None = None,
) -> DeltaNetwork:
    """Train one network on what the potential's voltages lack.

    Args:
        pairs: All end members, or hosts with trial insertions.
        target: Labelled voltages, V, shape (n,).
        train: Rows to learn from.
        settings: How the networks are trained.
        seed: Seed of the random start and of the order of rows.
        folder: See ``training.loop.fit``.
        progress: Told the seed and the record of every epoch.
    """
    torch.manual_seed(seed)
    atoms = np.concatenate([c.atoms for i in train for c in (pairs[i].discharged, pairs[i].charged)])
    network = TrainedNetwork(atoms.shape[1])
    network.atom_scale.learn(atoms)
    residual = target - np.array([pair.physics for pair in pairs])

    def batch_of(part: Indices) -> AtomBatch:
        return collate_pairs([pairs[i] for i in part])

    fit(
        network, batch_of, residual, train, [], replace(settings.networks, seed=seed),
        scale=(0.0, settings.unit), folder=folder, progress=partial(progress, seed) if progress else None,
    )  # fmt: skip
    return network.answering()
