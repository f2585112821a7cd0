"""Small crystals for checks, and other descriptions of the same crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionvolt.ions import remove_ion, working_ion
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal


@dataclass(frozen=True)
class Electrode:
    """A discharged crystal and its ion.

    Attributes:
        ion: Symbol of the working ion.
        discharged: The crystal.
    """

    ion: str
    discharged: Crystal

    @property
    def host(self) -> Crystal:
        """The crystal without its ions."""
        return remove_ion(self.discharged, working_ion(self.ion))


def layered(ion: str, metal: str, a: float, c: float, z: float = 0.24, anion: str = "O") -> Electrode:
    """An electrode of the α-NaFeO2 kind in its primitive cell.

    Args:
        ion: Working ion.
        metal: Transition metal.
        a: Hexagonal lattice parameter, Å.
        c: The other one, Å.
        z: Height of the anion.
        anion: Symbol.
    """
    lattice = np.array([[a / 2, a / 12**0.5, c / 3], [-a / 2, a / 12**0.5, c / 3], [0, -a / 3**0.5, c / 3]])
    places = np.array([[0.5] * 3, [0.0] * 3, [z] * 3, [1 - z] * 3])
    numbers = np.array([ATOMIC_NUMBERS[symbol] for symbol in (ion, metal, anion, anion)])
    return Electrode(ion, Crystal(lattice, numbers, places, source=f"{ion}{metal}{anion}2"))


def electrodes(ions: Sequence[str] = ("Li",)) -> list[Electrode]:
    """Small electrodes for the checks: two layered oxides for each ion."""
    return [layered(ion, metal, a, c) for ion in ions for metal, a, c in (("Co", 2.82, 14.05), ("Mn", 2.90, 14.60))]


def descriptions(crystal: Crystal, seed: int = 0) -> dict[str, Crystal]:
    """The same crystal, described in other ways, by what was changed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(crystal))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    other_cell = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    shift = rng.uniform(-1, 1, 3)
    return {
        "a supercell": supercell(crystal, (2, 1, 1)),
        "atoms in another order": replace(
            crystal, numbers=crystal.numbers[order], frac_coords=crystal.frac_coords[order]
        ),
        "a shifted origin": replace(crystal, frac_coords=crystal.frac_coords + shift),
        "a turned cell": replace(crystal, lattice=crystal.lattice @ turn),
        "another cell": replace(
            crystal,
            lattice=other_cell @ crystal.lattice,
            frac_coords=crystal.frac_coords @ np.linalg.inv(other_cell),
        ),
    }


def supercell(crystal: Crystal, times: tuple[int, int, int]) -> Crystal:
    """So many cells along each edge."""
    shifts = np.stack(np.meshgrid(*map(range, times), indexing="ij"), -1).reshape(-1, 3)
    frac = (crystal.frac_coords[None] + shifts[:, None]).reshape(-1, 3) / np.array(times)
    return replace(
        crystal,
        lattice=crystal.lattice * np.array(times)[:, None],
        numbers=np.tile(crystal.numbers, len(shifts)),
        frac_coords=frac,
    )
