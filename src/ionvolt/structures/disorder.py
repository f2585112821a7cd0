"""Crystals whose sites are shared by elements or partly empty."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal

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

    @property
    def is_ordered(self) -> bool:
        """Whether every site holds one element and is full."""
        return all(len(site) == 1 and next(iter(site.values())) == 1.0 for site in self.sites)


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
    from ionvolt.structures.cif import read_disordered_cif
    from ionvolt.structures.reading import plain_text, read_data, read_text

    is_text = isinstance(path_or_text, str) and ("\n" in path_or_text or "\r" in path_or_text)
    name = source or ("text" if is_text else os.fspath(path_or_text))
    data = str(path_or_text) if is_text else read_data(path_or_text, limits)
    text, fmt = plain_text(data, name, None, limits)
    if fmt == "cif":
        return read_disordered_cif(text, name, limits)
    crystal = read_text(text, name, fmt=fmt, limits=limits)
    sites = tuple({int(number): 1.0} for number in crystal.numbers)
    return DisorderedCrystal(
        crystal.lattice, crystal.frac_coords, sites, crystal.source, crystal.warnings, crystal.doubts
    )


def join(
    owners: NDArray[np.int64],
    frac_coords: NDArray[np.float64],
    numbers: NDArray[np.int64],
    occupancies: NDArray[np.float64],
    lattice: NDArray[np.float64],
    names: Sequence[str],
    source: str,
    limits: Limits,
) -> tuple[NDArray[np.float64], tuple[dict[int, float], ...]]:
    """Make one site of listed sites that share a place.

    Full sites are left alone: two of them in one place are a mistake, which the check of distances finds.

    Args:
        owners: For each atom the index of the listed site that it came from, shape (n_atoms,), ascending.
        frac_coords: Shape (n_atoms, 3).
        numbers: Atomic number of each listed site, shape (n_listed,).
        occupancies: Of each listed site, shape (n_listed,).
        lattice: Cell vectors as rows, Å.
        names: Of the listed sites, for messages.
        source: For messages.
        limits: The bounds.

    Returns:
        Coordinates of the sites, shape (n_sites, 3), and the occupancy of each by atomic number.

    Raises:
        InputError: The occupancies of a place add up to more than 1.
    """
    orbits = [np.flatnonzero(owners == k) for k in range(len(numbers))]
    heads: list[int] = []
    sites: dict[int, dict[int, float]] = {}
    for k, orbit in enumerate(orbits):
        number, occupancy = int(numbers[k]), float(occupancies[k])
        partners = None
        if occupancy < 1.0:
            shared = (h for h in heads if occupancies[h] < 1.0 and len(orbits[h]) == len(orbit))
            partners = next(
                (p for h in shared if (p := _partners(frac_coords, orbits[h], orbit, lattice, limits))), None
            )
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
                    source,
                    f"the occupancies at {names[k]} add up to {total:.3g}",
                    "Check the occupancies: those of one place add up to at most 1",
                )
    kept = sorted(sites)
    return frac_coords[kept], tuple(_rounded(sites[atom], limits) for atom in kept)


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


def _rounded(site: dict[int, float], limits: Limits) -> dict[int, float]:
    total = sum(site.values())
    if total > 1.0 or abs(total - 1.0) <= limits.occupancy_tolerance:
        return {number: 1.0 if len(site) == 1 else occupancy / total for number, occupancy in site.items()}
    return site
