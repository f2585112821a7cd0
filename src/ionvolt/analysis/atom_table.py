"""All atoms of many hosts with their vectors and local voltages: what the figures of a model are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs import CrystalGraph, iterate_batches
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.typing import ProgressCallback

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble

OXYGEN = 8


@dataclass(frozen=True, eq=False)
class Atoms:
    """N atoms of many hosts, seen by M networks.

    Attributes:
        ion: Working ion whose voltage is shared out.
        numbers: Atomic numbers, shape (N,).
        crystal: Which host each atom belongs to, shape (N,).
        vectors: The first network's atom vectors after the last convolution, shape (N, N_FEATURES).
        additive: Local voltages that add up to the voltage, V, shape (M, N).
        linear: Local voltages by eq. (2) of the paper, V, shape (M, N).
        oxygen: Whether the two nearest neighbours are oxygen, shape (N,): the paper's oxygen environments.
    """

    ion: str
    numbers: NDArray[np.int64]
    crystal: NDArray[np.int64]
    vectors: NDArray[np.float64]
    additive: NDArray[np.float64]
    linear: NDArray[np.float64]
    oxygen: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.numbers.size)

    def __getitem__(self, chosen: NDArray[Any]) -> Atoms:
        """Some of the atoms, by a mask or by numbers."""
        return replace(
            self,
            numbers=self.numbers[chosen],
            crystal=self.crystal[chosen],
            vectors=self.vectors[chosen],
            additive=self.additive[:, chosen],
            linear=self.linear[:, chosen],
            oxygen=self.oxygen[chosen],
        )

    def local(self, kind: str) -> NDArray[np.float64]:
        """Mean over the networks of the ``additive`` or ``linear`` local voltages, V, shape (N,)."""
        found: NDArray[np.float64] = (self.additive if kind == "additive" else self.linear).mean(0)
        return found

    def distinct(self) -> Atoms:
        """One atom of each kind that a crystal holds: atoms of one element with the same vector are alike."""
        keys = np.column_stack([self.crystal, self.numbers, np.round(self.vectors[:, :8], 3)])
        _, first = np.unique(keys, axis=0, return_index=True)
        return self[np.sort(first)]


def atoms_of(
    model: Ensemble, graphs: Sequence[CrystalGraph], ion: str, *, progress: ProgressCallback | None = None
) -> Atoms:
    """Run a model over hosts and keep what it says of every atom.

    Args:
        model: With local-voltage heads for the ion.
        graphs: Graphs of the hosts.
        ion: Working ion.
        progress: Called with the hosts that are done and all of them.

    Raises:
        ModelError: It has no local-voltage head for the ion.
    """
    model.require_local([ion])
    parts: list[Atoms] = []
    for where, batch in iterate_batches(graphs):
        vectors = model.trunks.atom_vectors(batch)
        found = local_voltages(vectors, model.heads(ion), model.local_heads(ion), batch.n_atoms)
        parts.append(
            Atoms(
                ion=ion,
                numbers=batch.numbers,
                crystal=batch.crystal_index + where.start,
                vectors=vectors[0].astype(np.float64),
                additive=found.additive,
                linear=found.linear,
                oxygen=(batch.numbers[batch.neighbours[:, :2]] == OXYGEN).all(1),
            )
        )
        if progress:
            progress(where.stop, len(graphs), "")
    flat = {name: [getattr(part, name) for part in parts] for name in ("numbers", "crystal", "vectors", "oxygen")}
    by_member = {name: [getattr(part, name) for part in parts] for name in ("additive", "linear")}
    return Atoms(
        ion=ion,
        **{name: np.concatenate(arrays) for name, arrays in flat.items()},
        **{name: np.concatenate(arrays, axis=1) for name, arrays in by_member.items()},
    )
