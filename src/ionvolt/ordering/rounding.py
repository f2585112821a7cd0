"""Whole atoms from occupancies: how many of each element a supercell holds on each orbit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.ordering.average import AverageCell
from ionvolt.structures.crystal import SYMBOLS

EMPTY = 0
"""Stands among atomic numbers for a vacancy."""

_WHOLE = 1e-6


@dataclass(frozen=True)
class Filling:
    """What the disordered orbits of a supercell hold.

    Attributes:
        size: Primitive cells in the supercell.
        counts: For each disordered orbit, by its index, the number of atoms by atomic number; ``EMPTY`` counts
            vacancies. The numbers of an orbit add up to its sites.
        error: Share of the disordered sites that hold something else than the occupancies say.
    """

    size: int
    counts: dict[int, dict[int, int]]
    error: float


def filling(cell: AverageCell, size: int) -> Filling:
    """Round the occupancies to whole atoms of a supercell.

    No number is rounded by one atom or more, what an orbit holds adds up, and the composition of the whole comes before
    that of single orbits.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    wanted = _wanted(cell, size)
    if not wanted:
        return Filling(size, {}, 0.0)
    keys = list(wanted)
    exact = np.array([wanted[key] for key in keys])
    orbits = list(dict.fromkeys(orbit for orbit, _ in keys))
    elements = list(dict.fromkeys(z for _, z in keys))
    of_orbit = np.array([[float(key[0] == orbit) for key in keys] for orbit in orbits])
    of_element = np.array([[float(key[1] == z) for key in keys] for z in elements])
    n, m = len(keys), len(elements)
    # Unknowns: whole numbers, their distances from the exact ones, and the same of the sums over orbits.
    zero, one = np.zeros((n, m)), np.eye(n)
    apart = np.vstack([np.hstack([one, -one, zero]), np.hstack([-one, -one, zero])])
    sums = np.hstack([of_element, np.zeros((m, n)), -np.eye(m)])
    other = np.hstack([-of_element, np.zeros((m, n)), -np.eye(m)])
    whole = np.rint(of_orbit @ exact)
    constraints = [
        LinearConstraint(np.hstack([of_orbit, np.zeros((len(orbits), n + m))]), whole, whole),
        LinearConstraint(apart, -np.inf, np.concatenate([exact, -exact])),
        LinearConstraint(np.vstack([sums, other]), -np.inf, np.concatenate([of_element @ exact, -of_element @ exact])),
    ]
    low, high = np.floor(exact + _WHOLE), np.ceil(exact - _WHOLE)
    found = milp(
        np.concatenate([np.zeros(n), np.ones(n), np.full(m, 4.0)]),
        integrality=np.concatenate([np.ones(n), np.zeros(n + m)]),
        bounds=Bounds(
            np.concatenate([low, np.zeros(n + m)]), np.concatenate([np.maximum(high, low), np.full(n + m, np.inf)])
        ),
        constraints=constraints,
    )
    # Floors and ceilings of numbers that add up to a whole one always hold a solution.
    numbers = np.rint(found.x[:n]).astype(int)
    counts: dict[int, dict[int, int]] = {orbit: {} for orbit in orbits}
    for (orbit, z), number in zip(keys, numbers, strict=True):
        if number:
            counts[orbit][z] = int(number)
    return Filling(size, counts, float(np.abs(numbers - exact).sum() / 2 / exact.sum()))


def described(cell: AverageCell, filled: Filling) -> list[str]:
    """Each occupancy that was rounded by more than its digits, in words."""
    notes = []
    for (orbit, z), exact in _wanted(cell, filled.size).items():
        sites = filled.size * int(cell.multiplicities[orbit])
        number = filled.counts[orbit].get(z, 0)
        if z != EMPTY and abs(number - exact) > 0.005 * sites:
            stated = cell.occupancies[orbit][z]
            notes.append(f"{SYMBOLS[z]} {stated:.3g} of a site is rounded to {number} of {sites}")
    return notes


def _wanted(cell: AverageCell, size: int) -> dict[tuple[int, int], float]:
    """Atoms of each disordered orbit and element that the occupancies ask for, vacancies included."""
    wanted: dict[tuple[int, int], float] = {}
    for orbit, site in enumerate(cell.occupancies):
        if len(site) == 1 and min(site.values()) == 1.0:
            continue
        sites = size * float(cell.multiplicities[orbit])
        total = sum(site.values())
        scale = 1.0 / total if total > 1.0 - 5e-4 else 1.0
        wanted |= {(orbit, z): occupancy * scale * sites for z, occupancy in site.items()}
        if scale == 1.0 and total < 1.0:
            wanted[orbit, EMPTY] = (1.0 - total) * sites
    return wanted
