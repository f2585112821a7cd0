"""Training of the networks and the kernel that stand on a universal potential's atom vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ionvolt.models.mlip import pair_features
from ionvolt.models.mlip.atomic_gp import AtomicGP, AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.crystal_krr import CrystalIonKRR, KRRSettings, fit_kernel
from ionvolt.models.mlip.delta_network import (
    IONS,
    AtomBatch,
    DeltaNetwork,
    EndMemberPair,
    collate_pairs,
    ion_descriptors,
)
from ionvolt.models.mlip.trial_features import TrialFeatures, importance
from ionvolt.training.loop import fit
from ionvolt.training.mlip.network import TrainedNetwork
from ionvolt.training.settings import Settings
from ionvolt.typing import Array, Indices, MemberCallback


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


def train_host_krr(
    trials: Sequence[TrialFeatures], target: Array, train: Indices, settings: KRRSettings
) -> CrystalIonKRR:
    """Fit the kernel on crystals of hosts on some rows; how many ions go in stands in the trials."""
    some = [trials[i] for i in train]
    return fit_kernel(
        np.stack([trial.features for trial in some]),
        np.array([IONS.index(trial.pair.ion) for trial in some], dtype=np.int64),
        np.zeros(len(some)),
        target[train],
        ion_descriptors()[:, : -len(IONS)],
        settings,
        importance(),
    )


def train_pair_krr(
    pairs: Sequence[EndMemberPair], target: Array, train: Indices, settings: KRRSettings
) -> CrystalIonKRR:
    """Fit the kernel on crystals that corrects the potential's voltage on some rows."""
    some = [pairs[i] for i in train]
    return fit_kernel(
        pair_features.pair_features(some),
        np.array([IONS.index(pair.ion) for pair in some], dtype=np.int64),
        pair_features.ion_contents(some),
        target[train] - np.array([pair.physics for pair in some]),
        ion_descriptors()[:, : -len(IONS)],
        settings,
        pair_features.importance(),
    )


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
    network = TrainedNetwork()
    network.atom_scale.learn(atoms)
    residual = target - np.array([pair.physics for pair in pairs])

    def batch_of(part: Indices) -> AtomBatch:
        return collate_pairs([pairs[i] for i in part])

    fit(
        network, batch_of, residual, train, [], replace(settings.networks, seed=seed),
        scale=(0.0, settings.unit), folder=folder, progress=partial(progress, seed) if progress else None,
    )  # fmt: skip
    return network.answering()
