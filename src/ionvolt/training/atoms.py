"""Training of the networks and the kernel that stand on a universal potential's atom vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.models.atom_networks import (
    IONS,
    AtomBatch,
    HostNetwork,
    Pair,
    PairNetwork,
    collate_hosts,
    collate_pairs,
    ion_descriptors,
)
from ionvolt.models.kernel import IonKernel, KernelSettings, fit_kernel
from ionvolt.models.vectors import ATOM_SIZE, CrystalVectors
from ionvolt.training.loop import Indices, fit
from ionvolt.training.settings import Settings

Vector = NDArray[np.float64]
Tell = Callable[[int, dict[str, float]], None]

HOSTS = Settings(epochs=30, batch_size=64, learning_rate=2e-3, weight_decay=2e-2, loss="l1")
"""Networks on hosts alone. Chosen on two framework folds of seed 0, on which no reported figure rests."""

PAIRS = Settings(epochs=32, batch_size=64, learning_rate=3e-3, weight_decay=1e-2, loss="huber")
"""Networks on both end members; chosen in the same way."""

PAIR_SCALE = 1 / 3
"""V: corrections are measured in this unit, so that the loss is linear from 0.1 V on."""


@dataclass(frozen=True, eq=False)
class HostRows:
    """Electrodes as a host model learns from them.

    Attributes:
        hosts: Vectors of the charged hosts.
        ions: Symbols of the working ions.
        content: Ions that go in per host atom, shape (n,).
        target: V, shape (n,).
    """

    hosts: Sequence[CrystalVectors]
    ions: Sequence[str]
    content: Vector
    target: Vector

    @property
    def ion_numbers(self) -> NDArray[np.int64]:
        """Index of each row's ion in ``IONS``."""
        return np.array([IONS.index(ion) for ion in self.ions], dtype=np.int64)


def train_host_network(
    rows: HostRows, train: Indices, settings: Settings, *, folder: Path | None = None, tell: Tell | None = None
) -> HostNetwork:
    """Train one network on some rows; its random start is ``settings.seed``."""
    torch.manual_seed(settings.seed)
    network = HostNetwork(ion_descriptors())
    network.atom_scale.learn(np.concatenate([rows.hosts[i].atoms[:, :ATOM_SIZE] for i in train]))
    network.pooled_scale.learn(np.stack([rows.hosts[i].pooled for i in train]))
    network.target_mean.fill_(float(rows.target[train].mean()))
    network.target_std.fill_(float(rows.target[train].std()))

    def batch_of(part: Indices) -> AtomBatch:
        return collate_hosts([rows.hosts[i] for i in part], [rows.ions[i] for i in part], rows.content[part])

    fit(network, batch_of, rows.target, train, [], settings, folder=folder, progress=_told(tell, settings))
    return network


def train_kernel(rows: HostRows, train: Indices, settings: KernelSettings) -> IonKernel:
    """Fit the kernel model on some rows."""
    return fit_kernel(
        np.stack([rows.hosts[i].pooled for i in train]),
        rows.ion_numbers[train],
        rows.content[train],
        rows.target[train],
        ion_descriptors()[:, : -len(IONS)],
        settings,
    )


def train_pair_network(
    pairs: Sequence[Pair],
    target: Vector,
    train: Indices,
    settings: Settings,
    *,
    folder: Path | None = None,
    tell: Tell | None = None,
) -> PairNetwork:
    """Train one network on what the potential's voltages lack.

    Args:
        pairs: All end members.
        target: Labelled voltages, V, shape (n,).
        train: Rows to learn from.
        settings: How.
        folder: See ``training.loop.fit``.
        tell: Told the seed and the record of every epoch.
    """
    torch.manual_seed(settings.seed)
    network = PairNetwork()
    network.atom_scale.learn(np.concatenate([c.atoms for i in train for c in (pairs[i].discharged, pairs[i].charged)]))
    lacking = target - np.array([pair.physics for pair in pairs])

    def batch_of(part: Indices) -> AtomBatch:
        return collate_pairs([pairs[i] for i in part])

    fit(
        network, batch_of, lacking, train, [], settings,
        scale=(0.0, PAIR_SCALE), folder=folder, progress=_told(tell, settings),
    )  # fmt: skip
    return network


def members(settings: Settings, count: int) -> list[Settings]:
    """Settings of members that differ in their seed."""
    return [replace(settings, seed=settings.seed + m) for m in range(count)]


def _told(tell: Tell | None, settings: Settings) -> Callable[[dict[str, float]], None] | None:
    return None if tell is None else lambda record: tell(settings.seed, record)
