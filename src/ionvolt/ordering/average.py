"""The average crystal that is ordered: its primitive cell, its orbits of equal sites, and what may not be ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.interstitials import distances
from ionvolt.structures.chemistry import ANIONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, SYMBOLS
from ionvolt.structures.disorder import DisorderedCrystal
from ionvolt.structures.spacegroup import TOLERANCE, ask_spglib
from ionvolt.structures.wording import refusal

NEARLY_FULL = 0.95
"""Occupancy from which an anion's site counts as full. What is missing is less than refinements agree on."""

BOND = 1.85
"""Å: an anion this near the middle of a polyanion belongs to it."""

_EQUAL = 5e-4
"""Occupancies that differ by less are equal."""

_CENTRES = frozenset(ATOMIC_NUMBERS[s] for s in ("B", "Si", "P", "Ge", "As"))
_MOLECULAR = frozenset(ATOMIC_NUMBERS[s] for s in ("H", "C"))
_BONDED = _CENTRES | _MOLECULAR | frozenset(ATOMIC_NUMBERS[s] for s in ("N", "S"))
_OXYFLUORIDE = frozenset(ATOMIC_NUMBERS[s] for s in ("O", "F"))


@dataclass(frozen=True, eq=False)
class AverageCell:
    """The primitive cell of a disordered crystal.

    Attributes:
        lattice: Cell vectors as rows, shape (3, 3), float64, Å.
        frac_coords: Fractional coordinates of the sites, shape (n_sites, 3), float64.
        orbits: For each site the index of its orbit, shape (n_sites,), int64; symmetry makes an orbit's sites equal.
        occupancies: For each orbit the occupancy of its sites by atomic number; the rest is empty.
        rotations: Point group in fractional coordinates, shape (n, 3, 3), int64.
        notes: What was taken as full.
    """

    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    orbits: NDArray[np.int64]
    occupancies: tuple[dict[int, float], ...]
    rotations: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def n_atoms(self) -> float:
        """Atoms in the cell, a fraction counted as such."""
        return float(sum(sum(self.occupancies[orbit].values()) for orbit in self.orbits))

    @property
    def multiplicities(self) -> NDArray[np.int64]:
        """Sites of each orbit in the cell."""
        return np.bincount(self.orbits, minlength=len(self.occupancies))


def is_ordered_site(site: Mapping[int, float]) -> bool:
    """Whether a site holds one element and is full."""
    return len(site) == 1 and min(site.values()) >= 1.0 - _EQUAL


def contents(site: Mapping[int, float]) -> str:
    """What a site holds, as in ``Ni 0.8 + Mn 0.1 + empty 0.1``."""
    empty = 1.0 - sum(site.values())
    parts = [f"{SYMBOLS[z]} {occupancy:.3g}" for z, occupancy in sorted(site.items(), key=lambda item: -item[1])]
    return " + ".join(parts + ([f"empty {empty:.3g}"] if empty > _EQUAL else []))


def average_cell(disordered: DisorderedCrystal) -> AverageCell:
    """The primitive cell of a disordered crystal, its sites sorted into orbits.

    Raises:
        InputError: Its disorder is none that swapping cations could describe.
    """
    sites, notes = orderable_sites(disordered)
    patterns = [tuple(sorted((z, round(o / _EQUAL) * _EQUAL) for z, o in site.items())) for site in sites]
    kinds = {pattern: k for k, pattern in enumerate(dict.fromkeys(patterns))}
    numbers = np.array([kinds[pattern] + 1 for pattern in patterns], dtype=np.int64)
    lattice, frac, numbers = _primitive(disordered.lattice, disordered.frac_coords, numbers)
    equivalent, rotations = _symmetry(lattice, frac, numbers)
    first, orbits = np.unique(equivalent, return_inverse=True)
    by_kind = {kinds[pattern]: site for pattern, site in reversed(list(zip(patterns, sites, strict=True)))}
    occupancies = tuple(dict(by_kind[int(numbers[k]) - 1]) for k in first)
    return AverageCell(lattice, frac, orbits.astype(np.int64), occupancies, rotations, tuple(dict.fromkeys(notes)))


def orderable_sites(disordered: DisorderedCrystal) -> tuple[list[dict[int, float]], list[str]]:
    """The sites, those that are nearly full as full ones, and what was taken so.

    Raises:
        InputError: A site that cannot be ordered.
    """
    sites: list[dict[int, float]] = []
    notes: list[str] = []
    for index, site in enumerate(disordered.sites):
        held, total = set(site), sum(site.values())
        if is_ordered_site(site):
            sites.append(dict.fromkeys(held, 1.0))
            continue
        if held & _MOLECULAR:
            raise refusal(
                disordered.source,
                f"a site holds {contents(site)}: molecules and hydrogen that are disordered are not ordered",
                "Give a model in which every molecule has one place",
            )
        rigid = held & (ANIONS | _CENTRES)
        if rigid and len(held) == 1 and total >= NEARLY_FULL:
            sites.append(dict.fromkeys(held, 1.0))
            notes.append(f"{contents(site)} on a site is taken as full")
            continue
        if held & ANIONS and not _mixes_oxygen_and_fluorine(disordered, index):
            raise refusal(
                disordered.source,
                f"a site holds {contents(site)}: anions that are mixed or partly missing are not ordered",
                "Give a model with ordered anions (cations and, on full sites away from polyanions, O with F may mix)",
            )
        if rigid and total < NEARLY_FULL:
            raise refusal(
                disordered.source,
                f"a site holds {contents(site)}: polyanions that are partly missing or turned are not ordered",
                "Give a model in which every polyanion has one place",
            )
        sites.append(dict(site))
    return sites, notes


def _mixes_oxygen_and_fluorine(disordered: DisorderedCrystal, index: int) -> bool:
    """Whether a site is full of oxygen and fluorine alone, and no part of a polyanion or a hydroxyl group."""
    site = disordered.sites[index]
    if set(site) != _OXYFLUORIDE or sum(site.values()) < NEARLY_FULL:
        return False
    away = distances(disordered.lattice, disordered.frac_coords[index], disordered.frac_coords)
    bonded = np.array([bool(set(other) & _BONDED) for other in disordered.sites])
    return not bool((bonded & (away < BOND)).any())


def _primitive(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """The primitive cell, its places exactly where symmetry has them: equal arrangements then have equal energies."""
    cell = (lattice.tolist(), frac.tolist(), numbers.tolist())
    found = ask_spglib("standardize_cell", cell, to_primitive=True, no_idealize=True, symprec=TOLERANCE)
    if found is None or len(found[2]) > len(numbers):
        return lattice, frac, numbers
    return np.array(found[0]), np.array(found[1]) % 1.0, np.array(found[2], dtype=np.int64)


def _symmetry(
    lattice: NDArray[np.float64], frac: NDArray[np.float64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each site the first that is equal to it, and the rotations of the point group."""
    found = ask_spglib("get_symmetry", (lattice.tolist(), frac.tolist(), numbers.tolist()), symprec=TOLERANCE)
    if found is None:
        first = {int(number): k for k, number in reversed(list(enumerate(numbers)))}
        return np.array([first[int(number)] for number in numbers]), np.eye(3, dtype=np.int64)[None]
    rotations = np.unique(np.asarray(found["rotations"], dtype=np.int64), axis=0)
    return np.asarray(found["equivalent_atoms"], dtype=np.int64), rotations
