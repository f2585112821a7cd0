"""One training epoch of the reference and of IonVolt: same batches, same loss, same optimiser."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

import reference
from ionvolt.graphs import CrystalGraph, collate
from ionvolt.models.cgcnn.network import CGCNN

BATCH = 64
Item = tuple[reference.Sample, float]


def batches_of(rows: Sequence[int]) -> list[list[int]]:
    """The rows in batches of 64, the last one smaller."""
    return [list(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]


def optimiser_of(network: nn.Module) -> torch.optim.Optimizer:
    """The paper's: SGD with momentum."""
    return torch.optim.SGD((p for p in network.parameters() if p.requires_grad), lr=0.01, momentum=0.9)


def collate_items(items: Sequence[Item]) -> tuple[reference.Batch, Tensor]:
    """Featurised crystals and their targets side by side."""
    return reference.collate([sample for sample, _ in items]), torch.tensor([target for _, target in items])


def reference_epoch(
    network: reference.Network, optimiser: torch.optim.Optimizer, data: Dataset[Item], batches: list[list[int]]
) -> float:
    """Forward, backward and a step for every batch; the mean loss."""
    network.train()
    total = 0.0
    for batch, targets in DataLoader(data, batch_sampler=batches, collate_fn=collate_items):
        loss = functional.mse_loss(network(batch), (targets - network.mean) / network.std)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += float(loss.detach()) * len(targets)
    return total / sum(map(len, batches))


@torch.no_grad()
def reference_validation(network: reference.Network, data: Dataset[Item], batches: list[list[int]]) -> float:
    """Mean absolute error in V."""
    network.eval()
    loader = DataLoader(data, batch_sampler=batches, collate_fn=collate_items)
    errors = [(network.voltages(batch) - targets).abs() for batch, targets in loader]
    return float(torch.cat(errors).mean())


def our_epoch(
    network: CGCNN,
    optimiser: torch.optim.Optimizer,
    graphs: Sequence[CrystalGraph],
    targets: NDArray[np.float64],
    batches: list[list[int]],
) -> float:
    """The same with IonVolt."""
    network.train()
    std = network.head.target_std
    values = torch.from_numpy(targets).float()
    total = 0.0
    for rows in batches:
        predicted = network(collate([graphs[row] for row in rows]))
        loss = functional.mse_loss(predicted / std, values[rows] / std)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += float(loss.detach()) * len(rows)
    return total / sum(map(len, batches))
