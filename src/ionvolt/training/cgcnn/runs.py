"""From a data set to trained networks: what ``ionvolt train`` and ``ionvolt transfer`` do before the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ionvolt.datasets import (
    ElectrodeSet,
    Split,
    excluding_frameworks,
    framework_split,
    random_split,
    validation_folds,
)
from ionvolt.datasets.splits import Kind
from ionvolt.errors import DataError
from ionvolt.graphs import CrystalGraph, build_graph
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.training.cgcnn.networks import train_ensemble, transfer_heads
from ionvolt.training.loop import History
from ionvolt.training.settings import Settings
from ionvolt.typing import Indices, MemberCallback

Mode = Literal["scratch", "head", "all"]


@dataclass(frozen=True)
class EnsembleParts:
    """Rows of one ion, ready to train an ensemble.

    Attributes:
        rows: The ion's electrodes.
        split: Training, validation and test rows (numbers within ``rows``).
        members: Training and validation rows of each ensemble member: all share the test part, each has its own
            validation part.
    """

    rows: ElectrodeSet
    split: Split
    members: list[tuple[Indices, Indices]]


def split_for_ion(data: ElectrodeSet, ion: str, kind: Kind, seed: int) -> tuple[ElectrodeSet, Split]:
    """The ion's rows and their split; a framework split is made over all ions, so that it is one for all of them."""
    of_ion = np.flatnonzero(data.ions == ion)
    rows = data[of_ion]
    if kind == "random":
        return rows, random_split(rows, seed)
    whole = framework_split(data, seed)
    train, validation, test = (
        np.flatnonzero(np.isin(of_ion, part)) for part in (whole.train, whole.validation, whole.test)
    )
    return rows, replace(whole, train=train, validation=validation, test=test)


def frameworks_of_tests(data: ElectrodeSet, ions: Sequence[str], kind: Kind, seed: int) -> set[str]:
    """Frameworks of the test parts of some ions: what a pre-training must not see."""
    found: set[str] = set()
    for ion in ions:
        rows, split = split_for_ion(data, ion, kind, seed)
        found |= set(rows.frameworks[split.test])
    return found


def prepare(
    data: ElectrodeSet,
    ion: str,
    *,
    kind: Kind = "random",
    seed: int = 0,
    n_members: int = 1,
    forbidden: set[str] | None = None,
    keep_test: bool = True,
) -> EnsembleParts:
    """Split the rows of an ion and deal out validation parts to the members.

    Args:
        data: All electrodes (of all ions, for a framework split and for ``forbidden`` to mean anything).
        ion: Working ion.
        kind: ``random`` or ``framework``.
        seed: Seed of the split.
        n_members: Members of the ensemble.
        forbidden: Frameworks that may not be trained on.
        keep_test: False gives the test part to training as well: for a final model, whose error is known from
            other splits.

    Raises:
        DataError: Too few electrodes of that ion.
    """
    rows, split = split_for_ion(data, ion, kind, seed)
    pool = np.concatenate([split.train, split.validation])
    if not keep_test:
        pool = np.concatenate([pool, split.test])
        split = replace(split, test=np.empty(0, dtype=np.int64))
    if forbidden:
        pool = excluding_frameworks(rows, pool, forbidden)
    if len(pool) < 10:
        raise DataError(f"{ion}: only {len(pool)} electrodes to train on. At least 10 are needed")
    members = validation_folds(rows, np.sort(pool), n_members, kind=kind, seed=seed)
    return EnsembleParts(rows, split, members)


def run(
    parts: EnsembleParts,
    settings: Settings,
    *,
    mode: Mode = "scratch",
    base: Sequence[CGCNN] | None = None,
    graphs: Sequence[CrystalGraph] | None = None,
    folder: Path | None = None,
    jobs: int = 1,
    progress: MemberCallback | None = None,
) -> tuple[list[CGCNN], list[History]]:
    """Train the members on their parts.

    ``scratch`` starts from random weights; ``head`` keeps the trunks of ``base`` and trains the heads (batch norm
    frozen unless the settings say ``train``: the authors' drift); ``all`` fine-tunes everything.
    """
    graphs = graphs or [build_graph(host) for host in parts.rows.hosts]
    targets = parts.rows.voltages
    if mode == "head" and settings.batch_norm == "frozen":
        assert base is not None
        heads, histories = transfer_heads(
            base, graphs, targets, parts.members, settings, folder=folder, jobs=jobs, progress=progress
        )
        return [CGCNN(network.trunk, head) for network, head in zip(base, heads, strict=True)], histories
    return train_ensemble(
        graphs,
        targets,
        parts.members,
        settings,
        initial=None if mode == "scratch" else base,
        folder=folder,
        jobs=jobs,
        progress=progress,
    )
