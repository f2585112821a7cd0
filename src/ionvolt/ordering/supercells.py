"""Supercells of a primitive cell: how large, and in which shapes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ionvolt.ordering.average import AverageCell
from ionvolt.ordering.rounding import Filling, filling
from ionvolt.structures.spacegroup import ask_spglib

GOOD_FIT = 0.01
"""Share of the disordered sites that may be rounded without a search for a larger cell that fits better."""


def choose_filling(cell: AverageCell, max_atoms: int) -> Filling:
    """The size of the supercell and what it holds.

    Of the sizes that hold at most ``max_atoms`` atoms those count whose rounding is good (``GOOD_FIT``), or, where none
    is, the best. Of the larger half of these, that with the most divisors is taken: it holds the orderings of the most
    smaller cells. A primitive cell that is larger than ``max_atoms`` is taken once.
    """
    most = max(1, int(max_atoms / cell.n_atoms + 1e-9))
    found = [filling(cell, size) for size in range(1, most + 1)]
    limit = max(GOOD_FIT, min(one.error for one in found) + 1e-9)
    good = [one for one in found if one.error <= limit]
    large = [one for one in good if 2 * one.size > good[-1].size]
    return max(large, key=lambda one: (sum(one.size % d == 0 for d in range(1, one.size + 1)), one.size))


def shapes(cell: AverageCell, size: int, most: int) -> list[NDArray[np.int64]]:
    """Supercells of so many primitive cells that symmetry does not make of each other, the most compact first.

    Returns:
        At most ``most`` matrices, shape (3, 3), whose rows are the supercell's vectors in the primitive ones.
    """
    inverse = np.linalg.inv(cell.lattice)
    reduced = []
    for matrix in _normal_forms(size):
        vectors = ask_spglib("niggli_reduce", (matrix @ cell.lattice).tolist())
        if vectors is None:
            vectors = matrix @ cell.lattice
        whole = np.rint(vectors @ inverse).astype(np.int64)
        handed = whole if np.linalg.det(whole) > 0 else -whole
        reduced.append((float((np.asarray(vectors) ** 2).sum()), handed))
    reduced.sort(key=lambda one: round(one[0], 4))
    kept: list[NDArray[np.int64]] = []
    seen: set[bytes] = set()
    for _, matrix in reduced:
        if normal_form(matrix).tobytes() in seen:
            continue
        seen |= {normal_form(matrix @ rotation.T).tobytes() for rotation in cell.rotations}
        kept.append(matrix)
        if len(kept) == most:
            break
    return kept


def normal_form(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hermite's normal form of the lattice that rows of integers span: equal for equal lattices; (3, 3), upper."""
    rows = matrix.copy()
    for k in range(3):
        while np.count_nonzero(rows[k:, k]) > 1:
            pivot = k + int(np.argmin(np.where(rows[k:, k] == 0, np.iinfo(np.int64).max, np.abs(rows[k:, k]))))
            rows[[k, pivot]] = rows[[pivot, k]]
            for i in range(k + 1, 3):
                rows[i] -= (rows[i, k] // rows[k, k]) * rows[k]
        if rows[k, k] == 0:
            pivot = k + int(np.argmax(np.abs(rows[k:, k])))
            rows[[k, pivot]] = rows[[pivot, k]]
        if rows[k, k] < 0:
            rows[k] = -rows[k]
        for i in range(k):
            rows[i] -= (rows[i, k] // rows[k, k]) * rows[k]
    return rows


def sites_of(
    cell: AverageCell, matrix: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The sites of a supercell.

    Returns:
        Its lattice, shape (3, 3), Å; fractional coordinates, shape (n, 3); for each site its orbit, shape (n,).
    """
    diagonal = np.diag(normal_form(matrix))
    shifts = np.array(list(np.ndindex(*diagonal.tolist())), dtype=np.float64)
    places = (cell.frac_coords[:, None, :] + shifts[None, :, :]).reshape(-1, 3)
    frac = places @ np.linalg.inv(matrix)
    frac -= np.floor(frac + 1e-9)
    return matrix @ cell.lattice, frac, np.repeat(cell.orbits, len(shifts))


def _normal_forms(size: int) -> Iterator[NDArray[np.int64]]:
    """All of a determinant."""
    for a in range(1, size + 1):
        if size % a:
            continue
        for b in range(1, size // a + 1):
            if (size // a) % b:
                continue
            c = size // a // b
            for d in range(b):
                for e in range(c):
                    for f in range(c):
                        yield np.array([[a, d, e], [0, b, f], [0, 0, c]], dtype=np.int64)
