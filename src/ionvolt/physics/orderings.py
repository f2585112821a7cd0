"""Partly filled electrodes: the ways to leave some of the ions of a discharged cell out."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WorkingIon
from ionvolt.physics.interstitials import distances
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import symmetry_operations

FEWEST_IONS = 4
"""Ions in the cell from which they go step by step; smaller cells are repeated until they hold as many."""

MOST_ATOMS = 80
"""Atoms that a repeated cell may have."""

MOST_IONS = 12
"""Ions up to which all subsets are looked at; of larger cells one ion after the other is taken out."""

MOST_PER_FILLING = 8
"""Arrangements of a filling whose energy is computed, those with the ions farthest from each other."""


def supercell(discharged: Crystal, ion: WorkingIon) -> Crystal:
    """The smallest repetition of a cell, along its shortest axes, that holds ``FEWEST_IONS`` in ``MOST_ATOMS``."""
    cell = discharged
    while int((cell.numbers == ion.number).sum()) < FEWEST_IONS and 2 * len(cell) <= MOST_ATOMS:
        axis = int(np.argmin(np.linalg.norm(cell.lattice, axis=1)))
        scale = np.ones(3)
        scale[axis] = 2.0
        shift = np.zeros(3)
        shift[axis] = 0.5
        halves = cell.frac_coords / scale
        cell = replace(
            cell,
            lattice=cell.lattice * scale[:, None],
            numbers=np.tile(cell.numbers, 2),
            frac_coords=np.vstack([halves, halves + shift]),
        )
    return cell


def remove_sites(cell: Crystal, removed: NDArray[np.int64]) -> Crystal:
    """A cell with the atoms of these indices taken out."""
    return replace(cell, numbers=np.delete(cell.numbers, removed), frac_coords=np.delete(cell.frac_coords, removed, 0))


def symmetry_distinct_orderings(cell: Crystal, ion: WorkingIon, n_kept: int) -> list[NDArray[np.int64]]:
    """Symmetry-distinct ways to keep ``n_kept`` of a cell's working ions.

    Returns:
        For each way the indices of the atoms taken out; at most ``MOST_PER_FILLING``, the most spread ions first.
    """
    sites = np.flatnonzero(cell.numbers == ion.number)
    permutations = _permutations(cell, sites)
    apart = np.array([distances(cell.lattice, cell.frac_coords[site], cell.frac_coords[sites]) for site in sites])
    np.fill_diagonal(apart, np.inf)
    seen: set[tuple[int, ...]] = set()
    found: list[tuple[float, tuple[int, ...]]] = []
    for kept in combinations(range(len(sites)), n_kept):
        if kept in seen:
            continue
        seen |= {tuple(sorted(permutation[list(kept)])) for permutation in permutations}
        crowding_energy = float((1 / apart[np.ix_(kept, kept)]).sum()) if kept else 0.0
        found.append((round(crowding_energy, 6), kept))
    return [np.delete(sites, list(kept)) for _, kept in sorted(found)[:MOST_PER_FILLING]]


def _permutations(cell: Crystal, sites: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """What every symmetry operation of the cell makes of its working ions, as permutations of them."""
    frac = cell.frac_coords[sites]
    permutations = [np.arange(len(sites))]
    for rotation, translation in symmetry_operations(cell):
        images = frac @ rotation.T + translation
        offsets = images[:, None, :] - frac[None, :, :]
        offsets -= np.round(offsets)
        away = np.linalg.norm(offsets @ cell.lattice, axis=2)
        permutation = away.argmin(axis=1)
        if away.min(axis=1).max() < 0.1 and len(set(permutation)) == len(sites):
            permutations.append(permutation)
    return permutations


def without_farthest(crystal: Crystal, number: int, out: int) -> Crystal:
    """A crystal without ``out`` atoms of an element, each as far as can be from those taken out before it."""
    places = np.flatnonzero(crystal.numbers == number)
    gone: list[int] = [int(places[0])] if out else []
    while len(gone) < out:
        rest = np.setdiff1d(places, gone)
        apart = [distances(crystal.lattice, crystal.frac_coords[i], crystal.frac_coords[gone]).min() for i in rest]
        gone.append(int(rest[int(np.argmax(np.round(apart, 3)))]))
    keep: NDArray[np.bool_] = ~np.isin(np.arange(len(crystal)), gone)
    return replace(crystal, numbers=crystal.numbers[keep], frac_coords=crystal.frac_coords[keep])
