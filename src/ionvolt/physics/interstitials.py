"""Where an ion could sit in a host: the voids between its atoms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.chemistry import ANION_RADII, IONIC_RADII
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import symmetry_operations
from ionvolt.structures.wording import refusal

MIN_FREE_RADIUS = 1.5
"""Å from a void's centre to the nearest atom: shorter than any bond of a working ion, for the host will give way."""

SAME_SITE = 0.5
"""Å below which two voids are one."""

SAME_DISTANCE = 1e-3
"""Å within which atoms are equally far from a void."""

MAX_ORBITS = 12
"""Symmetry-distinct voids that are looked at, the widest first."""

REACHES = (4.0, 8.0)
"""Å of surroundings that are laid around the cell. The second is more than the radius of any void that counts; where
all voids are narrower than the first, it gives the same ones."""

MISFIT_COST, SQUEEZE_COST = 0.3, 2.0
"""How far a cation has to be, in Å, to make up for 1 Å by which the bond to the nearest anion is too long or too short,
and what comes on top where it is too short."""

FAR_CATION = 3.2
"""Å beyond which the nearest cation does not matter."""


@dataclass(frozen=True, eq=False)
class InterstitialSite:
    """A void of a host and all that symmetry makes of it.

    Attributes:
        free_radius: Å from its centre to the nearest atom.
        frac_coords: All its equivalents in the cell, shape (multiplicity, 3), float64; the first stands for all.
    """

    free_radius: float
    frac_coords: NDArray[np.float64]


def find_interstitials(host: Crystal, free_radius: float = MIN_FREE_RADIUS) -> list[InterstitialSite]:
    """Symmetry-distinct voids of a host, the widest first: vertices of the Voronoi cells of its atoms.

    A vertex is as far from its nearest atoms as a point can be; octahedral and tetrahedral sites are such points.

    Raises:
        InputError: All atoms lie in one plane, with a vacuum beside it.
    """
    points, free_radii = _vertices(host)
    order = np.argsort(-np.round(free_radii, 3), kind="stable")
    operations = symmetry_operations(host)
    sites: list[InterstitialSite] = []
    taken = np.zeros((0, 3))
    for k in order:
        if free_radii[k] < free_radius or len(sites) == MAX_ORBITS:
            break
        if taken.size and distances(host.lattice, points[k], taken).min() < SAME_SITE:
            continue
        orbit = points[k : k + 1]
        for rotation, translation in operations:
            image = (rotation @ points[k] + translation) % 1.0
            if distances(host.lattice, image, orbit).min() >= SAME_SITE:
                orbit = np.vstack([orbit, image])
        sites.append(InterstitialSite(float(free_radii[k]), orbit))
        taken = np.vstack([taken, orbit])
    return sites


def rank_sites(host: Crystal, ion: str, sites: list[InterstitialSite]) -> list[InterstitialSite]:
    """Voids in the order in which an ion likes them: anions near its bond length, cations far.

    A cheap stand-in for the energy: among 59 hosts with twelve voids the one of lowest energy was, but for 0.01 V on
    average, one of the first three.
    """
    anions = np.isin(host.numbers, list(ANION_RADII))

    def fit(site: InterstitialSite) -> float:
        away = distances(host.lattice, site.frac_coords[0], host.frac_coords)
        if not anions.any():
            return float(away.min())
        # Several atoms are equally near to a void. Of anions the smallest counts: P of a phosphate is none of them.
        nearest = away[anions].min()
        near = anions & (away < nearest + SAME_DISTANCE)
        stretch = nearest - IONIC_RADII[ion] - min(ANION_RADII[number] for number in host.numbers[near].tolist())
        cation = away[~anions].min() if not anions.all() else np.inf
        return float(SQUEEZE_COST * min(stretch, 0.0) + min(cation, FAR_CATION) - MISFIT_COST * abs(stretch))

    return sorted(sites, key=fit, reverse=True)


def crowding_energy(lattice: NDArray[np.float64], point: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Sum of 1/d^4 over the images of other ions up to the next cells, Å^-4: a measure of crowding."""
    return float((_squares(lattice, point, others) ** -2).sum())


def distances(
    lattice: NDArray[np.float64], point: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shortest distances in Å from a point to others, images included; fractional coordinates, result (n,)."""
    return np.asarray(np.sqrt(_squares(lattice, point, others).min(axis=1)), dtype=np.float64)


def _squares(
    lattice: NDArray[np.float64], point: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distances in Å^2 from a point to others and their images in the next cells, shape (n, 27)."""
    offsets = others - point
    offsets -= np.round(offsets)
    images = np.array(list(product((-1, 0, 1), repeat=3)))
    vectors = (offsets[:, None, :] + images[None, :, :]) @ lattice
    return np.asarray((vectors**2).sum(axis=2), dtype=np.float64)


def _vertices(host: Crystal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Voronoi vertices in the cell, fractional, shape (n, 3), and how far each is from the nearest atom, Å.

    Raises:
        InputError: The atoms lie in one plane.
    """
    from scipy.spatial import QhullError

    for reach in REACHES:
        try:
            points, free_radii = _vertices_within(host, reach)
        except QhullError as error:
            if reach == REACHES[-1]:
                raise refusal(
                    host.source,
                    f"its atoms lie in one plane, with nothing within {reach:g} Å of it",
                    "Give the bulk crystal: a layer in a vacuum is no host",
                ) from error
            continue
        # The nearest atoms of a point of the cell are all there if they are within reach.
        if free_radii.size and free_radii.max() < reach:
            break
    return points, free_radii


def _vertices_within(host: Crystal, reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same with the atoms up to ``reach`` (Å) around the cell."""
    from scipy.spatial import Voronoi, cKDTree

    heights = host.volume / np.linalg.norm(
        np.cross(host.lattice[[1, 2, 0]], host.lattice[[2, 0, 1]]), axis=1
    )  # distances between opposite faces of the cell
    margin = reach / heights
    shifts = np.array(list(product(*(range(-n, n + 1) for n in np.ceil(margin).astype(int)))))
    frac = host.wrapped
    around = (frac[None, :, :] + shifts[:, None, :]).reshape(-1, 3)
    around = around[((around > -margin) & (around < 1 + margin)).all(axis=1)]
    cartesian = around @ host.lattice
    vertices = Voronoi(cartesian).vertices
    inside = vertices @ np.linalg.inv(host.lattice)
    keep = ((inside > -1e-6) & (inside < 1 - 1e-6)).all(axis=1)
    free_radii, _ = cKDTree(cartesian).query(vertices[keep])
    return inside[keep] % 1.0, np.asarray(free_radii, dtype=np.float64)
