"""The published recipe of the voltage network, written plainly from its description: what IonVolt is measured against.

pymatgen reads the CIF and lists the neighbours, Python sorts them, numpy expands the distances, and the network
builds every edge's concatenation [v_i, v_j, u_ij] before one linear layer. Nothing here is slower than the
recipe asks for, and nothing is faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from pymatgen.core.structure import Structure
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset

from ionvolt.graphs.elements import element_vectors
from ionvolt.models.cgcnn.network import CGCNN

RADIUS, N_NEIGHBOURS, STEP = 8.0, 12, 0.2
N_ATOM, N_EDGE, N_HIDDEN = 64, 41, 128


@dataclass(frozen=True)
class Sample:
    """One featurised crystal of n atoms: elements (n, 92), edges (n, 12, 41), neighbours (n, 12)."""

    elements: Tensor
    edges: Tensor
    neighbours: Tensor


@dataclass(frozen=True)
class Batch:
    """Crystals side by side; ``crystals`` lists the atoms of each."""

    elements: Tensor
    edges: Tensor
    neighbours: Tensor
    crystals: list[Tensor]


def read(text: str) -> Structure:
    """The structure of a CIF."""
    return Structure.from_str(text, fmt="cif")


def featurise(structure: Structure) -> Sample:
    """The twelve nearest neighbours of every atom within 8 Å, distances expanded in 41 Gaussians."""
    table = element_vectors()
    elements = np.vstack([table[site.specie.number] for site in structure])
    indices, distances = [], []
    for found in structure.get_all_neighbors(RADIUS):
        nearest = sorted(found, key=lambda neighbour: neighbour.nn_distance)[:N_NEIGHBOURS]
        missing = N_NEIGHBOURS - len(nearest)
        indices.append([neighbour.index for neighbour in nearest] + [0] * missing)
        distances.append([neighbour.nn_distance for neighbour in nearest] + [RADIUS + 1.0] * missing)
    centres = np.arange(0.0, RADIUS + STEP / 2, STEP)
    edges = np.exp(-((np.array(distances)[..., np.newaxis] - centres) ** 2) / STEP**2)
    return Sample(torch.Tensor(elements), torch.Tensor(edges), torch.LongTensor(indices))


class Crystals(Dataset[tuple[Sample, float]]):
    """CIF texts with targets; what was featurised once is kept."""

    def __init__(self, texts: Sequence[str], targets: Sequence[float]) -> None:
        self.texts, self.targets = texts, targets

    def __len__(self) -> int:
        return len(self.texts)

    @cache  # noqa: B019 - the cache is the recipe's own
    def __getitem__(self, index: int) -> tuple[Sample, float]:
        return featurise(read(self.texts[index])), float(self.targets[index])


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples side by side, neighbour indices shifted to their atoms' places."""
    elements, edges, neighbours, crystals = [], [], [], list[Tensor]()
    base = 0
    for sample in samples:
        n = sample.elements.shape[0]
        elements.append(sample.elements)
        edges.append(sample.edges)
        neighbours.append(sample.neighbours + base)
        crystals.append(torch.LongTensor(np.arange(n) + base))
        base += n
    return Batch(torch.cat(elements), torch.cat(edges), torch.cat(neighbours), crystals)


class Convolution(nn.Module):
    """Concatenate, one linear layer, batch norm, gate times core, sum, batch norm, add, softplus."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * N_ATOM + N_EDGE, 2 * N_ATOM)
        self.edge_norm = nn.BatchNorm1d(2 * N_ATOM)
        self.atom_norm = nn.BatchNorm1d(N_ATOM)

    def forward(self, atoms: Tensor, edges: Tensor, neighbours: Tensor) -> Tensor:
        """New atom vectors, shape (N, 64)."""
        n, k = neighbours.shape
        joined = torch.cat([atoms.unsqueeze(1).expand(n, k, N_ATOM), atoms[neighbours], edges], dim=2)
        z = self.linear(joined)
        z = self.edge_norm(z.view(n * k, 2 * N_ATOM)).view(n, k, 2 * N_ATOM)
        gate, core = z.chunk(2, dim=2)
        summed = (torch.sigmoid(gate) * functional.softplus(core)).sum(dim=1)
        return functional.softplus(atoms + self.atom_norm(summed))


class Network(nn.Module):
    """Embedding, three convolutions, mean of each crystal's atoms, two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(92, N_ATOM)
        self.convolutions = nn.ModuleList(Convolution() for _ in range(3))
        self.hidden = nn.Linear(N_ATOM, N_HIDDEN)
        self.output = nn.Linear(N_HIDDEN, 1)
        self.mean, self.std = 0.0, 1.0

    def forward(self, batch: Batch) -> Tensor:
        """The normalised target of each crystal, shape (B,)."""
        atoms = self.embedding(batch.elements)
        for convolution in self.convolutions:
            atoms = convolution(atoms, batch.edges, batch.neighbours)
        pooled = torch.cat([atoms[crystal].mean(dim=0, keepdim=True) for crystal in batch.crystals])
        hidden = functional.softplus(self.hidden(functional.softplus(pooled)))
        answer: Tensor = self.output(hidden).squeeze(-1)
        return answer

    def voltages(self, batch: Batch) -> Tensor:
        """Voltages in V, shape (B,)."""
        return self.forward(batch) * self.std + self.mean

    def freeze(self) -> None:
        """Leave only the two fully connected layers to be trained."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith(("hidden.", "output.")))


def from_ionvolt(source: CGCNN) -> Network:
    """A reference network with the weights of an IonVolt network."""
    network = Network()
    network.embedding.load_state_dict(source.trunk.embedding.state_dict())
    network.convolutions.load_state_dict(source.trunk.convolutions.state_dict())
    network.hidden.load_state_dict(source.head.hidden.state_dict())
    network.output.load_state_dict(source.head.output.state_dict())
    network.mean, network.std = float(source.head.target_mean), float(source.head.target_std)
    return network
