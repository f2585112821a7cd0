"""The nearest neighbours of every atom of a crystal.

Two back ends with one meaning: a compiled search over the cell's images (numba, the default where it is
installed) and vesin with numpy. The tests hold one against the other and both against pymatgen. A third one, pymatgen
itself, exists because the networks of the paper's authors were trained with its accidental choice among neighbours
at equal distance.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import find_pairs

MAX_NEIGHBOURS = 12
RADIUS = 8.0
"""Cut-off in Å; an atom with fewer than ``MAX_NEIGHBOURS`` inside it is padded (see ``nearest_neighbours``)."""

TIE = 1e-5
"""Distances in Å closer than this are the same: far above the noise of file formats, below that of physics."""

ROUNDS = 3
"""How far the surroundings of tied neighbours are compared: as many shells as the network has convolutions."""

Ties = Literal["invariant", "published"]
"""How neighbours at equal distance are chosen: by the crystal alone, or as the authors' code happens to."""

Neighbours = tuple[NDArray[np.int32], NDArray[np.float32]]


def nearest_neighbours(
    crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS, ties: Ties = "invariant"
) -> Neighbours:
    """The ``k`` nearest neighbours of each atom within ``radius``.

    Many atoms have several candidates for their last place at the same distance. To make the choice a property
    of the crystal and not of the order of its atoms, these are ranked heavier element first and then by their own
    surroundings (distances and elements, ``ROUNDS`` shells deep). Where there are fewer than ``k`` atoms in
    range, places are padded as the paper's code pads them: with atom 0 at ``radius + 1``, where every Gaussian
    of the distance expansion is zero.

    Args:
        crystal: The crystal, n atoms.
        k: Neighbours kept for each atom.
        radius: Cut-off in Å.
        ties: ``invariant`` as said above; ``published`` leaves the choice to the order in which pymatgen lists the
            neighbours, some hundred times slower.

    Returns:
        Indices of the neighbours, shape (n, k), int32, and their distances in Å, shape (n, k), float32, nearest
        first.
    """
    if ties == "published":
        return pymatgen_neighbours(crystal, k=k, radius=radius)
    try:
        from ionvolt.graphs._neighbours_numba import search
    except ImportError:
        return vesin_neighbours(crystal, k=k, radius=radius)
    return search(crystal, k, radius, start_radius(crystal, k, radius), TIE, ROUNDS)


def start_radius(crystal: Crystal, k: int, radius: float) -> float:
    """A first cut-off: a sphere that holds some 2.5 k atoms usually suffices and is far cheaper than 8 Å."""
    return float(min(radius, (2.5 * k * crystal.volume / len(crystal) / (4 / 3 * np.pi)) ** (1 / 3)))


def vesin_neighbours(crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS) -> Neighbours:
    """``nearest_neighbours`` by vesin's cell lists and numpy sorting."""
    n = len(crystal)
    cutoff = start_radius(crystal, k, radius)
    while True:
        # A neighbour at the radius itself is inside, whatever the rounding.
        pairs = find_pairs(crystal, cutoff + TIE, both=True)
        i, j, d = pairs.i, pairs.j, pairs.distance
        counts = np.bincount(i, minlength=n)
        starts = np.cumsum(counts) - counts
        order = np.lexsort((d, i))
        i, j, d = i[order], j[order], d[order]
        last = _last_of_shell(d, starts, counts, k)
        # All candidates that tie with the k-th neighbour must be inside the cut-off.
        if cutoff >= radius or (counts.min() >= k and d[last].max() < cutoff - 2 * TIE):
            break
        cutoff = min(radius, 1.4 * cutoff)

    inside = np.arange(i.size) <= last[i]
    i, j, d = i[inside], j[inside], d[inside]
    counts = np.bincount(i, minlength=n)
    starts = np.cumsum(counts) - counts
    surroundings = np.zeros(n)
    for _ in range(ROUNDS):
        # The cosine makes the sum tell sets of neighbours apart that a linear sum would not.
        of_pairs = d * np.cos(crystal.numbers[j] + 10.0 * surroundings[j])
        surroundings = np.bincount(i, of_pairs, minlength=n) / np.maximum(counts, 1)

    neighbours = np.zeros((n, k), dtype=np.int32)
    distances = np.full((n, k), radius + 1.0, dtype=np.float32)
    for atom in range(n):
        of_atom = slice(starts[atom], starts[atom] + counts[atom])
        js, ds = j[of_atom], d[of_atom]
        if len(ds) > k:
            first = k - 1
            while first > 0 and ds[first] - ds[first - 1] <= TIE:
                first -= 1
            rank = np.lexsort((surroundings[js[first:]], -crystal.numbers[js[first:]]))
            js[first:], ds[first:] = js[first:][rank], ds[first:][rank]
        kept = min(k, len(ds))
        neighbours[atom, :kept] = js[:kept]
        distances[atom, :kept] = ds[:kept]
    return neighbours, distances


def _last_of_shell(
    d: NDArray[np.float64], starts: NDArray[np.int64], counts: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """Where, in pairs sorted by atom and distance, each atom's k-th neighbour and all that tie with it end."""
    last = starts + np.minimum(counts, k) - 1
    for atom in np.flatnonzero(counts > k):
        end = starts[atom] + counts[atom] - 1
        while last[atom] < end and d[last[atom] + 1] - d[last[atom]] <= TIE:
            last[atom] += 1
    return last


def pymatgen_neighbours(crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS) -> Neighbours:
    """The first ``k`` of pymatgen's neighbours, sorted by distance alone, as the authors' code takes them."""
    neighbours = np.zeros((len(crystal), k), dtype=np.int32)
    distances = np.full((len(crystal), k), radius + 1.0, dtype=np.float32)
    for atom, found in enumerate(crystal.to_pymatgen().get_all_neighbors(radius)):
        nearest = sorted(found, key=lambda neighbour: neighbour.nn_distance)[:k]
        neighbours[atom, : len(nearest)] = [neighbour.index for neighbour in nearest]
        distances[atom, : len(nearest)] = [neighbour.nn_distance for neighbour in nearest]
    return neighbours, distances


def has_tie(crystal: Crystal, *, k: int = MAX_NEIGHBOURS, radius: float = RADIUS, tolerance: float = 1e-2) -> bool:
    """Whether some atom's k-th and (k+1)-th neighbours are equally far, so that programs may choose differently."""
    _, distances = nearest_neighbours(crystal, k=k + 1, radius=radius)
    last, beyond = distances[:, k - 1], distances[:, k]
    return bool(np.any((np.abs(beyond - last) < tolerance) & (beyond <= radius)))
