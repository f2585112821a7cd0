"""The network of ``models.mlip.delta_network`` as PyTorch trains it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ionvolt.models.mlip.delta_network import FROM_SHIFT, IONS, PER_ATOM, SIZE, AtomBatch, DeltaNetwork
from ionvolt.training.standardise import Standardise


class TrainedNetwork(nn.Module):
    """Both end members in, what the potential's voltage lacks out. It starts at zero: at the potential's voltage."""

    def __init__(self, atom_size: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.atom_scale = Standardise(atom_size)
        self.energy = nn.Sequential(
            nn.Linear(atom_size, SIZE), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(SIZE, SIZE), nn.SiLU(), nn.Dropout(dropout), nn.Linear(SIZE, 1),
        )  # fmt: skip
        self.side = nn.Sequential(nn.Linear(atom_size, SIZE), nn.SiLU(), nn.Dropout(dropout))
        self.shift = nn.Sequential(
            nn.Linear(2 * SIZE + len(IONS) + 4, SIZE), nn.SiLU(), nn.Dropout(dropout), nn.Linear(SIZE, 1)
        )
        for layers in (self.energy, self.shift):
            last = layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, batch: AtomBatch) -> Tensor:
        """Corrections in V, shape (B,)."""
        n = len(batch.ion)
        graph_index, end_member = torch.from_numpy(batch.graph_index), torch.from_numpy(batch.end_member)
        atoms = self.atom_scale(torch.from_numpy(batch.atoms))
        energies = PER_ATOM * self.energy(atoms).squeeze(1) * torch.from_numpy(batch.weight)
        from_energies = torch.zeros(n).index_add(0, graph_index, energies)
        means = _mean(self.side(atoms), 2 * graph_index + end_member, 2 * n).view(n, -1)
        ion = nn.functional.one_hot(torch.from_numpy(batch.ion), len(IONS)).float()
        electrode = torch.cat([means, ion, torch.from_numpy(batch.global_features)], 1)
        shift: Tensor = self.shift(electrode).squeeze(1)
        return from_energies + FROM_SHIFT * shift

    def answering(self) -> DeltaNetwork:
        """The same network as it answers, with a copy of the weights."""
        return DeltaNetwork.from_arrays({name: tensor.numpy().copy() for name, tensor in self.state_dict().items()})


def _mean(values: Tensor, key: Tensor, n: int) -> Tensor:
    """Mean of the rows of each key, shape (n, F)."""
    count = torch.bincount(key, minlength=n).clamp(min=1).unsqueeze(1)
    return torch.zeros(n, values.shape[1]).index_add(0, key, values) / count
