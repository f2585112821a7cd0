"""A small network on the universal potential's atom vectors of both end members of an electrode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.tensors import Arrays
from ionvolt.physics.potentials.activations import silu
from ionvolt.typing import Array, Array32, Indices

IONS = tuple(WORKING_IONS)
CLIP = 8.0
"""Standardised numbers beyond this many deviations are taken as this many: an odd crystal must not run away."""

PER_ATOM, FROM_SHIFT = 0.1, 0.3
"""eV and V by which what the layers give is multiplied."""

SIZE = 64
"""Numbers between the layers."""


def shapes(atom_size: int) -> dict[str, dict[int, tuple[int, int]]]:
    """Shapes of the linear layers, by their places in the network that is trained: activations stand between."""
    return {
        "energy": {0: (SIZE, atom_size), 3: (SIZE, SIZE), 6: (1, SIZE)},
        "side": {0: (SIZE, atom_size)},
        "shift": {0: (SIZE, 2 * SIZE + len(IONS) + 4), 3: (1, SIZE)},
    }


BATCH_SIZE = 64
"""Electrodes in one pass."""


@dataclass(frozen=True, eq=False)
class AtomBatch:
    """Electrodes as the networks take them: B electrodes, N atoms in all.

    Attributes:
        atoms: Atom vectors, shape (N, atom_size), float32; those of a crystal stand together.
        graph_index: Electrode of each atom, shape (N,), int64.
        end_member: 0 for atoms of the discharged crystal, 1 for those of the charged one, shape (N,), int64.
        weight: Volts that an eV of the atom's energy adds to the voltage, shape (N,), float32.
        ion: Index of the working ion in ``IONS``, shape (B,), int64.
        global_features: Numbers of the electrode, shape (B, 4), float32: ``EndMemberPair.global_features``.
    """

    atoms: Array32
    graph_index: Indices
    end_member: Indices
    weight: Array32
    ion: Indices
    global_features: Array32

    def arrays(self) -> list[Array32]:
        """The floating-point contents, by which a run recognises its data."""
        return [self.atoms, self.weight, self.global_features]


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
    def ions_per_host_atom(self) -> float:
        """Ions that move, per atom of the charged crystal."""
        return self.n_ions / (self.charged_cells * len(self.charged))

    @property
    def global_features(self) -> list[float]:
        """Physical voltage, ions per host atom, logarithm of the volume ratio, charge of the ion."""
        growth = (self.discharged_cells * self.discharged.volume) / (self.charged_cells * self.charged.volume)
        return [self.physics - 2.5, self.ions_per_host_atom, float(np.log(growth)), WORKING_IONS[self.ion].charge - 1.0]


def collate_pairs(pairs: Sequence[EndMemberPair]) -> AtomBatch:
    """A batch of end members, the discharged ones first."""
    charge = np.array([WORKING_IONS[pair.ion].charge * pair.n_ions for pair in pairs], dtype=np.float64)
    full = -np.array([pair.discharged_cells for pair in pairs]) / charge
    empty = np.array([pair.charged_cells for pair in pairs]) / charge
    sizes = np.array([len(pair.discharged) for pair in pairs] + [len(pair.charged) for pair in pairs])
    crystals = [pair.discharged for pair in pairs] + [pair.charged for pair in pairs]
    return AtomBatch(
        atoms=np.concatenate([crystal.atoms for crystal in crystals]),
        graph_index=np.repeat(np.tile(np.arange(len(pairs)), 2), sizes),
        end_member=np.repeat(np.repeat([0, 1], len(pairs)), sizes),
        weight=np.repeat(np.concatenate([full, empty]), sizes).astype(np.float32),
        ion=np.array([IONS.index(pair.ion) for pair in pairs], dtype=np.int64),
        global_features=np.array([pair.global_features for pair in pairs], dtype=np.float32).reshape(len(pairs), 4),
    )


def sum_rows(values: Array32, weight: Array32, key: Indices, n: int) -> Array32:
    """Sums of the rows of each key, times their weights, shape (n, F); equal keys stand together in a few runs."""
    found = np.zeros((n, values.shape[1]), dtype=np.float32)
    for run in np.split(np.arange(len(key)), np.flatnonzero(np.diff(key)) + 1):
        rows = slice(run[0], run[-1] + 1)
        found[key[run[0]]] += weight[rows] @ values[rows]
    return found


@dataclass(frozen=True, eq=False)
class Dense:
    """A linear layer: weights, shape (n_out, n_in), and constants, shape (n_out,)."""

    weight: Array32
    bias: Array32

    def __call__(self, values: Array32) -> Array32:
        """Of rows of values, shape (n, n_out)."""
        found: Array32 = values @ self.weight.T
        found += self.bias
        return found


@dataclass(frozen=True, eq=False)
class DeltaNetwork:
    """Both end members in, what the potential's voltage lacks out.

    Two parts are added: a correction of each atom's energy, which enters the voltage just as the energies do (the last
    layers of the potential, learned anew on voltages), and a correction from the mean atoms of both ends and the
    ion.

    Attributes:
        mean: Mean of each number of an atom, shape (atom_size,): ``ATOM_SIZE`` or ``WIDE_SIZE``.
        scale: Deviation of each.
        layers: Linear layers of each part; see ``shapes``.
    """

    mean: Array32
    scale: Array32
    layers: dict[str, list[Dense]]

    @property
    def atom_size(self) -> int:
        """Numbers of an atom that it looks at."""
        return len(self.mean)

    def __call__(self, batch: AtomBatch) -> Array:
        """Corrections in V, shape (B,)."""
        n = len(batch.ion)
        atoms = self._standardised(batch.atoms)
        energies = self._energies(atoms)[:, None]
        from_energies = sum_rows(energies, batch.weight, batch.graph_index, n)[:, 0].astype(np.float64)
        key = 2 * batch.graph_index + batch.end_member
        share = (1 / np.bincount(key)[key]).astype(np.float32)
        means = sum_rows(silu(self.layers["side"][0](atoms)), share, key, 2 * n)
        ion = np.eye(len(IONS), dtype=np.float32)[batch.ion]
        electrode = np.concatenate([means.reshape(n, -1), ion, batch.global_features], axis=1)
        return from_energies + FROM_SHIFT * _chain(self.layers["shift"], electrode)[:, 0]

    def atom_energies(self, atoms: Array32) -> Array32:
        """Corrections of the energies of atoms in eV, shape (N,), from their vectors, shape (N, atom_size)."""
        return self._energies(self._standardised(atoms))

    def _standardised(self, atoms: Array32) -> Array32:
        found: Array32 = np.clip((atoms - self.mean) / self.scale, -CLIP, CLIP)
        return found

    def _energies(self, standardised: Array32) -> Array32:
        return PER_ATOM * _chain(self.layers["energy"], standardised)[:, 0]

    def arrays(self, prefix: str = "") -> Arrays:
        """All that is stored, by name."""
        found: Arrays = {f"{prefix}atom_scale.mean": self.mean, f"{prefix}atom_scale.scale": self.scale}
        for part, places in shapes(self.atom_size).items():
            for place, layer in zip(places, self.layers[part], strict=True):
                found |= {f"{prefix}{part}.{place}.weight": layer.weight, f"{prefix}{part}.{place}.bias": layer.bias}
        return found

    @classmethod
    def from_arrays(cls, arrays: Arrays, prefix: str = "") -> DeltaNetwork:
        """What stored arrays say.

        Raises:
            KeyError: One is missing.
            ValueError: One does not fit.
        """

        def one(name: str, *shape: int) -> Array32:
            array = arrays[f"{prefix}{name}"]
            if array.shape != shape:
                raise ValueError(f"{prefix}{name} has the shape {array.shape}, not {shape}")
            return array.astype(np.float32, copy=False)

        size = arrays[f"{prefix}atom_scale.mean"].size
        layers = {
            part: [
                Dense(one(f"{part}.{k}.weight", *shape), one(f"{part}.{k}.bias", shape[0])) for k, shape in of.items()
            ]
            for part, of in shapes(size).items()
        }
        return cls(one("atom_scale.mean", size), one("atom_scale.scale", size), layers)


def _chain(layers: Sequence[Dense], values: Array32) -> Array32:
    """Layers with activations between them."""
    for layer in layers[:-1]:
        values = silu(layer(values))
    return layers[-1](values)


def networks_from(arrays: Arrays, n_members: int | None = None, atom_size: int | None = None) -> list[DeltaNetwork]:
    """The members whose weights are among some arrays, as ``network_arrays`` names them.

    Args:
        arrays: Arrays of the members and others.
        n_members: How many there have to be; None: at least one.
        atom_size: Numbers of an atom that they have to look at; None: any.

    Raises:
        KeyError: An array is missing.
        ValueError: One does not fit, or there are more or fewer members, or they look at other atoms.
    """
    found = len({name.split(".")[1] for name in arrays if name.startswith("network.")})
    if not found or n_members not in (None, found):
        raise ValueError(f"{found} networks are there, which the card does not say")
    networks = [DeltaNetwork.from_arrays(arrays, f"network.{m}.") for m in range(found)]
    sizes = {network.atom_size for network in networks}
    if len(sizes) > 1 or atom_size not in (None, *sizes):
        raise ValueError(f"networks look at atoms of {sizes} numbers, not of {atom_size}")
    return networks


def network_arrays(networks: Sequence[DeltaNetwork]) -> Arrays:
    """The members' weights, by name."""
    found: Arrays = {}
    for number, network in enumerate(networks):
        found |= network.arrays(f"network.{number}.")
    return found


def corrections(networks: Sequence[DeltaNetwork], pairs: Sequence[EndMemberPair]) -> Array:
    """What every member adds to the voltage of the potential, in V, shape (n_members, n_pairs)."""
    parts = []
    for start in range(0, len(pairs), BATCH_SIZE):
        batch = collate_pairs(pairs[start : start + BATCH_SIZE])
        parts.append(np.array([network(batch) for network in networks]))
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
