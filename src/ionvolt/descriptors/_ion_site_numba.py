"""Energies of an ion among the atoms of a host, and the way down to their minima, compiled; see ``ion_site``."""
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001

from __future__ import annotations

import numpy as np

from ionvolt.graphs.compilation import cached_njit


@cached_njit(nogil=True, fastmath=True)
def sums(points, positions, charges, lengths, reach, contact, softness, nearest):
    """Sums of charges by distance, of bond valences and of their squares, shape (n, 3); see ``ion_site.sums``."""
    found = np.zeros((points.shape[0], 3))
    farthest, inverse, slope = reach * reach, 2 / reach, 1 / (reach * reach)
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        of_charges = 0.0
        of_valences = 0.0
        of_squares = 0.0
        for i in range(positions.shape[0]):
            dx, dy, dz = positions[i, 0] - x, positions[i, 1] - y, positions[i, 2] - z
            square = dx * dx + dy * dy + dz * dz
            if square < farthest:
                r = max(np.sqrt(square), nearest)
                of_charges += charges[i] * (1 / r - inverse + r * slope)
                if r < contact:
                    valence = np.exp((lengths[i] - r) / softness)
                    of_valences += valence
                    of_squares += valence * valence
        found[p, 0] = of_charges
        found[p, 1] = of_valences
        found[p, 2] = of_squares
    return found


@cached_njit(nogil=True, fastmath=True)
def descend(starts, positions, charges, lengths, factors, form, drift, first_step, last_step):
    """Minima below some points, shape (n, 3), and their energies, shape (n,)."""
    reach, contact, softness, nearest = form
    places, energies = starts.copy(), np.empty(len(starts))
    around = np.empty((6, 3))
    for s in range(len(starts)):
        near = ((positions - starts[s]) ** 2).sum(1) < (reach + drift) ** 2
        some, q, length = positions[near], charges[near], lengths[near]
        here = sums(starts[s : s + 1], some, q, length, reach, contact, softness, nearest)[0]
        energies[s] = (here * factors).sum()
        step = first_step
        while step > last_step:
            for k in range(3):
                around[k] = places[s]
                around[k, k] += step
                around[k + 3] = places[s]
                around[k + 3, k] -= step
            found = sums(around, some, q, length, reach, contact, softness, nearest)
            of_each = (found * factors).sum(1)
            best = np.argmin(of_each)
            if of_each[best] < energies[s] - 1e-9 and ((around[best] - starts[s]) ** 2).sum() <= drift**2:
                energies[s], places[s] = of_each[best], around[best]
            else:
                step /= 2
    return places, energies
