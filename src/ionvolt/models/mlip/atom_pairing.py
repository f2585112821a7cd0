"""Which atom of one crystal is which of another: both end members of an electrode, a cell and its primitive cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ionvolt.ions import WorkingIon
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Indices

MOVED = 0.8
"""Å that an atom may lie from its partner where both crystals list their atoms in one order."""

SAME_PLACE = 0.1
"""Å within which an atom of a cell lies on its image in the primitive cell."""

MOST_MATCHED = 100
"""Atoms of a framework beyond which partners are not searched for."""


def charged_onto_discharged(discharged: Crystal, charged: Crystal, ion: WorkingIon) -> tuple[Array, bool]:
    """How what belongs to the atoms of the charged crystal is shared out among those of the discharged one.

    An atom of the framework gets what belongs to its partner. Where partners cannot be told, every atom gets the mean
    over its element; so do ions that stay in the charged crystal.

    Returns:
        Shape (n_discharged, n_charged), columns add up to 1; and whether partners were found.
    """
    shared = np.array(discharged.numbers[:, None] == charged.numbers[None], dtype=np.float64)
    shared /= np.maximum(shared.sum(0), 1)
    partners = _partners(*(_framework(crystal, ion) for crystal in (discharged, charged)))
    if partners is None:
        return shared, False
    ours, theirs = (np.flatnonzero(crystal.numbers != ion.number) for crystal in (discharged, charged))
    shared[:, theirs] = 0
    shared[ours, theirs[partners]] = 1
    return shared, True


def _framework(crystal: Crystal, ion: WorkingIon) -> Crystal:
    keep = crystal.numbers != ion.number
    return replace(crystal, numbers=crystal.numbers[keep], frac_coords=crystal.frac_coords[keep])


def _partners(one: Crystal, other: Crystal) -> Indices | None:
    """For each atom of ``one`` the same atom of ``other``; None where that is not clear."""
    if sorted(one.numbers) != sorted(other.numbers):
        return None
    if np.array_equal(one.numbers, other.numbers) and np.allclose(one.lattice, other.lattice, rtol=0.15, atol=0.5):
        away = other.frac_coords - one.frac_coords
        away -= np.round(away)
        if np.linalg.norm((away - away.mean(0)) @ one.lattice, axis=1).max() < MOVED:
            return np.arange(len(one))
    return _matched(one, other) if len(one) <= MOST_MATCHED else None


def _matched(one: Crystal, other: Crystal) -> Indices | None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5, primitive_cell=False, scale=True)
    found = matcher.get_transformation(one.to_pymatgen(), other.to_pymatgen())  # type: ignore[no-untyped-call]
    if found is None:
        return None
    partners = np.array(found[2][: len(one)], dtype=np.int64)
    right = len(set(partners.tolist())) == len(one) and np.array_equal(other.numbers[partners], one.numbers)
    return partners if right else None


def images_of_cell(crystal: Crystal, cell: Crystal) -> tuple[Indices, Array] | None:
    """How a crystal is made up of a primitive cell of it.

    Returns:
        For each atom of the crystal the atom of the cell whose image it is, shape (n_atoms,), and the shifts at which
        the cell stands in the crystal, Å, shape (n_cells, 3). None where the cell does not lie in the crystal.
    """
    places, ours = crystal.frac_coords @ crystal.lattice, cell.frac_coords @ cell.lattice
    away = (places[:, None] - ours[None]) @ np.linalg.inv(cell.lattice)
    distance = np.linalg.norm((away - np.round(away)) @ cell.lattice, axis=2)
    distance[crystal.numbers[:, None] != cell.numbers[None]] = np.inf
    owner = distance.argmin(1)
    shifts = places[owner == 0] - ours[0]
    if distance.min(1).max() > SAME_PLACE or (np.bincount(owner, minlength=len(cell)) != len(shifts)).any():
        return None
    return owner.astype(np.int64), shifts


def with_atoms(crystal: Crystal, number: int, places: Array) -> Crystal:
    """A crystal with atoms of an element added behind, at Cartesian coordinates in Å, shape (n, 3)."""
    frac = places @ np.linalg.inv(crystal.lattice)
    return replace(
        crystal,
        numbers=np.append(crystal.numbers, np.full(len(places), number)),
        frac_coords=np.vstack([crystal.frac_coords, frac - np.floor(frac)]),
    )
