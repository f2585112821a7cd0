"""The crystal graph convolutional network of the paper (after Xie & Grossman, PRL 120, 145301 (2018)).

It stands in two parts, because transfer learning trains one and keeps the other: the trunk (element embedding and
convolutions, pooled to one vector a crystal) and the head (the two fully connected layers and the target's scale).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.graphs import GraphBatch
from ionvolt.graphs.elements import element_vectors
from ionvolt.models.cgcnn.architecture import N_CONVOLUTIONS, N_FEATURES, N_HIDDEN
from ionvolt.models.cgcnn.convolution import GraphConvolution


class Trunk(nn.Module):
    """Element embedding, convolutions and mean pooling: a crystal graph in, a vector of ``N_FEATURES`` out."""

    element_table: Tensor

    def __init__(self) -> None:
        super().__init__()
        table = torch.tensor(element_vectors())
        self.register_buffer("element_table", table, persistent=False)
        self.embedding = nn.Linear(table.shape[1], N_FEATURES)
        self.convolutions = nn.ModuleList(GraphConvolution(N_FEATURES) for _ in range(N_CONVOLUTIONS))

    def embed_elements(self) -> Tensor:
        """The learned vector of every element, shape (n_elements + 1, N_FEATURES); row = atomic number."""
        embedded: Tensor = self.embedding(self.element_table)
        return embedded

    def atom_vectors(self, batch: GraphBatch, shifts: Tensor | None = None) -> Tensor:
        """The vectors v^(3) of the atoms after the last convolution, shape (N, N_FEATURES).

        ``shifts``, of that shape too, are added to the atoms' vectors before the first.
        """
        device = self.embedding.weight.device
        neighbours = torch.from_numpy(batch.neighbours).to(device)
        distances = torch.from_numpy(batch.distances).to(device)
        atoms = self.embed_elements()[torch.from_numpy(batch.numbers).to(device)]
        if shifts is not None:
            atoms = atoms + shifts
        for convolution in self.convolutions:
            atoms = convolution(atoms, neighbours, distances)
        return atoms

    def forward(self, batch: GraphBatch) -> Tensor:
        """The mean of the crystal's atom vectors, shape (B, N_FEATURES)."""
        return pool(self.atom_vectors(batch), batch)


class Head(nn.Module):
    """Softplus, hidden layer, softplus, output layer, and back to volts with the target's mean and deviation."""

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, target_mean: float = 0.0, target_std: float = 1.0) -> None:
        super().__init__()
        self.hidden = nn.Linear(N_FEATURES, N_HIDDEN)
        self.output = nn.Linear(N_HIDDEN, 1)
        self.register_buffer("target_mean", torch.tensor(float(target_mean)))
        self.register_buffer("target_std", torch.tensor(float(target_std)))

    def forward(self, pooled: Tensor) -> Tensor:
        """Voltages in V, shape (B,), of pooled vectors, shape (B, N_FEATURES)."""
        hidden = functional.softplus(self.hidden(functional.softplus(pooled)))
        voltage: Tensor = self.output(hidden).squeeze(-1) * self.target_std + self.target_mean
        return voltage


class CGCNN(nn.Module):
    """A trunk with one head: a crystal graph in, a voltage in V out."""

    def __init__(self, trunk: Trunk | None = None, head: Head | None = None) -> None:
        super().__init__()
        self.trunk = trunk or Trunk()
        self.head = head or Head()

    def forward(self, batch: GraphBatch) -> Tensor:
        """Voltages in V, shape (B,)."""
        voltage: Tensor = self.head(self.trunk(batch))
        return voltage


def pool(atoms: Tensor, batch: GraphBatch) -> Tensor:
    """Mean over the atoms of each crystal: (N, F) to (B, F)."""
    index = torch.from_numpy(batch.crystal_index).to(atoms.device)
    n_atoms = torch.from_numpy(batch.n_atoms).to(atoms.device, atoms.dtype)
    return torch.zeros(len(batch), atoms.shape[1], dtype=atoms.dtype).index_add(0, index, atoms) / n_atoms[:, None]
