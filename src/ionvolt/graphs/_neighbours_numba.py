"""The compiled neighbour search: every image of every atom inside the cut-off, sorted atom by atom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs.compilation import cached_njit
from ionvolt.structures.crystal import Crystal

Neighbours = tuple[NDArray[np.int32], NDArray[np.float32]]


def search(crystal: Crystal, k: int, radius: float, cutoff: float, tie: float, rounds: int) -> Neighbours:
    """See ``neighbours.nearest_neighbours``; ``cutoff`` is the first radius tried."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    while True:
        complete, neighbours, distances = _search(
            crystal.frac_coords, crystal.lattice, heights, crystal.numbers, k, cutoff, radius, tie, rounds
        )
        if complete:
            return neighbours, distances
        cutoff = min(radius, 1.4 * cutoff)


@cached_njit(nogil=True)
def _collect(i, frac, lattice, heights, images, reach, found_j, found_d2):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Neighbours of atom i within reach, written to the buffers; returns how many there are."""
    count = 0
    for j in range(frac.shape[0]):
        f0 = frac[j, 0] - frac[i, 0]
        f1 = frac[j, 1] - frac[i, 1]
        f2 = frac[j, 2] - frac[i, 2]
        f0 -= np.rint(f0)
        f1 -= np.rint(f1)
        f2 -= np.rint(f2)
        for a in range(-images[0], images[0] + 1):
            g0 = f0 + a
            if abs(g0) * heights[0] > reach:
                continue
            xa = g0 * lattice[0, 0]
            ya = g0 * lattice[0, 1]
            za = g0 * lattice[0, 2]
            for b in range(-images[1], images[1] + 1):
                g1 = f1 + b
                if abs(g1) * heights[1] > reach:
                    continue
                xb = xa + g1 * lattice[1, 0]
                yb = ya + g1 * lattice[1, 1]
                zb = za + g1 * lattice[1, 2]
                for c in range(-images[2], images[2] + 1):
                    g2 = f2 + c
                    if abs(g2) * heights[2] > reach:
                        continue
                    x = xb + g2 * lattice[2, 0]
                    y = yb + g2 * lattice[2, 1]
                    z = zb + g2 * lattice[2, 2]
                    d2 = x * x + y * y + z * z
                    if d2 <= reach * reach and not (i == j and a == 0 and b == 0 and c == 0):
                        if count < found_j.size:
                            found_j[count] = j
                            found_d2[count] = d2
                        count += 1
    return count


@cached_njit(nogil=True)
def _search(frac, lattice, heights, numbers, k, cutoff, radius, tie, rounds):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    n = frac.shape[0]
    neighbours = np.zeros((n, k), dtype=np.int32)
    distances = np.full((n, k), radius + 1.0, dtype=np.float32)
    images = np.empty(3, dtype=np.int64)
    for axis in range(3):
        images[axis] = int(np.floor((cutoff + tie) / heights[axis] + 0.5))
    capacity = 256
    found_j = np.empty(capacity, dtype=np.int64)
    found_d2 = np.empty(capacity, dtype=np.float64)
    # A neighbour at the radius itself is inside, whatever the rounding.
    reach = cutoff + tie
    # Each atom's shell: its k nearest and all that tie with the last of them, from start[i] to start[i + 1].
    start = np.zeros(n + 1, dtype=np.int64)
    shell_j = np.empty(2 * k * n + 16, dtype=np.int64)
    shell_d = np.empty(2 * k * n + 16, dtype=np.float64)

    for i in range(n):
        count = _collect(i, frac, lattice, heights, images, reach, found_j, found_d2)
        if count > capacity:
            capacity = 2 * count
            found_j = np.empty(capacity, dtype=np.int64)
            found_d2 = np.empty(capacity, dtype=np.float64)
            count = _collect(i, frac, lattice, heights, images, reach, found_j, found_d2)
        if count < k and cutoff < radius:
            return False, neighbours, distances
        order = np.argsort(found_d2[:count])
        end = min(k, count)
        while 0 < end < count and np.sqrt(found_d2[order[end]]) - np.sqrt(found_d2[order[end - 1]]) <= tie:
            end += 1
        # All that tie with the k-th neighbour must be inside the cut-off.
        if cutoff < radius and np.sqrt(found_d2[order[end - 1]]) >= cutoff - 2 * tie:
            return False, neighbours, distances
        if start[i] + end > shell_j.size:
            grown_j = np.empty(2 * (shell_j.size + end), dtype=np.int64)
            grown_d = np.empty(2 * (shell_j.size + end), dtype=np.float64)
            grown_j[: start[i]] = shell_j[: start[i]]
            grown_d[: start[i]] = shell_d[: start[i]]
            shell_j = grown_j
            shell_d = grown_d
        for rank in range(end):
            shell_j[start[i] + rank] = found_j[order[rank]]
            shell_d[start[i] + rank] = np.sqrt(found_d2[order[rank]])
        start[i + 1] = start[i] + end

    surroundings = np.zeros(n)
    for _ in range(rounds):
        updated = np.zeros(n)
        for i in range(n):
            total = 0.0
            for m in range(start[i], start[i + 1]):
                j = shell_j[m]
                total += shell_d[m] * np.cos(numbers[j] + 10.0 * surroundings[j])
            updated[i] = total / max(start[i + 1] - start[i], 1)
        surroundings = updated

    for i in range(n):
        size = start[i + 1] - start[i]
        first = min(k, size)
        if size > k:
            first = k - 1
            while first > 0 and shell_d[start[i] + first] - shell_d[start[i] + first - 1] <= tie:
                first -= 1
        for m in range(first):
            neighbours[i, m] = shell_j[start[i] + m]
            distances[i, m] = shell_d[start[i] + m]
        if first < min(k, size):
            key = np.empty(size - first)
            for m in range(size - first):
                j = shell_j[start[i] + first + m]
                key[m] = surroundings[j] - 1e3 * numbers[j]
            order = np.argsort(key, kind="mergesort")
            for m in range(k - first):
                neighbours[i, first + m] = shell_j[start[i] + first + order[m]]
                distances[i, first + m] = shell_d[start[i] + first + order[m]]
    return True, neighbours, distances
