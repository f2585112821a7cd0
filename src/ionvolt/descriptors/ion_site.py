"""Where the ion would sit, and how well: its lowest energy among formal charges, as features of host and ion.

The energy is what the formal charges of the host do to the ion (a sum that ends smoothly at ``REACH``, after Wolf et al.,
J. Chem. Phys. 110, 8254 (1999)), and a repulsion that grows with the bond valences of its contacts. It is no voltage, but
it ranks hosts: a cation gains more where anions lack charge and cations are far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.descriptors.redox import REACH as CONTACT
from ionvolt.descriptors.redox import SOFTNESS, RedoxTable
from ionvolt.ions import working_ion
from ionvolt.structures.charge_balance import formal_charges
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Indices, Mask

ION_SITE_FEATURES: tuple[str, ...] = (
    "site energy / ion charge",
    "site potential",
    "site bond valence / ion charge",
    "site distance less that of valence 1",
)

COULOMB = 14.399645
"""e² / (4 pi epsilon_0), eV Å."""
REACH = 5.0
"""Å: charges farther than this from the ion do not count."""
REPULSION, HARDNESS = 5.0, 1.0
"""eV for a bond of valence 1, and what comes on top for its square: no charge draws the ion into an atom's core."""
NEAREST = 0.1
"""Å: atoms nearer than this count as so far away."""

SPACING, MOST_POINTS = 1.2, 20_000
"""Å between the points that are tried first, and how many of these there are at the most."""
STARTS = 6
"""Lowest ones among them from which the minimum is sought."""
DRIFT = 1.5
"""Å from there at the most."""
FIRST_STEP, LAST_STEP = 0.4, 0.01
"""Å of a step, halved when no direction leads down, until the second is reached."""

_FORM = (REACH, CONTACT, SOFTNESS, NEAREST)
_POINTS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class _Host:
    """The N atoms in and around a cell.

    Attributes:
        positions: Å, shape (N, 3).
        charges: Formal charges, shape (N,).
        lengths: Of bonds of valence 1 to the ion, Å, shape (N,).
    """

    positions: Array
    charges: Array
    lengths: Array


