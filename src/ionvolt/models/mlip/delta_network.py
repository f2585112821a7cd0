"""A small network on the universal potential's atom vectors of both end members of an electrode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.latent_features import ATOM_SIZE, CrystalFeatures

IONS = tuple(WORKING_IONS)
CLIP = 8.0
"""Standardised numbers beyond this many deviations are taken as this many: an odd crystal must not run away."""

BATCH_SIZE = 64
"""Electrodes in one pass."""


@dataclass(frozen=True, eq=False)
class AtomBatch:
    """Electrodes as the networks take them: B electrodes, N atoms in all.

    Attributes:
        atoms: Atom vectors, shape (N, ATOM_SIZE), float32.
        graph_index: Electrode of each atom, shape (N,), int64.
        end_member: 0 for atoms of the discharged crystal, 1 for those of the charged one, shape (N,), int64.
        weight: Volts that an eV of the atom's energy adds to the voltage, shape (N,), float32.
        ion: Index of the working ion in ``IONS``, shape (B,), int64.
        global_features: Numbers of the electrode, shape (B, 4), float32: ``EndMemberPair.global_features``.
    """

    atoms: Tensor
    graph_index: Tensor
    end_member: Tensor
    weight: Tensor
    ion: Tensor
    global_features: Tensor

    def arrays(self) -> list[NDArray[np.float32]]:
        """The floating-point contents, by which a run recognises its data."""
        return [t.numpy() for t in (self.atoms, self.weight, self.global_features)]


@dataclass(frozen=True, eq=False)
class EndMemberPair:
    """Both end members of an electrode and what the potential's energies say of them.

    Attributes:
        discharged: Vectors of the discharged crystal.
        charged: Vectors of the charged one.
        discharged_cells: Cells of the discharged crystal in the smallest balanced reaction.
        charged_cells: Cells of the charged crystal that hold the same framework.
        n_ions: Ions that move between these cells.
        ion: Symbol of the working ion.
        physics: Voltage from the energies alone, V.
    """

    discharged: CrystalFeatures
    charged: CrystalFeatures
    discharged_cells: int
    charged_cells: int
    n_ions: int
    ion: str
    physics: float

    @property
    def global_features(self) -> list[float]:
        """Physical voltage, ions per host atom, logarithm of the volume ratio, charge of the ion."""
        growth = (self.discharged_cells * self.discharged.volume) / (self.charged_cells * self.charged.volume)
        per_atom = self.n_ions / (self.charged_cells * len(self.charged))
        return [self.physics - 2.5, per_atom, float(np.log(growth)), WORKING_IONS[self.ion].charge - 1.0]


def collate_pairs(pairs: Sequence[EndMemberPair]) -> AtomBatch:
    """A batch of end members, the discharged ones first."""
    charge = np.array([WORKING_IONS[pair.ion].charge * pair.n_ions for pair in pairs], dtype=np.float64)
    full = -np.array([pair.discharged_cells for pair in pairs]) / charge
    empty = np.array([pair.charged_cells for pair in pairs]) / charge
    sizes = np.array([len(pair.discharged) for pair in pairs] + [len(pair.charged) for pair in pairs])
    end_member = np.repeat([0, 1], len(pairs))
    crystals = [pair.discharged for pair in pairs] + [pair.charged for pair in pairs]
    return AtomBatch(
        atoms=torch.from_numpy(np.concatenate([crystal.atoms for crystal in crystals])),
        graph_index=torch.from_numpy(np.repeat(np.tile(np.arange(len(pairs)), 2), sizes)),
        end_member=torch.from_numpy(np.repeat(end_member, sizes)),
        weight=torch.from_numpy(np.repeat(np.concatenate([full, empty]), sizes).astype(np.float32)),
        ion=torch.tensor([IONS.index(pair.ion) for pair in pairs]),
        global_features=torch.tensor([pair.global_features for pair in pairs], dtype=torch.float32).reshape(
            len(pairs), 4
        ),
    )


class Standardise(nn.Module):
    """Subtract the mean, divide by the deviation, clip."""

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def learn(self, values: NDArray[np.float32]) -> None:
        """Take mean and deviation of the rows of ``values``."""
        self.mean.copy_(torch.from_numpy(values.mean(0)))
        self.scale.copy_(torch.from_numpy(values.std(0) + 1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Standardised values, of the same shape."""
        return ((values - self.mean) / self.scale).clamp(-CLIP, CLIP)


