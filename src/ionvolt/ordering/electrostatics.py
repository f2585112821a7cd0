"""Electrostatic energies of the arrangements in one supercell, from a matrix that is made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.ordering.average import AverageCell
from ionvolt.ordering.rounding import EMPTY, Filling
from ionvolt.ordering.supercells import sites_of
from ionvolt.structures.crystal import SYMBOLS
from ionvolt.structures.spacegroup import TOLERANCE, ask_spglib
from ionvolt.typing import Array

TOO_NEAR = 0.7
"""Share of the sum of two covalent radii below which two sites are not filled together: halves of a split site."""

CLASH = 50.0
"""eV for two atoms that are too near: more than any arrangement gains from it."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A supercell whose disordered sites are to be filled.

    The energy of an arrangement is that of charges q on all sites, ``base`` + ``field`` · q + q · ``pairs`` · q over
    the disordered ones, and ``CLASH`` for every pair of atoms that are too near each other.

    Attributes:
        lattice: Cell vectors as rows, shape (3, 3), Å.
        frac_coords: Fractional coordinates of all sites, shape (n_sites, 3).
        fixed: Atomic number of the sites that are not disordered, shape (n_sites,); ``EMPTY`` on the others.
        sites: Indices of the disordered sites, shape (n,).
        groups: For each disordered site the index of its orbit, shape (n,).
        counts: For each orbit the atoms that it holds by atomic number.
        charges: Charge by atomic number, ``EMPTY`` included, shape (n_elements,).
        unit: Energies of unit charges, eV, shape (n_sites, n_sites), symmetric; the others come from it.
        base: eV.
        field: eV per elementary charge, shape (n,).
        pairs: eV per elementary charge squared, shape (n, n), symmetric.
        near: Whether two disordered sites are too near each other, 0 or 1, shape (n, n), symmetric.
        blocked: Atoms that are fixed and too near each disordered site, shape (n,).
        permutations: What the symmetry of the supercell makes of the disordered sites, shape (n_operations, n).
    """

    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    fixed: NDArray[np.int64]
    sites: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: Mapping[int, Mapping[int, int]]
    charges: Array
    unit: Array
    base: float
    field: Array
    pairs: Array
    near: Array
    blocked: Array
    permutations: NDArray[np.int64]

    def energies(self, arrangements: NDArray[np.int64]) -> Array:
        """Energies of arrangements, atomic numbers of the disordered sites, shape (m, n); result (m,), eV."""
        q = self.charges[arrangements]
        there = (arrangements != EMPTY).astype(np.float64)
        found: Array = self.base + q @ self.field + np.einsum("mi,mi->m", q @ self.pairs, q)
        return found + CLASH * self.clashes(there)

    def clashes(self, there: Array) -> Array:
        """Pairs of atoms that are too near each other; ``there`` is 1 for an atom and 0 for none, shape (m, n)."""
        found: Array = there @ self.blocked + np.einsum("mi,mi->m", there @ self.near, there) / 2
        return found


def build_cell(cell: AverageCell, filled: Filling, matrix: NDArray[np.int64], charges: Mapping[int, float]) -> Cell:
    """A supercell with its matrix of pair energies.

    Args:
        cell: The primitive cell.
        filled: What the disordered orbits hold.
        matrix: The supercell's vectors in the primitive ones, as rows.
        charges: By atomic number.
    """
    lattice, frac, orbits = sites_of(cell, matrix)
    disordered = np.isin(orbits, list(filled.counts))
    elements = [EMPTY if orbit in filled.counts else next(iter(cell.occupancies[orbit])) for orbit in orbits]
    fixed = np.array(elements, dtype=np.int64)
    sites = np.flatnonzero(disordered)
    by_number = np.zeros(len(SYMBOLS))
    for z, charge in charges.items():
        by_number[z] = charge
    unit = _unit_energies(lattice, frac)
    q = by_number[fixed]
    near = _near(lattice, frac, _radii(cell, filled, fixed, orbits))
    return Cell(
        lattice=lattice,
        frac_coords=frac,
        fixed=fixed,
        sites=sites,
        groups=orbits[sites],
        counts=filled.counts,
        charges=by_number,
        unit=unit,
        base=float(q @ unit @ q),
        field=2.0 * (unit @ q)[sites],
        pairs=unit[np.ix_(sites, sites)],
        near=near[np.ix_(sites, sites)],
        blocked=near[np.ix_(sites, ~disordered)].sum(axis=1),
        permutations=permutations(lattice, frac, orbits, sites),
    )


def permutations(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], kinds: NDArray[np.int64], sites: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What the symmetry of a supercell makes of some of its sites, shape (n_operations, n).

    Args:
        lattice: Cell vectors as rows.
        frac: Coordinates of all sites.
        kinds: What tells the sites apart, shape (n_sites,).
        sites: Indices of the sites that are permuted.
    """
    found = ask_spglib("get_symmetry", (lattice.tolist(), frac.tolist(), (kinds + 1).tolist()), symprec=TOLERANCE)
    places = frac[sites]
    kept = [np.arange(len(sites), dtype=np.int64)[None]]
    if found is not None:
        for rotation, shift in zip(found["rotations"], found["translations"], strict=True):
            offsets = (places @ rotation.T + shift)[:, None, :] - places[None, :, :]
            offsets -= np.rint(offsets)
            away = ((offsets @ lattice) ** 2).sum(axis=2)
            image = away.argmin(axis=1)
            if away.min(axis=1).max() < 0.05 and len(np.unique(image)) == len(sites):
                kept.append(image[None])
    return np.unique(np.vstack(kept), axis=0)


def _unit_energies(lattice: NDArray[np.float64], frac: NDArray[np.float64]) -> Array:
    """Ewald's sum for unit charges in eV, shape (n, n): q · M · q is the energy, but for the neutral background's."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core.structure import Structure

    structure = Structure(lattice, ["H+"] * len(frac), frac)
    sums = EwaldSummation(structure)  # type: ignore[no-untyped-call]
    matrix = np.asarray(sums.total_energy_matrix, dtype=np.float64)
    return (matrix + matrix.T) / 2


def _radii(cell: AverageCell, filled: Filling, fixed: NDArray[np.int64], orbits: NDArray[np.int64]) -> Array:
    """The smallest covalent radius of what a site may hold, Å, shape (n_sites,)."""
    import gemmi

    radius = {
        orbit: min(float(gemmi.Element(z).covalent_r) for z in held if z != EMPTY) if any(held) else 0.0
        for orbit, held in filled.counts.items()
    }
    return np.array(
        [
            radius[int(orbit)] if orbit in radius else float(gemmi.Element(int(z)).covalent_r)
            for orbit, z in zip(orbits, fixed, strict=True)
        ]
    )


def _near(lattice: NDArray[np.float64], frac: NDArray[np.float64], radii: Array) -> Array:
    """Whether two sites, images included, are nearer than ``TOO_NEAR`` allows, 0 or 1, shape (n, n)."""
    from ionvolt.physics.interstitials import distances

    apart = np.array([distances(lattice, place, frac) for place in frac])
    np.fill_diagonal(apart, np.inf)
    return (apart < TOO_NEAR * (radii[:, None] + radii[None, :])).astype(np.float64)
