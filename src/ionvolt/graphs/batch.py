"""Many crystal graphs side by side in flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs.graph import CrystalGraph


@dataclass(frozen=True, eq=False)
class GraphBatch:
    """B crystals with N atoms in all and k neighbours an atom.

    Attributes:
        numbers: Atomic numbers, shape (N,), int64.
        neighbours: Indices into the N atoms of the batch, shape (N, k), int64.
        distances: In Å, shape (N, k), float32.
        n_atoms: Atoms of each crystal, shape (B,), int64; the crystals' atoms follow one another.
    """

    numbers: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    distances: NDArray[np.float32]
    n_atoms: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.n_atoms.size)

    def arrays(self) -> list[NDArray[np.generic]]:
        """The contents by which a run recognises its data."""
        return [self.numbers, self.distances]

    @property
    def crystal_index(self) -> NDArray[np.int64]:
        """The crystal that each atom belongs to, shape (N,)."""
        return np.repeat(np.arange(len(self)), self.n_atoms)


def collate(graphs: Sequence[CrystalGraph]) -> GraphBatch:
    """Put graphs side by side; neighbour indices are shifted to their atoms' places in the batch."""
    n_atoms = np.array([len(g) for g in graphs], dtype=np.int64)
    offsets = np.repeat(np.cumsum(n_atoms) - n_atoms, n_atoms)
    return GraphBatch(
        numbers=np.concatenate([g.numbers for g in graphs]),
        neighbours=np.concatenate([g.neighbours for g in graphs]).astype(np.int64) + offsets[:, None],
        distances=np.concatenate([g.distances for g in graphs]),
        n_atoms=n_atoms,
    )


def iterate_batches(graphs: Sequence[CrystalGraph], *, max_atoms: int = 4096) -> Iterator[tuple[slice, GraphBatch]]:
    """Consecutive graphs in batches of at most ``max_atoms`` atoms (a larger crystal goes alone), in order."""
    start, atoms = 0, 0
    for index, graph in enumerate(graphs):
        if atoms and atoms + len(graph) > max_atoms:
            yield slice(start, index), collate(graphs[start:index])
            start, atoms = index, 0
        atoms += len(graph)
    if start < len(graphs):
        yield slice(start, len(graphs)), collate(graphs[start:])
