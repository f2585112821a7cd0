"""How a host is built, in numbers: density, shape of the cell, coordination and distances by element class.

Nothing here depends on the order of atoms or on which cell describes the crystal: the shape is that of the reduced
primitive cell, everything else an average over atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from ionvolt.descriptors.elements import N_ELEMENTS, ElementTable
from ionvolt.descriptors.surroundings import Surroundings, in_batches, surroundings
from ionvolt.graphs import RADIUS
from ionvolt.structures.chemistry import ANIONS, D_METALS, NONMETALS
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_lattice
from ionvolt.typing import Array

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

PACKING_FEATURES: tuple[str, ...] = (
    "density",
    "volume per atom",
    "packing fraction",
    "volume per anion",
    "d metals per volume",
)
_SHAPE_FEATURES = (
    "atoms in the primitive cell",
    "cell a / c",
    "cell b / c",
    "cell alpha",
    "cell beta",
    "cell gamma",
)
SITE_FEATURES: tuple[str, ...] = (
    *(f"{stat} {name}, {group}" for group in _GROUPS for name in _SITE_SPREAD for stat in _SPREAD),
    *(f"mean {name}, {group}" for group in _GROUPS for name in _SITE_MEAN),
    *(f"shortest {SITE_CLASSES[a]} to {SITE_CLASSES[b]}" for a, b in _PAIRS),
    *(f"{stat} local difference of {name}" for name in _DIFFERENCES for stat in _SPREAD),
)
STRUCTURE_FEATURES: tuple[str, ...] = PACKING_FEATURES + _SHAPE_FEATURES + SITE_FEATURES

_U_TO_G_CM3 = 1.66053906660


def structure_features(hosts: Sequence[Crystal], table: ElementTable) -> Array:
    """Features of structures.

    Args:
        hosts: Charged hosts.
        table: Properties of the elements.

    Returns:
        Shape (n, len(STRUCTURE_FEATURES)); lengths in Å, volumes in Å^3, density in g/cm^3, angles in degrees. What
        a host does not have (such as d metals) is 0; a pair of classes that does not meet is ``RADIUS`` apart.
    """
    parts = [
        np.hstack(
            [
                packing_features(some, table),
                np.array([_shape(host) for host in some]),
                site_features(surroundings(some), table),
            ]
        )
        for some in in_batches(hosts)
    ]
    return np.vstack(parts) if parts else np.empty((0, len(STRUCTURE_FEATURES)))


def packing_features(hosts: Sequence[Crystal], table: ElementTable) -> Array:
    """How densely atoms are packed, shape (n, len(PACKING_FEATURES)); units as in ``structure_features``."""
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


def site_features(atoms: Surroundings, table: ElementTable) -> Array:
    """Statistics over the atoms of each host, shape (n, len(SITE_FEATURES)); units as in ``structure_features``."""
    numbers, around = atoms.numbers, atoms.around
    nearest, bond, coordination = atoms.nearest, atoms.bond, atoms.coordination
    distortion = np.sqrt(atoms.mean((atoms.distances - bond[:, None]) ** 2)) / bond
    radii = table["CovalentRadius"] / 100
    relative = nearest / (radii[numbers] + radii[around[:, 0]])
    anions = atoms.mean((SITE_CLASS[around] == 3).astype(np.float64))

    classes = SITE_CLASS[numbers]
    columns: list[Array] = []
    groups = [np.ones(len(numbers), dtype=bool), *(classes == c for c in range(len(SITE_CLASSES)))]
    for group in groups:
        for values in (nearest, bond, coordination):
            columns += atoms.spread(values, group)
    for group in groups:
        columns += [atoms.over(values, group) for values in (distortion, relative, anions)]
    for a, b in _PAIRS:
        meet = atoms.inside & (classes == a)[:, None] & (SITE_CLASS[around] == b)
        columns.append(np.minimum.reduceat(np.where(meet, atoms.distances, RADIUS).min(1), atoms.starts))
    for name in _DIFFERENCES:
        values = table[name]
        columns += atoms.spread(atoms.mean(np.abs(values[around] - values[numbers][:, None])), groups[0])
    return np.column_stack(columns)
