"""One crystal graph network for all working ions: the convolutions see the ion too.

The paper trains one network for each ion. Here the ion's descriptors shift every atom's first vector, so that what an
environment means may hang on the ion, and they join the pooled vector before the last layers. Which atoms count in the
mean over the crystal is learned, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.graphs import CrystalGraph, GraphBatch, collate
from ionvolt.models.cgcnn.architecture import N_FEATURES, N_HIDDEN
from ionvolt.models.cgcnn.network import Trunk, pool
from ionvolt.models.mlip.delta_network import IONS, ion_descriptors

CLIP = 8.0
"""Logarithms of an atom's share lie between this and its negative: an odd crystal must not overflow."""


@dataclass(frozen=True, eq=False)
class IonGraphBatch:
    """B hosts and the ion that each is to take up.

    Attributes:
        graphs: The hosts.
        ion: Index of each one's working ion in ``IONS``, shape (B,), int64.
    """

    graphs: GraphBatch
    ion: Tensor

    def arrays(self) -> list[NDArray[np.generic]]:
        """The contents by which a run recognises its data."""
        return [*self.graphs.arrays(), self.ion.numpy()]


def collate_for_ions(graphs: Sequence[CrystalGraph], ions: Sequence[str]) -> IonGraphBatch:
    """A batch of hosts, each with the symbol of its ion."""
    return IonGraphBatch(collate(graphs), torch.tensor([IONS.index(ion) for ion in ions]))


class JointNetwork(nn.Module):
    """Host and ion in, voltage in V out."""

    ion_table: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        table = torch.from_numpy(ion_descriptors())
        self.register_buffer("ion_table", table, persistent=False)
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_std", torch.tensor(1.0))
        self.trunk = Trunk()
        self.shift = nn.Linear(table.shape[1], N_FEATURES)
        self.attention = nn.Linear(N_FEATURES, 1)
        nn.init.zeros_(self.attention.weight)  # at first all atoms count alike
        self.hidden = nn.Linear(N_FEATURES + table.shape[1], N_HIDDEN)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(N_HIDDEN, 1)

    def forward(self, batch: IonGraphBatch) -> Tensor:
        """Voltages in V, shape (B,)."""
        ion = self.ion_table[batch.ion]
        shifts = self.shift(ion)[torch.from_numpy(batch.graphs.crystal_index)]
        atoms = self.trunk.atom_vectors(batch.graphs, shifts)
        share = torch.exp(self.attention(atoms).clamp(-CLIP, CLIP))
        pooled = pool(atoms * share, batch.graphs) / pool(share, batch.graphs)
        hidden = functional.softplus(self.hidden(torch.cat([functional.softplus(pooled), ion], 1)))
        voltage: Tensor = self.output(self.dropout(hidden)).squeeze(1) * self.target_std + self.target_mean
        return voltage
