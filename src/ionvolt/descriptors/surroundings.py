"""What stands around every atom of some hosts, all hosts at once: neighbours, their weights, means over groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs import RADIUS, nearest_neighbours
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Mask

NEIGHBOURS = 24
"""Looked at for each atom."""

_ATOMS_AT_ONCE = 20_000


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The N atoms of some hosts, one host after another, and the ``NEIGHBOURS`` nearest atoms of each.

    Attributes:
        numbers: Atomic numbers, shape (N,).
        starts: Where each host's atoms begin, shape (n_hosts,).
        neighbours: Which atoms, shape (N, NEIGHBOURS).
        distances: How far, Å, shape (N, NEIGHBOURS), nearest first.
        inside: Whether that is within ``RADIUS``, shape (N, NEIGHBOURS).
        weights: Hoppe's weights of neighbours, shape (N, NEIGHBOURS); their sum is the effective coordination
            (Z. Kristallogr. 150, 23 (1979)).
    """

    numbers: NDArray[np.int64]
    starts: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    distances: Array
    inside: Mask
    weights: Array

    @cached_property
    def around(self) -> NDArray[np.int64]:
        """Atomic numbers of the neighbours, shape (N, NEIGHBOURS)."""
        found: NDArray[np.int64] = self.numbers[self.neighbours]
        return found

    @cached_property
    def nearest(self) -> Array:
        """Distance to the nearest atom, Å, shape (N,)."""
        return np.where(self.inside[:, 0], self.distances[:, 0], RADIUS)

    @cached_property
    def coordination(self) -> Array:
        """Effective coordination, shape (N,)."""
        total: Array = self.weights.sum(1)
        return total

    def mean(self, values: Array) -> Array:
        """Weighted mean of values of the neighbours, shape (N, NEIGHBOURS) -> (N,); 0 without neighbours."""
        mean: Array = (self.weights * values).sum(1) / np.maximum(self.coordination, 1e-12)
        return mean

    @cached_property
    def bond(self) -> Array:
        """Mean distance of the neighbours by their weights, Å, shape (N,); ``RADIUS`` without neighbours."""
        return np.where(self.coordination > 0, self.mean(self.distances), RADIUS)

    def over(self, values: Array, group: Mask) -> Array:
        """Mean of the atoms of a group in each host, shape (n_hosts,); 0 where there are none."""
        counts = np.add.reduceat(group.astype(np.float64), self.starts)
        total: Array = np.add.reduceat(np.where(group, values, 0.0), self.starts) / np.maximum(counts, 1)
        return total

    def spread(self, values: Array, group: Mask) -> list[Array]:
        """Mean, deviation, least and greatest of the atoms of a group in each host; 0 where there are none."""
        some = np.add.reduceat(group.astype(np.float64), self.starts) > 0
        mean = self.over(values, group)
        sizes = np.diff(np.append(self.starts, len(values)))
        std = np.sqrt(self.over((values - np.repeat(mean, sizes)) ** 2, group))
        low = np.minimum.reduceat(np.where(group, values, np.inf), self.starts)
        high = np.maximum.reduceat(np.where(group, values, -np.inf), self.starts)
        return [mean, std, np.where(some, low, 0.0), np.where(some, high, 0.0)]


def surroundings(hosts: Sequence[Crystal]) -> Surroundings:
    """What stands around the atoms of one host or more."""
    sizes = np.array([len(h) for h in hosts])
    starts = np.cumsum(sizes) - sizes
    found = [nearest_neighbours(h, k=NEIGHBOURS) for h in hosts]
    neighbours = np.concatenate([n.astype(np.int64) + s for (n, _), s in zip(found, starts, strict=True)])
    distances = np.concatenate([d for _, d in found]).astype(np.float64)
    inside = distances <= RADIUS
    weights = _coordination_weights(distances, inside, np.where(inside[:, 0], distances[:, 0], RADIUS))
    return Surroundings(np.concatenate([h.numbers for h in hosts]), starts, neighbours, distances, inside, weights)


def _coordination_weights(distances: Array, inside: Mask, nearest: Array) -> Array:
    def weigh(reference: Array) -> Array:
        return np.where(inside, np.exp(1 - (distances / reference[:, None]) ** 6), 0.0)

    first = weigh(nearest)
    total = first.sum(1)
    return weigh(np.where(total > 0, (first * distances).sum(1) / np.maximum(total, 1e-300), RADIUS))


def in_batches(hosts: Sequence[Crystal]) -> Iterator[Sequence[Crystal]]:
    """Hosts that are worked on together: many at once are faster, too many do not fit into memory."""
    start = 0
    while start < len(hosts):
        end, atoms = start, 0
        while end < len(hosts) and (end == start or atoms + len(hosts[end]) <= _ATOMS_AT_ONCE):
            atoms += len(hosts[end])
            end += 1
        yield hosts[start:end]
        start = end
