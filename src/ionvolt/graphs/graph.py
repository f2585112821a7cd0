"""One crystal as a graph of atoms and their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs.neighbours import MAX_NEIGHBOURS, RADIUS, Ties, nearest_neighbours
from ionvolt.structures.crystal import Crystal


@dataclass(frozen=True, eq=False)
class CrystalGraph:
    """A crystal graph of n atoms with k neighbours each.

    Attributes:
        numbers: Atomic numbers, shape (n,), int64.
        neighbours: Index of each atom's neighbours, shape (n, k), int32; several may be the same atom in
            different cells.
        distances: Their distances in Å, shape (n, k), float32; padding stands at ``radius + 1``.
    """

    numbers: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    distances: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.neighbours.shape != self.distances.shape or self.neighbours.shape[0] != self.numbers.size:
            raise ValueError(
                f"CrystalGraph needs neighbours and distances (n, k) for n={self.numbers.size} atoms, "
                f"not {self.neighbours.shape} and {self.distances.shape}"
            )

    def __len__(self) -> int:
        return int(self.numbers.size)


def build_graph(
    crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS, ties: Ties = "invariant"
) -> CrystalGraph:
    """The graph of a crystal: its ``k`` nearest neighbours within ``radius`` (Å) for each atom."""
    neighbours, distances = nearest_neighbours(crystal, k=k, radius=radius, ties=ties)
    return CrystalGraph(numbers=crystal.numbers, neighbours=neighbours, distances=distances)