def ion_site_features(hosts: Sequence[Crystal], ions: Sequence[str], redox: RedoxTable) -> Array:
    """Features of ions in hosts.

    Args:
        hosts: Charged hosts.
        ions: Symbol of the working ion of each.
        redox: Lengths of bonds.

    Returns:
        Shape (n, len(ION_SITE_FEATURES)): energy in eV by the ion's charge, potential in V, bond valence by charge, Å.
    """
    rows = [_features(host, ion, redox) for host, ion in zip(hosts, ions, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(hosts), len(ION_SITE_FEATURES))


def _features(crystal: Crystal, ion: str, redox: RedoxTable) -> tuple[float, float, float, float]:
    chosen = working_ion(ion)
    positions, atoms, outer = _in_and_around(crystal)
    lengths = redox.length[chosen.number, crystal.numbers]
    host = _Host(positions, formal_charges(crystal)[atoms], lengths[atoms])
    inner = _Host(*(values[~outer] for values in (host.positions, host.charges, host.lengths)))
    counts = _grid(crystal)
    points = np.indices(counts).reshape(3, -1).T / np.array(counts) @ crystal.lattice
    factors = np.array([chosen.charge * COULOMB, REPULSION, HARDNESS])
    energies = sums(points, inner) @ factors
    places, energies = descend(points[_lowest(energies.reshape(counts))], host, factors)
    place = places[int(np.argmin(energies))]
    of_charges, of_valences, _ = sums(place[None], host)[0]
    gap = (np.linalg.norm(host.positions - place, axis=1) - host.lengths).min()
    return float(energies.min()) / chosen.charge, COULOMB * of_charges, of_valences / chosen.charge, float(gap)


def _grid(crystal: Crystal) -> tuple[int, int, int]:
    """How many points along each vector of the cell."""
    edges = np.linalg.norm(crystal.lattice, axis=1)
    spacing = max(SPACING, SPACING * float(np.prod(edges / SPACING) / MOST_POINTS) ** (1 / 3))
    a, b, c = (max(3, round(float(edge) / spacing)) for edge in edges)
    return a, b, c


def _lowest(energies: Array) -> Indices:
    """The lowest points of a periodic grid that are no higher than their neighbours."""
    low = np.ones(energies.shape, dtype=bool)
    for axis in range(3):
        for step in (-1, 1):
            low &= energies <= np.roll(energies, step, axis)
    found = np.flatnonzero(low)
    lowest: Indices = found[np.argsort(energies.ravel()[found], kind="stable")[:STARTS]]
    return lowest


def _in_and_around(crystal: Crystal) -> tuple[Array, Indices, Mask]:
    """Positions of atoms in and around the cell, Å, which these are, and which an ion in the cell does not reach."""
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    margin = (REACH + DRIFT) / heights
    steps = [np.arange(-np.ceil(m), np.ceil(m) + 1) for m in margin]
    cells = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    frac = (crystal.wrapped[:, None] + cells).reshape(-1, 3)
    beyond = np.abs(frac - 0.5) - 0.5
    near = np.flatnonzero((beyond < margin).all(1))
    outer = (beyond[near] * heights > REACH).any(1)
    positions: Array = frac[near] @ crystal.lattice
    return positions, near // len(cells), outer


def sums(points: Array, host: _Host) -> Array:
    """Sums of charges by distance (1/Å), of bond valences and of their squares at points, shape (n, 3)."""
    try:
        from ionvolt.descriptors._ion_site_numba import sums as compiled
    except ImportError:
        return np.vstack([_sums(points[i : i + _POINTS_AT_ONCE], host) for i in range(0, len(points), _POINTS_AT_ONCE)])
    found: Array = compiled(points, host.positions, host.charges, host.lengths, *_FORM)
    return found


def _sums(points: Array, host: _Host) -> Array:
    squares = (points**2).sum(1)[:, None] + (host.positions**2).sum(1) - 2 * points @ host.positions.T
    r = np.sqrt(np.maximum(squares, NEAREST**2))
    of_charges = np.where(r < REACH, 1 / r - 2 / REACH + r / REACH**2, 0.0) @ host.charges
    valences = np.where(r < CONTACT, np.exp((host.lengths - r) / SOFTNESS), 0.0)
    return np.column_stack([of_charges, valences.sum(1), (valences**2).sum(1)])


def descend(starts: Array, host: _Host, factors: Array) -> tuple[Array, Array]:
    """Minima below some points, Å, shape (n, 3), and their energies, eV, shape (n,).

    Args:
        starts: Å, shape (n, 3).
        host: The atoms.
        factors: eV for each of the ``sums``, shape (3,).
    """
    search = (DRIFT, FIRST_STEP, LAST_STEP)
    try:
        from ionvolt.descriptors._ion_site_numba import descend as compiled
    except ImportError:
        return _descend(starts, host, factors)
    places, energies = compiled(starts, host.positions, host.charges, host.lengths, factors, _FORM, *search)
    return places, energies


def _descend(starts: Array, host: _Host, factors: Array) -> tuple[Array, Array]:
    directions = np.vstack([np.eye(3), -np.eye(3)])
    places, steps = starts.copy(), np.full(len(starts), FIRST_STEP)
    energies = sums(places, host) @ factors
    while (moving := np.flatnonzero(steps > LAST_STEP)).size:
        around = places[moving, None] + steps[moving, None, None] * directions
        of_each = (sums(around.reshape(-1, 3), host) @ factors).reshape(-1, len(directions))
        best = of_each.argmin(1)
        lower = of_each.min(1)
        drifted = ((around[np.arange(len(moving)), best] - starts[moving]) ** 2).sum(1) > DRIFT**2
        down = (lower < energies[moving] - 1e-9) & ~drifted
        places[moving[down]] = around[down, best[down]]
        energies[moving[down]] = lower[down]
        steps[moving[~down]] /= 2
    return places, energies
