"""Pre-training of a crystal graph network without voltages: it learns what a universal potential says of every atom.

Atom vectors of the potential stand for much that a voltage hangs on (energies, moments, surroundings), and any
structure serves as an example, with or without a label. The convolutions learned so are then trained on voltages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ionvolt.graphs import CrystalGraph, GraphBatch, collate
from ionvolt.models.cgcnn.architecture import N_FEATURES
from ionvolt.models.cgcnn.network import Trunk, pool
from ionvolt.training.loop import fit
from ionvolt.training.settings import Settings
from ionvolt.training.standardise import Standardise
from ionvolt.typing import EpochCallback, Indices

DISTILLATION = Settings(epochs=15, batch_size=64, learning_rate=5e-3, weight_decay=1e-2, loss="l1")
"""The loss is the mean over crystals of their mean squared error: ``l1`` of what the network gives, from zero."""


@dataclass(frozen=True, eq=False)
class DistillationBatch:
    """B crystals, N atoms in all, and what is to be learned of each atom.

    Attributes:
        graphs: The crystals.
        vectors: Shape (N, size), float32.
    """

    graphs: GraphBatch
    vectors: Tensor

    def arrays(self) -> list[NDArray[np.generic]]:
        """The contents by which a run recognises its data."""
        return [*self.graphs.arrays(), self.vectors.numpy()]


class FeatureDistiller(nn.Module):
    """A trunk and a linear layer from its atom vectors to those of the potential."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.scale = Standardise(size)
        self.output = nn.Linear(N_FEATURES, size)

    def forward(self, batch: DistillationBatch) -> Tensor:
        """Mean squared error of each crystal, in variances of the vectors, shape (B,)."""
        errors = self.output(self.trunk.atom_vectors(batch.graphs)) - self.scale(batch.vectors)
        of_atoms = errors.square().mean(1, keepdim=True)
        return pool(of_atoms, batch.graphs).squeeze(1)


def distil(
    graphs: Sequence[CrystalGraph],
    vectors: Sequence[NDArray[np.float32]],
    settings: Settings = DISTILLATION,
    *,
    progress: EpochCallback | None = None,
) -> Trunk:
    """Train a trunk to tell a potential's atom vectors; its random start is ``settings.seed``.

    Args:
        graphs: Crystals.
        vectors: Vectors of the atoms of each, shape (n_atoms, size).
        settings: How the network is trained.
        progress: Told the record of every epoch; ``loss`` is the share of the vectors' variance not yet told.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = FeatureDistiller(vectors[0].shape[1])
        network.scale.learn(np.concatenate(list(vectors)))

        def batch_of(rows: Indices) -> DistillationBatch:
            taught = torch.from_numpy(np.concatenate([vectors[i] for i in rows]))
            return DistillationBatch(collate([graphs[i] for i in rows]), taught)

        nothing, every = np.zeros(len(graphs)), np.arange(len(graphs))
        fit(network, batch_of, nothing, every, [], settings, scale=(0.0, 1.0), progress=progress)
    return network.trunk
