"""Ensembles: trained from scratch, transferred to another ion with frozen convolutions, or fine-tuned as a whole."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ionvolt.graphs import CrystalGraph, GraphBatch, collate, iterate_batches
from ionvolt.models.cgcnn.network import CGCNN, Head, Trunk
from ionvolt.training.loop import History, fit
from ionvolt.training.settings import Settings
from ionvolt.typing import Indices, MemberCallback


def train_ensemble(
    graphs: Sequence[CrystalGraph],
    targets: NDArray[np.float64],
    parts: Sequence[tuple[Indices, Indices]],
    settings: Settings,
    *,
    initial: Sequence[CGCNN] | None = None,
    folder: Path | None = None,
    jobs: int = 1,
    progress: MemberCallback | None = None,
) -> tuple[list[CGCNN], list[History]]:
    """Train one network for each (training rows, validation rows) pair.

    Member m starts from its own random weights (seed ``settings.seed + m``), or goes on from ``initial[m]``, whose
    target scale is replaced by that of its training part. Members run in ``jobs`` threads (the compiled passes let
    go of the interpreter); the result does not depend on how many.

    Args:
        graphs: One for each row.
        targets: Voltages in V, shape (n_rows,).
        parts: Training and validation rows of each member.
        settings: How; ``trainable`` and ``batch_norm`` decide what is frozen.
        initial: Networks to go on from; they are copied, not changed.
        folder: Each member's checkpoint and log go to ``folder/member-<m>``; finished members are not repeated.
        jobs: Members trained at the same time.
        progress: Called with the member and its record after every epoch.

    Returns:
        The networks at their best validation epochs, and their histories.
    """
    networks = [copy.deepcopy(initial[m]) if initial else new_network(settings.seed + m) for m in range(len(parts))]

    def batch_of(_: int, rows: Indices) -> GraphBatch:
        return collate([graphs[row] for row in rows])

    heads = [network.head for network in networks]
    histories = _fit_members(networks, heads, batch_of, targets, parts, settings, folder, jobs, progress)
    return networks, histories


def transfer_heads(
    networks: Sequence[CGCNN],
    graphs: Sequence[CrystalGraph],
    targets: NDArray[np.float64],
    parts: Sequence[tuple[Indices, Indices]],
    settings: Settings,
    *,
    pooled: Sequence[torch.Tensor] | None = None,
    folder: Path | None = None,
    jobs: int = 1,
    progress: MemberCallback | None = None,
) -> tuple[list[Head], list[History]]:
    """Layer-freezing transfer: embedding and convolutions stay, the two fully connected layers are trained.

    The frozen part, batch norm included, runs once for each crystal; the heads learn from its pooled vectors.

    Args:
        networks: The pre-trained networks, which are not changed; their heads are the starting point.
        graphs: One for each row.
        targets: Voltages in V against the new ion, shape (n_rows,).
        parts: Training and validation rows of each member.
        settings: How the heads are trained.
        pooled: Each trunk's pooled vectors of the rows, where they are known already.
        folder: For checkpoints and logs, see ``train_ensemble``.
        jobs: Members trained at the same time.
        progress: Called with the member and its record after every epoch.

    Returns:
        The trained heads and their histories.
    """
    vectors = list(pooled) if pooled else [pooled_vectors(network.trunk, graphs) for network in networks]
    heads = [copy.deepcopy(network.head) for network in networks]

    for head in heads:
        head.requires_grad_(True)

    def batch_of(m: int, rows: Indices) -> torch.Tensor:
        return vectors[m][rows]

    return heads, _fit_members(heads, heads, batch_of, targets, parts, settings, folder, jobs, progress)


def pooled_vectors(trunk: Trunk, graphs: Sequence[CrystalGraph]) -> torch.Tensor:
    """What a frozen trunk makes of every crystal, shape (n_crystals, N_FEATURES)."""
    trunk.eval()
    with torch.no_grad():
        return torch.cat([trunk(batch) for _, batch in iterate_batches(graphs)])


def new_network(seed: int) -> CGCNN:
    """A network with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CGCNN()


def set_scale(head: Head, targets: NDArray[np.float64]) -> None:
    """Give a head the mean and deviation (V) of its training targets."""
    head.target_mean.fill_(float(targets.mean()))
    head.target_std.fill_(float(targets.std()) or 1.0)


def _fit_members(
    modules: Sequence[nn.Module],
    heads: Sequence[Head],
    batch_of: Callable[[int, Indices], GraphBatch | torch.Tensor],
    targets: NDArray[np.float64],
    parts: Sequence[tuple[Indices, Indices]],
    settings: Settings,
    folder: Path | None,
    jobs: int,
    progress: MemberCallback | None,
) -> list[History]:
    """Fit every member on its part, ``jobs`` at a time, each with its own seed, folder and progress."""

    def run(m: int) -> History:
        train, validation = parts[m]
        set_scale(heads[m], targets[train])
        return fit(
            modules[m],
            lambda rows: batch_of(m, rows),
            targets,
            train,
            validation,
            replace(settings, seed=settings.seed + m),
            folder=folder / f"member-{m}" if folder else None,
            progress=(lambda record: progress(m, record)) if progress else None,
        )

    # One thread a network: sums in several threads depend on how many there are.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(max(1, jobs)) as pool:
            return list(pool.map(run, range(len(parts))))
    finally:
        torch.set_num_threads(threads)
