"""Crystals whose sites are shared by elements or partly empty."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.structures.checks import check
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal

ORDER_IT = "Order it with ionvolt order FILE or predict --order, or give an ordered structure"
"""The way on with a disordered crystal."""
# How far above 1 the occupancies of a site may add up: they are printed with two or three digits.
_ROUNDING = 0.02


@dataclass(frozen=True, eq=False)
class DisorderedCrystal:
    """A periodic crystal with the occupancy of every site in its cell.

    Attributes:
        lattice: Cell vectors as rows, shape (3, 3), float64, in Å.
        frac_coords: Fractional coordinates of the sites, shape (n_sites, 3), float64.
        sites: For each site the occupancy by atomic number; they add up to at most 1, the rest of a site is empty.
        source: Where it came from, as the user would name it.
        warnings: Reservations about the input, in plain words.
        doubts: Those among the warnings that are reasons not to trust what was read (see ``Crystal``).
    """

    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    sites: tuple[Mapping[int, float], ...]
    source: str = "structure"
    warnings: tuple[str, ...] = field(default=())
    doubts: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.sites)

    @classmethod
    def of(cls, crystal: Crystal) -> DisorderedCrystal:
        """An ordered crystal, whose sites are all full."""
        sites = tuple({int(number): 1.0} for number in crystal.numbers)
        return cls(crystal.lattice, crystal.frac_coords, sites, crystal.source, crystal.warnings, crystal.doubts)

    @property
    def is_ordered(self) -> bool:
        """Whether every site holds one element and is full."""
        return all(len(site) == 1 and next(iter(site.values())) == 1.0 for site in self.sites)


class DisorderError(InputError):
    """An ordered crystal was asked for, and this one is none.

    Attributes:
        crystal: The disordered crystal, for those who can do something with it.
    """

    def __init__(self, error: InputError, crystal: DisorderedCrystal) -> None:
        super().__init__(error.source, error.rule, error.remedy)
        self.crystal = crystal


def read_disordered(
    path_or_text: str | os.PathLike[str], source: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> DisorderedCrystal:
    """Read a CIF with the occupancies of its sites, unfolded to every site of the cell.

    Args:
        path_or_text: A file, or the text of one (a string with a line break in it is text). What cannot hold
            occupancies, such as a POSCAR, is read as the ordered crystal that it is.
        source: What to call it; by default the path.
        limits: The bounds.

    Returns:
        The crystal; listed sites that share a place are one site.

    Raises:
        InputError: It cannot be read, or the occupancies of a place add up to more than 1.
    """
    from ionvolt.structures.reading import read_disordered_text, read_part

    if isinstance(path_or_text, str) and ("\n" in path_or_text or "\r" in path_or_text):
        return read_disordered_text(path_or_text, source or "text", limits=limits)
    data, name, chosen = read_part(path_or_text, limits)
    return read_disordered_text(data, source or name, chosen=chosen, limits=limits)


def ordered(crystal: DisorderedCrystal, names: Sequence[str] = (), limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """The crystal itself where every site is full and holds one element.

    Args:
        crystal: Sites with occupancies.
        names: What to call each site in messages.
        limits: The bounds.

    Raises:
        DisorderError: A site is shared or partly empty.
        InputError: The crystal breaks a physical rule.
    """
    for k, site in enumerate(crystal.sites):
        if len(site) != 1 or next(iter(site.values())) != 1.0:
            shares = " + ".join(f"{SYMBOLS[number]} {occupancy:.3g}" for number, occupancy in site.items())
            error = refusal(
                crystal.source,
                f"{names[k] if names else f'site {k + 1}'} is occupied by {shares}: the structure is disordered",
                ORDER_IT,
            )
            raise DisorderError(error, crystal)
    numbers = np.array([next(iter(site)) for site in crystal.sites], dtype=np.int64)
    return check(
        Crystal(crystal.lattice, numbers, crystal.frac_coords, crystal.source, crystal.warnings, crystal.doubts),
        limits,
    )


def join(
    atoms: DisorderedCrystal,
    owners: NDArray[np.int64],
    numbers: NDArray[np.int64],
    occupancies: NDArray[np.float64],
    names: Sequence[str],
    limits: Limits,
) -> tuple[DisorderedCrystal, list[str]]:
    """Make one site of listed sites that share a place.

    Full sites are left alone: two of them in one place are a mistake, which the check of distances finds.

    Args:
        atoms: The unfolded atoms, still without ``sites``.
        owners: For each atom the index of the listed site that it came from, shape (n_atoms,), ascending.
        numbers: Atomic number of each listed site, shape (n_listed,).
        occupancies: Occupancies of each listed site, shape (n_listed,).
        names: Names of the listed sites, for messages.
        limits: The bounds.

    Returns:
        The crystal, and a name for each of its sites.

    Raises:
        InputError: The occupancies of a place add up to more than 1.
    """
    frac_coords = atoms.frac_coords
    orbits = [np.flatnonzero(owners == k) for k in range(len(numbers))]
    heads: list[int] = []
    sites: dict[int, dict[int, float]] = {}
    for k, orbit in enumerate(orbits):
        number, occupancy = int(numbers[k]), float(occupancies[k])
        partners = None
        if occupancy < 1.0:
            shared = (orbits[h] for h in heads if occupancies[h] < 1.0 and len(orbits[h]) == len(orbit))
            places = (_partners(frac_coords, head, orbit, atoms.lattice, limits) for head in shared)
            partners = next((found for found in places if found), None)
        if partners is None:
            heads.append(k)
            sites.update({int(atom): {number: occupancy} for atom in orbit})
            continue
        for atom in partners:
            site = sites[atom]
            site[number] = site.get(number, 0.0) + occupancy
            total = sum(site.values())
            if total > 1.0 + _ROUNDING:
                raise refusal(
                    atoms.source,
                    f"the occupancies at {names[k]} add up to {total:.3g}",
                    "Check the occupancies: those of one place add up to at most 1",
                )
    kept = sorted(sites)
    shares = tuple(rounded(sites[atom], limits) for atom in kept)
    return replace(atoms, frac_coords=frac_coords[kept], sites=shares), [names[owners[atom]] for atom in kept]


def _partners(
    frac_coords: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    lattice: NDArray[np.float64],
    limits: Limits,
) -> list[int] | None:
    """For each atom of the second orbit the one of the first at its place, or None where some have none."""

    def apart(atoms: NDArray[np.int64]) -> NDArray[np.float64]:
        shift = frac_coords[atoms][:, None] - frac_coords[first][None]
        vectors = (shift - np.rint(shift)) @ lattice
        distances: NDArray[np.float64] = np.sqrt((vectors * vectors).sum(axis=-1))
        return distances

    if apart(second[:1]).min() >= limits.merge_distance:
        return None
    nearest = apart(second)
    if nearest.min(axis=1).max() >= limits.merge_distance:
        return None
    return [int(first[i]) for i in nearest.argmin(axis=1)]


def rounded(site: dict[int, float], limits: Limits = DEFAULT_LIMITS) -> dict[int, float]:
    """The occupancies of a site, exactly 1 together where they are so within the digits they were printed with."""
    total = sum(site.values())
    if total > 1.0 or abs(total - 1.0) <= limits.occupancy_tolerance:
        return {number: 1.0 if len(site) == 1 else occupancy / total for number, occupancy in site.items()}
    return site
