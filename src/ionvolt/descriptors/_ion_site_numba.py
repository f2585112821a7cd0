"""Energies of an ion among the atoms of a host, and the way down to their minima, compiled; see ``ion_site``."""

# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

import numpy as np

from ionvolt.graphs._exponential_numba import exp_of_negative
from ionvolt.graphs.compilation import cached_njit


@cached_njit(nogil=True, fastmath=True)
def sums(points, positions, charges, lengths, reach, contact, softness, nearest):
    """Sums of charges by distance, of bond valences and of their squares, shape (n, 3); see ``ion_site.sums``.

    The atoms within reach are gathered first, so that the second loop has no branches and several go at once.
    """
    n = positions.shape[0]
    xs, ys, zs = (
        positions[:, 0].astype(np.float32), positions[:, 1].astype(np.float32), positions[:, 2].astype(np.float32)
    )  # fmt: skip
    touching, signed = np.exp(lengths / softness).astype(np.float32), charges.astype(np.float32)
    apart = np.empty(n, np.float32)
    squares, q, touch = np.empty(n + 1, np.float32), np.empty(n + 1, np.float32), np.empty(n + 1, np.float32)
    inverse, slope, farthest = np.float32(2 / reach), np.float32(1 / (reach * reach)), np.float32(reach * reach)
    least, steep, touches = np.float32(nearest * nearest), np.float32(-1 / softness), np.float32(contact)
    found = np.empty((points.shape[0], 3))
    for p in range(points.shape[0]):
        x, y, z = np.float32(points[p, 0]), np.float32(points[p, 1]), np.float32(points[p, 2])
        for i in range(n):
            dx, dy, dz = xs[i] - x, ys[i] - y, zs[i] - z
            apart[i] = dx * dx + dy * dy + dz * dz
        count = 0
        for i in range(n):  # each is written down, and written over unless it is in reach
            squares[count], q[count], touch[count] = apart[i], signed[i], touching[i]
            count += apart[i] < farthest
        of_charges, of_valences, of_squares = np.float32(0), np.float32(0), np.float32(0)
        for k in range(count):
            r = np.sqrt(max(squares[k], least))
            of_charges += q[k] * (np.float32(1) / r - inverse + r * slope)
            valence = touch[k] * exp_of_negative(r * steep) * np.float32(r < touches)
            of_valences += valence
            of_squares += valence * valence
        found[p, 0], found[p, 1], found[p, 2] = of_charges, of_valences, of_squares
    return found


@cached_njit(nogil=True, fastmath=True)
def _force(place, positions, charges, lengths, factors, form, force):
    """Energy at a place; its slope goes into ``force``, downwards."""
    reach, contact, softness, nearest = form
    energy = 0.0
    force[:] = 0.0
    for i in range(positions.shape[0]):
        dx, dy, dz = positions[i, 0] - place[0], positions[i, 1] - place[1], positions[i, 2] - place[2]
        square = dx * dx + dy * dy + dz * dz
        if square < reach * reach:
            r = max(np.sqrt(square), nearest)
            energy += factors[0] * charges[i] * (1 / r - 2 / reach + r / (reach * reach))
            pull = factors[0] * charges[i] * (1 / (reach * reach) - 1 / (r * r))
            if r < contact:
                valence = np.exp((lengths[i] - r) / softness)
                energy += (factors[1] + factors[2] * valence) * valence
                pull -= (factors[1] + 2 * factors[2] * valence) * valence / softness
            force[0] += pull * dx / r
            force[1] += pull * dy / r
            force[2] += pull * dz / r
    return energy


@cached_njit(nogil=True)
def descend(starts, positions, charges, lengths, factors, form, drift, longest, first, small, most):
    """Minima below some points, shape (n, 3), and their energies, shape (n,); see ``ion_site.descend``."""
    places, energies = starts.copy(), np.empty(len(starts))
    force, trial = np.empty(3), np.empty(3)
    for s in range(len(starts)):
        near = ((positions - starts[s]) ** 2).sum(1) < (form[0] + drift) ** 2
        some, q, length = positions[near], charges[near], lengths[near]
        place = places[s]
        energy = _force(place, some, q, length, factors, form, force)
        rate = first
        for _ in range(most):
            size = np.sqrt((force**2).sum())
            if size < small:
                break
            step = force * min(rate, longest / size)
            beyond = _force(place + step, some, q, length, factors, form, trial)
            if ((place + step - starts[s]) ** 2).sum() > drift**2:
                break
            if beyond > energy:
                rate = 0.3 * min(rate, longest / size)
                continue
            bend = (step * (force - trial)).sum()
            rate = (step**2).sum() / bend if bend > 0 else 2 * rate
            place += step
            energy = beyond
            force[:] = trial
        energies[s] = energy
    return places, energies
