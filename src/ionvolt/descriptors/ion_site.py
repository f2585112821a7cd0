"""Where the ion would sit, and how well: its lowest energy among formal charges, as features of host and ion.

The energy is what the formal charges of the host do to the ion (a sum that ends smoothly at ``REACH``, after Wolf et
al., J. Chem. Phys. 110, 8254 (1999)), and a repulsion that grows with the bond valences of its contacts. It is no
voltage, but it ranks hosts: a cation gains more where anions lack charge and cations are far.
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
)

COULOMB = 14.399645
"""e² / (4 pi epsilon_0), eV Å."""
REACH = 5.0
"""Å: charges farther than this from the ion do not count."""
REPULSION, HARDNESS = 5.0, 1.0
"""eV for a bond of valence 1, and what comes on top for its square: no charge draws the ion into an atom's core."""
NEAREST = 0.1
"""Å: atoms nearer than this count as so far away."""

SPACING, MOST_POINTS = 1.0, 20_000
"""Å between the points that are tried first, and how many of these there are at the most."""
STARTS = 16
"""Lowest ones among them from which the minimum is sought."""
DRIFT = 1.5
"""Å from there at the most."""
LONGEST_STEP, FIRST_RATE = 0.3, 0.01
"""Å of a step at the most; Å of the first step for each eV/Å."""
SMALL_FORCE, MOST_STEPS = 2e-3, 60
"""eV/Å at which the minimum is found, and steps at the most."""

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
        Shape (n, len(ION_SITE_FEATURES)): the energy by the ion's charge and the potential there, V.
    """
    rows = [_features(host, ion, redox) for host, ion in zip(hosts, ions, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(hosts), len(ION_SITE_FEATURES))


def _features(crystal: Crystal, ion: str, redox: RedoxTable) -> tuple[float, float]:
    chosen = working_ion(ion)
    positions, atoms, outer = _in_and_around(crystal)
    lengths = redox.length[chosen.number, crystal.numbers]
    host = _Host(positions, formal_charges(crystal)[atoms], lengths[atoms])
    inner = _Host(*(values[~outer] for values in (host.positions, host.charges, host.lengths)))
    counts = _grid(crystal)
    frac = np.indices(counts).reshape(3, -1).T / np.array(counts) + _anchor(crystal, host)
    points = frac % 1 @ crystal.lattice
    factors = np.array([chosen.charge * COULOMB, REPULSION, HARDNESS])
    energies = sums(points, inner) @ factors
    places, energies = descend(points[_lowest(energies.reshape(counts))], host, factors)
    place = places[int(np.argmin(energies))]
    return float(energies.min()) / chosen.charge, COULOMB * float(sums(place[None], host)[0, 0])


def _anchor(crystal: Crystal, host: _Host) -> Array:
    """Fractional coordinates of an atom from which the grid begins, so that the cell's origin has no say, shape (3,).

    Of the rarest element, the one at which the charges around come to the least.
    """
    numbers, counts = np.unique(crystal.numbers, return_counts=True)
    rarest = crystal.wrapped[crystal.numbers == numbers[np.lexsort((-numbers, counts))[0]]]
    anchor: Array = rarest[int(np.argmin(np.round(sums(rarest @ crystal.lattice, host)[:, 0], 3)))]
    return anchor


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

    Steepest descent with steps as long as the last change of the slope suggests (Barzilai and Borwein, IMA J. Numer.
    Anal. 8, 141 (1988)).

    Args:
        starts: Å, shape (n, 3).
        host: The atoms.
        factors: eV for each of the ``sums``, shape (3,).
    """
    search = (DRIFT, LONGEST_STEP, FIRST_RATE, SMALL_FORCE, MOST_STEPS)
    try:
        from ionvolt.descriptors._ion_site_numba import descend as compiled
    except ImportError:
        found = [_descend(start, host, factors) for start in starts]
        return np.array([place for place, _ in found]), np.array([energy for _, energy in found])
    places, energies = compiled(starts, host.positions, host.charges, host.lengths, factors, _FORM, *search)
    return places, energies


def _descend(start: Array, host: _Host, factors: Array) -> tuple[Array, float]:
    """The compiled search with numpy, from one point."""
    place, rate = start, FIRST_RATE
    energy, force = _force(place, host, factors)
    for _ in range(MOST_STEPS):
        size = float(np.linalg.norm(force))
        if size < SMALL_FORCE:
            break
        step = force * min(rate, LONGEST_STEP / size)
        beyond, trial = _force(place + step, host, factors)
        if ((place + step - start) ** 2).sum() > DRIFT**2:
            break
        if beyond > energy:
            rate = 0.3 * min(rate, LONGEST_STEP / size)
            continue
        bend = float(step @ (force - trial))
        rate = float(step @ step) / bend if bend > 0 else 2 * rate
        place, energy, force = place + step, beyond, trial
    return place, energy


def _force(place: Array, host: _Host, factors: Array) -> tuple[float, Array]:
    """Energy of the ion at a place, eV, and its slope downwards, eV/Å, shape (3,)."""
    apart = host.positions - place
    r = np.maximum(np.linalg.norm(apart, axis=1), NEAREST)
    charges = np.where(r < REACH, factors[0] * host.charges, 0.0)
    valences = np.where(r < CONTACT, np.exp((host.lengths - r) / SOFTNESS), 0.0)
    energy = (charges * (1 / r - 2 / REACH + r / REACH**2)).sum()
    energy += ((factors[1] + factors[2] * valences) * valences).sum()
    pull = charges * (1 / REACH**2 - 1 / r**2) - (factors[1] + 2 * factors[2] * valences) * valences / SOFTNESS
    force: Array = (pull / r) @ apart
    return float(energy), force
