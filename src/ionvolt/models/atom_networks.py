"""Small networks on the universal potential's atom vectors: one for hosts alone, one for both end members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ionvolt.electrode import WORKING_IONS
from ionvolt.models.vectors import ATOM_SIZE, POOLED_SIZE, WIDE_SIZE, CrystalVectors

IONS = tuple(WORKING_IONS)
CLIP = 8.0
"""Standardised numbers beyond this many deviations are taken as this many: an odd crystal must not run away."""


@dataclass(frozen=True, eq=False)
class AtomBatch:
    """Electrodes as the networks take them: B electrodes, N atoms in all.

    Attributes:
        atoms: Atom vectors, shape (N, ATOM_SIZE) for hosts alone and (N, WIDE_SIZE) for end members, float32.
        owner: Electrode of each atom, shape (N,), int64.
        side: 0 for atoms of the discharged crystal, 1 for those of the charged one, shape (N,), int64.
        weight: Volts that an eV of the atom's energy adds to the voltage, shape (N,), float32 (zero for hosts alone).
        pooled: Statistics of the charged host, shape (B, POOLED_SIZE), float32.
        ion: Index of the working ion in ``IONS``, shape (B,), int64.
        facts: Numbers of the electrode, shape (B, n_facts), float32 (see ``host_facts`` and ``pair_facts``).
    """

    atoms: Tensor
    owner: Tensor
    side: Tensor
    weight: Tensor
    pooled: Tensor
    ion: Tensor
    facts: Tensor

    def arrays(self) -> list[NDArray[np.float32]]:
        """The floating-point contents, by which a run recognises its data."""
        return [t.numpy() for t in (self.atoms, self.weight, self.pooled, self.facts)]


def collate_hosts(
    hosts: Sequence[CrystalVectors], ions: Sequence[str], ions_per_atom: NDArray[np.float64]
) -> AtomBatch:
    """A batch of charged hosts; ``ions_per_atom`` is NaN where the composition when discharged is not known."""
    known = np.isfinite(ions_per_atom)
    facts = np.stack([np.where(known, ions_per_atom, 0.0), known], axis=1)
    sizes = np.array([len(host) for host in hosts])
    n = int(sizes.sum())
    return AtomBatch(
        atoms=torch.from_numpy(np.concatenate([host.atoms[:, :ATOM_SIZE] for host in hosts])),
        owner=torch.from_numpy(np.repeat(np.arange(len(hosts)), sizes)),
        side=torch.ones(n, dtype=torch.int64),
        weight=torch.zeros(n),
        pooled=torch.from_numpy(np.stack([host.pooled for host in hosts])),
        ion=torch.tensor([IONS.index(ion) for ion in ions]),
        facts=torch.from_numpy(facts.astype(np.float32)),
    )


@dataclass(frozen=True, eq=False)
class Pair:
    """Both end members of an electrode and what the potential's energies say of them.

    Attributes:
        discharged: Vectors of the discharged crystal.
        charged: Vectors of the charged one.
        discharged_cells: Cells of the discharged crystal that hold as much framework as ``charged_cells`` others.
        charged_cells: See there.
        n_ions: Ions that move between these cells.
        ion: Symbol of the working ion.
        physics: Voltage from the energies alone, V.
    """

    discharged: CrystalVectors
    charged: CrystalVectors
    discharged_cells: int
    charged_cells: int
    n_ions: int
    ion: str
    physics: float

    @property
    def facts(self) -> list[float]:
        """Physical voltage, ions per host atom, logarithm of the volume ratio, charge of the ion."""
        growth = (self.discharged_cells * self.discharged.volume) / (self.charged_cells * self.charged.volume)
        per_atom = self.n_ions / (self.charged_cells * len(self.charged))
        return [self.physics - 2.5, per_atom, float(np.log(growth)), WORKING_IONS[self.ion].charge - 1.0]


def collate_pairs(pairs: Sequence[Pair]) -> AtomBatch:
    """A batch of end members, the discharged ones first."""
    charge = np.array([WORKING_IONS[pair.ion].charge * pair.n_ions for pair in pairs], dtype=np.float64)
    full = -np.array([pair.discharged_cells for pair in pairs]) / charge
    empty = np.array([pair.charged_cells for pair in pairs]) / charge
    sizes = np.array([len(pair.discharged) for pair in pairs] + [len(pair.charged) for pair in pairs])
    side = np.repeat([0, 1], len(pairs))
    crystals = [pair.discharged for pair in pairs] + [pair.charged for pair in pairs]
    return AtomBatch(
        atoms=torch.from_numpy(np.concatenate([crystal.atoms for crystal in crystals])),
        owner=torch.from_numpy(np.repeat(np.tile(np.arange(len(pairs)), 2), sizes)),
        side=torch.from_numpy(np.repeat(side, sizes)),
        weight=torch.from_numpy(np.repeat(np.concatenate([full, empty]), sizes).astype(np.float32)),
        pooled=torch.empty(len(pairs), 0),
        ion=torch.tensor([IONS.index(pair.ion) for pair in pairs]),
        facts=torch.tensor([pair.facts for pair in pairs], dtype=torch.float32).reshape(len(pairs), 4),
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


class HostNetwork(nn.Module):
    """Charged host and ion in, voltage out.

    Every atom's vector is scaled and shifted by the ion (as in feature-wise modulation, Perez et al., AAAI 2018), goes
    through two layers and is pooled by a mean and by four learned attentions; the statistics of the whole crystal, the
    ion and, where it is known, the number of ions that go in join before the last layers.
    """

    ion_table: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, ion_table: NDArray[np.float32] | None = None, width: int = 96, dropout: float = 0.15) -> None:
        super().__init__()
        table = np.zeros((len(IONS), 15), dtype=np.float32) if ion_table is None else ion_table
        self.register_buffer("ion_table", torch.from_numpy(table.copy()))
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_std", torch.tensor(1.0))
        n_ion, heads = table.shape[1], 4
        self.width, self.heads = width, heads
        self.atom_scale, self.pooled_scale = Standardise(ATOM_SIZE), Standardise(POOLED_SIZE)
        self.atom = nn.Linear(ATOM_SIZE, width)
        self.modulation = nn.Linear(n_ion, 2 * width)
        self.layers = nn.Sequential(
            nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout)
        )
        self.attention = nn.Linear(width, heads)
        self.crystal = nn.Sequential(nn.Linear(POOLED_SIZE, 64), nn.SiLU(), nn.Dropout(0.4))
        self.output = nn.Sequential(
            nn.Linear(width * (1 + heads) + 64 + n_ion + 2, 128), nn.SiLU(), nn.Dropout(dropout), nn.Linear(128, 1)
        )

    def forward(self, batch: AtomBatch) -> Tensor:
        """Voltages in V, shape (B,)."""
        ion = self.ion_table[batch.ion]
        n = len(ion)
        facts = batch.facts
        if self.training:  # half of the time the composition is hidden, so that one network serves with and without
            facts = facts * (torch.rand(n, 1) < 0.5)
        scale, shift = self.modulation(ion).chunk(2, 1)
        atoms = self.atom(self.atom_scale(batch.atoms))
        atoms = self.layers(atoms * (1 + scale[batch.owner]) + shift[batch.owner])
        weight = torch.exp(self.attention(atoms).clamp(-8, 8))
        total = torch.zeros(n, self.heads).index_add(0, batch.owner, weight)
        shares = weight / total[batch.owner]
        attended = torch.zeros(n, self.heads * self.width).index_add(
            0, batch.owner, (shares.unsqueeze(2) * atoms.unsqueeze(1)).flatten(1)
        )
        crystal = self.crystal(self.pooled_scale(batch.pooled))
        joined = torch.cat([_mean(atoms, batch.owner, n), attended, crystal, ion, facts], 1)
        voltage: Tensor = self.output(joined).squeeze(1) * self.target_std + self.target_mean
        return voltage


class PairNetwork(nn.Module):
    """Both end members in, what the potential's voltage lacks out.

    Two parts are added: a correction of each atom's energy, which enters the voltage just as the energies do (the last
    layers of the potential, learned anew on voltages), and a correction from the mean atoms of both ends and the
    ion. Both start at zero, that is, at the voltage of the potential.
    """

    def __init__(self, width: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.atom_scale = Standardise(WIDE_SIZE)
        self.energy = nn.Sequential(
            nn.Linear(WIDE_SIZE, width), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 1),
        )  # fmt: skip
        self.side = nn.Sequential(nn.Linear(WIDE_SIZE, width), nn.SiLU(), nn.Dropout(dropout))
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
        energies = 0.1 * self.energy(atoms).squeeze(1) * batch.weight
        from_energies = torch.zeros(n).index_add(0, batch.owner, energies)
        means = _mean(self.side(atoms), 2 * batch.owner + batch.side, 2 * n).view(n, -1)
        ion = nn.functional.one_hot(batch.ion, len(IONS)).float()
        shift: Tensor = self.shift(torch.cat([means, ion, batch.facts], 1)).squeeze(1)
        return from_energies + 0.3 * shift


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
