"""How a host is built, in numbers: density, shape of the cell, coordination and distances by element class.

Nothing here depends on the order of atoms or on which cell describes the crystal: the shape is that of the reduced
primitive cell, everything else an average over atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.elements import N_ELEMENTS, ElementTable
from ionvolt.graphs import RADIUS, nearest_neighbours
from ionvolt.structures.chemistry import ANIONS, D_METALS, NONMETALS
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_lattice
from ionvolt.typing import Array

NEIGHBOURS = 24
"""Looked at for each atom."""

SITE_CLASSES = ("d metal", "other metal", "nonmetal", "anion")


def _site_class(z: int) -> int:
    if z in ANIONS:
        return 3
    if z in NONMETALS:
        return 2
    return 0 if z in D_METALS else 1


SITE_CLASS = np.array([_site_class(z) for z in range(N_ELEMENTS + 1)])

_SPREAD = ("mean", "std", "min", "max")
_SITE_SPREAD = ("nearest distance", "bond length", "coordination")
_SITE_MEAN = ("bond distortion", "nearest distance / covalent radii", "share of anions around")
_DIFFERENCES = ("Electronegativity", "CovalentRadius", "FirstIonisation", "NValence", "Column", "Row")
_GROUPS = ("all atoms", *SITE_CLASSES)
_PAIRS = tuple(combinations_with_replacement(range(len(SITE_CLASSES)), 2))

STRUCTURE_FEATURES: tuple[str, ...] = (
    "density",
    "volume per atom",
    "packing fraction",
    "volume per anion",
    "d metals per volume",
    "atoms in the primitive cell",
    "cell a / c",
    "cell b / c",
    "cell alpha",
    "cell beta",
    "cell gamma",
    *(f"{stat} {name}, {group}" for group in _GROUPS for name in _SITE_SPREAD for stat in _SPREAD),
    *(f"mean {name}, {group}" for group in _GROUPS for name in _SITE_MEAN),
    *(f"shortest {SITE_CLASSES[a]} to {SITE_CLASSES[b]}" for a, b in _PAIRS),
    *(f"{stat} local difference of {name}" for name in _DIFFERENCES for stat in _SPREAD),
)

_U_TO_G_CM3 = 1.66053906660
_ATOMS_AT_ONCE = 20_000


def structure_features(hosts: Sequence[Crystal], table: ElementTable) -> Array:
    """Features of structures.

    Args:
        hosts: Charged hosts.
        table: Properties of the elements.

    Returns:
        Shape (n, len(STRUCTURE_FEATURES)); lengths in Å, volumes in Å^3, density in g/cm^3, angles in degrees. What
        a host does not have (such as d metals) is 0; a pair of classes that does not meet is ``RADIUS`` apart.
    """
    parts: list[Array] = []
    start = 0
    while start < len(hosts):
        end, atoms = start, 0
        while end < len(hosts) and (end == start or atoms + len(hosts[end]) <= _ATOMS_AT_ONCE):
            atoms += len(hosts[end])
            end += 1
        chosen = hosts[start:end]
        parts.append(np.hstack([_cells(chosen, table), _sites(chosen, table)]))
        start = end
    return np.vstack(parts) if parts else np.empty((0, len(STRUCTURE_FEATURES)))


def _cells(hosts: Sequence[Crystal], table: ElementTable) -> Array:
    radii = table["CovalentRadius"] / 100  # pm
    rows = []
    for host in hosts:
        volume = host.volume
        classes = SITE_CLASS[host.numbers]
        spheres = 4 / 3 * np.pi * float((radii[host.numbers] ** 3).sum())
        n_anions = int((classes == 3).sum())
        rows.append(
            [
                float(table["AtomicWeight"][host.numbers].sum()) * _U_TO_G_CM3 / volume,
                volume / len(host),
                spheres / volume,
                volume / n_anions if n_anions else 0.0,
                float((classes == 0).sum()) / volume,
                *_shape(host),
            ]
        )
    return np.array(rows)


def _shape(host: Crystal) -> list[float]:
    """Atoms, length ratios and angles of the Niggli cell of the primitive cell."""
    import gemmi

    lattice, n_atoms = primitive_lattice(host)
    lengths = np.linalg.norm(lattice, axis=1)
    unit = lattice / lengths[:, None]
    cosines = np.clip([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]], -1, 1)
    reduced = gemmi.GruberVector(gemmi.UnitCell(*lengths, *np.degrees(np.arccos(cosines))), None)
    reduced.niggli_reduce()
    cell = reduced.get_cell()
    return [float(n_atoms), cell.a / cell.c, cell.b / cell.c, cell.alpha, cell.beta, cell.gamma]


def _sites(hosts: Sequence[Crystal], table: ElementTable) -> Array:
    """Statistics over the atoms of every host, all hosts at once."""
    sizes = np.array([len(h) for h in hosts])
    starts = np.cumsum(sizes) - sizes
    found = [nearest_neighbours(h, k=NEIGHBOURS) for h in hosts]
    neighbours = np.concatenate([n.astype(np.int64) + s for (n, _), s in zip(found, starts, strict=True)])
    distances = np.concatenate([d for _, d in found]).astype(np.float64)
    numbers = np.concatenate([h.numbers for h in hosts])
    around = numbers[neighbours]
    inside = distances <= RADIUS

    nearest = np.where(inside[:, 0], distances[:, 0], RADIUS)
    weights = _coordination_weights(distances, inside, nearest)
    coordination = weights.sum(1)
    norm = np.maximum(coordination, 1e-12)
    bond = np.where(coordination > 0, (weights * distances).sum(1) / norm, RADIUS)
    distortion = np.sqrt((weights * (distances - bond[:, None]) ** 2).sum(1) / norm) / bond
    radii = table["CovalentRadius"] / 100
    relative = nearest / (radii[numbers] + radii[around[:, 0]])
    anions = (weights * (SITE_CLASS[around] == 3)).sum(1) / norm

    classes = SITE_CLASS[numbers]
    columns: list[Array] = []
    groups = [np.ones(len(numbers), dtype=bool), *(classes == c for c in range(len(SITE_CLASSES)))]
    for group in groups:
        for values in (nearest, bond, coordination):
            columns += _spread(values, group, starts)
    for group in groups:
        columns += [_spread(values, group, starts)[0] for values in (distortion, relative, anions)]
    for a, b in _PAIRS:
        meet = inside & (classes == a)[:, None] & (SITE_CLASS[around] == b)
        columns.append(np.minimum.reduceat(np.where(meet, distances, RADIUS).min(1), starts))
    for name in _DIFFERENCES:
        values = table[name]
        difference = (weights * np.abs(values[around] - values[numbers][:, None])).sum(1) / norm
        columns += _spread(difference, groups[0], starts)
    return np.column_stack(columns)


def _coordination_weights(distances: Array, inside: NDArray[np.bool_], nearest: Array) -> Array:
    """Hoppe's weights of neighbours; their sum is the effective coordination (Z. Kristallogr. 150, 23 (1979))."""

    def weigh(reference: Array) -> Array:
        return np.where(inside, np.exp(1 - (distances / reference[:, None]) ** 6), 0.0)

    first = weigh(nearest)
    total = first.sum(1)
    return weigh(np.where(total > 0, (first * distances).sum(1) / np.maximum(total, 1e-300), RADIUS))


def _spread(values: Array, group: NDArray[np.bool_], starts: NDArray[np.int64]) -> list[Array]:
    """Mean, deviation, least and greatest of the atoms of a group in each host; 0 where there are none."""
    counts = np.add.reduceat(group.astype(np.float64), starts)
    some = counts > 0
    n = np.maximum(counts, 1)
    mean = np.add.reduceat(np.where(group, values, 0.0), starts) / n
    sizes = np.diff(np.append(starts, len(values)))
    apart = np.where(group, values - np.repeat(mean, sizes), 0.0)
    std = np.sqrt(np.add.reduceat(apart**2, starts) / n)
    low = np.minimum.reduceat(np.where(group, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(group, values, -np.inf), starts)
    return [mean, std, np.where(some, low, 0.0), np.where(some, high, 0.0)]