def _mean(values: Tensor, key: Tensor, n: int) -> Tensor:
    """Mean of the rows of each key, shape (n, F)."""
    count = torch.bincount(key, minlength=n).clamp(min=1).unsqueeze(1)
    return torch.zeros(n, values.shape[1]).index_add(0, key, values) / count


class DeltaNetwork(nn.Module):
    """Both end members in, what the potential's voltage lacks out.

    Two parts are added: a correction of each atom's energy, which enters the voltage just as the energies do (the last
    layers of the potential, learned anew on voltages), and a correction from the mean atoms of both ends and the
    ion. Both start at zero, that is, at the voltage of the potential.
    """

    def __init__(self, width: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.atom_scale = Standardise(ATOM_SIZE)
        self.energy = nn.Sequential(
            nn.Linear(ATOM_SIZE, width), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 1),
        )  # fmt: skip
        self.side = nn.Sequential(nn.Linear(ATOM_SIZE, width), nn.SiLU(), nn.Dropout(dropout))
        self.shift = nn.Sequential(
            nn.Linear(2 * width + len(IONS) + 4, 64), nn.SiLU(), nn.Dropout(dropout), nn.Linear(64, 1)
        )
        for layers in (self.energy, self.shift):
            last = layers[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, batch: AtomBatch) -> Tensor:
        """Corrections in V, shape (B,)."""
        n = len(batch.ion)
        atoms = self.atom_scale(batch.atoms)
        energies = self._energies(atoms) * batch.weight
        from_energies = torch.zeros(n).index_add(0, batch.graph_index, energies)
        means = _mean(self.side(atoms), 2 * batch.graph_index + batch.end_member, 2 * n).view(n, -1)
        ion = nn.functional.one_hot(batch.ion, len(IONS)).float()
        shift: Tensor = self.shift(torch.cat([means, ion, batch.global_features], 1)).squeeze(1)
        return from_energies + 0.3 * shift

    def atom_energies(self, atoms: Tensor) -> Tensor:
        """Corrections of the energies of atoms in eV, shape (N,), from their vectors, shape (N, ATOM_SIZE)."""
        return self._energies(self.atom_scale(atoms))

    def _energies(self, standardised: Tensor) -> Tensor:
        energies: Tensor = 0.1 * self.energy(standardised).squeeze(1)
        return energies


@torch.no_grad()
def corrections(networks: Sequence[DeltaNetwork], pairs: Sequence[EndMemberPair]) -> NDArray[np.float64]:
    """What every member adds to the voltage of the potential, in V, shape (n_members, n_pairs)."""
    parts = []
    for start in range(0, len(pairs), BATCH_SIZE):
        batch = collate_pairs(pairs[start : start + BATCH_SIZE])
        parts.append(np.array([network.eval()(batch).double().numpy() for network in networks]))
    return np.concatenate(parts, axis=1)


def ion_descriptors() -> NDArray[np.float32]:
    """What tells the working ions apart, shape (n_ions, 15): five standardised properties and half a one-hot.

    Electronegativity (Pauling), atomic radius, mean ionic radius, first ionisation energy and charge, from pymatgen.
    """
    from pymatgen.core.periodic_table import Element

    rows = []
    for symbol, ion in WORKING_IONS.items():
        e = Element(symbol)
        rows.append(
            [
                e.X,
                float(e.atomic_radius or 0),
                float(e.average_ionic_radius),
                float(e.ionization_energy or 0),
                ion.charge,
            ]
        )
    values = np.array(rows, dtype=np.float64)
    values = (values - values.mean(0)) / values.std(0)
    return np.concatenate([values, 0.5 * np.eye(len(rows))], axis=1).astype(np.float32)
