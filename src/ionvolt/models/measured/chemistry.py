"""What of an electrode's chemistry decides how far a calculated voltage is from a measured one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import working_ion
from ionvolt.structures.chemistry import ALKALI_METALS, REDOX_ACTIVE
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs

Anion = Literal["oxide", "polyanion", "chalcogenide", "fluoride", "cyanide", "other"]
"""The group of the anion; ``polyanion`` also where oxygen is bound to Mo or W beside a 3d metal."""

ANIONS: tuple[Anion, ...] = ("oxide", "polyanion", "chalcogenide", "fluoride", "cyanide")

HUBBARD = frozenset(("Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W"))
"""Metals to whose oxides and fluorides the Materials Project applies a Hubbard U."""

_CENTRES = ("P", "S", "Si", "B", "As", "Ge", "C", "N", "Se", "Te", "Cl")
_SPECTATORS = ("Sc", "Zr", "Hf", "Nb", "Ta", "Ti", "W", "Mo", "Mn")
"""Metals that keep their valence where another metal of the host can change its own, the surest first."""

_ANION_NUMBERS = [SYMBOLS.index(symbol) for symbol in ("O", "S", "Se", "Te", "F", "N", "C", "Cl")]

_BOND = 1.25
"""Longest bond, in sums of the covalent radii."""


@dataclass(frozen=True)
class ElectrodeChemistry:
    """The class of an electrode.

    Attributes:
        ion: Symbol of the working ion.
        charge: Its charge.
        anion: Group of the anion.
        centres: Share of each metal that changes its valence; adds up to 1, empty where there is none.
        hubbard: Share of them to which the Materials Project applies a Hubbard U.
        layered: Whether the host, without the ion, falls into layers.
        fully_extracted: Whether it is a layered oxide that the charged end leaves without any alkali metal: farther
            than cells are charged.
    """

    ion: str
    charge: int
    anion: Anion
    centres: dict[str, float]
    hubbard: float
    layered: bool
    fully_extracted: bool


def chemistry_of(charged: Crystal, ion: str) -> ElectrodeChemistry:
    """The class of an electrode, from its charged end.

    Args:
        charged: The charged crystal; may still hold some of the ion.
        ion: Symbol of the working ion.
    """
    worker = working_ion(ion)
    amounts = {symbol: n for symbol, n in charged.composition.items() if symbol != ion}
    anion = _anion(amounts)
    centres = _redox_centres(amounts, anion)
    with_u = anion in ("oxide", "polyanion", "fluoride")
    layered = _layered(charged, ion)
    left = charged.composition.keys() & set(ALKALI_METALS)
    return ElectrodeChemistry(
        ion=ion,
        charge=worker.charge,
        anion=anion,
        centres=centres,
        hubbard=sum(share for metal, share in centres.items() if metal in HUBBARD) if with_u else 0.0,
        layered=layered,
        fully_extracted=layered
        and anion == "oxide"
        and not left
        and ion in ALKALI_METALS
        and amounts.get("O", 0) == 2 * _metals(amounts),
    )


def _metals(amounts: dict[str, int]) -> int:
    return sum(n for symbol, n in amounts.items() if symbol not in ("O", "F"))


def _active(amounts: dict[str, int]) -> dict[str, int]:
    return {symbol: n for symbol, n in amounts.items() if SYMBOLS.index(symbol) in REDOX_ACTIVE}


def _anion(amounts: dict[str, int]) -> Anion:
    present = amounts.keys()
    if {"C", "N"} <= present:
        return "cyanide"
    if "O" in present:
        active = _active(amounts)
        heavy = {"Mo", "W"} & active.keys()
        molybdate = heavy and len(active) > len(heavy) and amounts["O"] >= 4 * sum(active[m] for m in heavy)
        return "polyanion" if molybdate or present & set(_CENTRES) else "oxide"
    if present & {"S", "Se", "Te"}:
        return "chalcogenide"
    return "fluoride" if "F" in present else "other"


def _redox_centres(amounts: dict[str, int], anion: Anion) -> dict[str, float]:
    """Metals that change their valence: all but those that keep it beside the others."""
    active = _active(amounts)
    if anion != "cyanide":
        for spectator in _SPECTATORS:
            if len(active) > 1:
                active.pop(spectator, None)
    total = sum(active.values())
    return {symbol: n / total for symbol, n in active.items()}


def _layered(charged: Crystal, ion: str) -> bool:
    """Whether bonds, up to ``_BOND`` sums of covalent radii, link the host without ions in two directions only."""
    mobile = [SYMBOLS.index(symbol) for symbol in {*ALKALI_METALS, ion}]
    kept = ~np.isin(charged.numbers, mobile)
    if not kept.any():
        return False
    numbers = charged.numbers[kept]
    host = replace(charged, numbers=numbers, frac_coords=charged.frac_coords[kept], warnings=(), doubts=())
    radii = _BOND * _covalent_radii()[numbers]
    pairs = find_pairs(host, 2 * float(radii.max()), both=True)
    pairs = pairs.where(pairs.distance < radii[pairs.i] + radii[pairs.j])
    anions, carbon = np.isin(numbers, _ANION_NUMBERS), numbers == SYMBOLS.index("C")
    pairs = pairs.where(~(anions[pairs.i] & anions[pairs.j]) | carbon[pairs.i] | carbon[pairs.j])
    return _directions(len(numbers), pairs.i, pairs.j, pairs.image) == 2


@lru_cache(maxsize=1)
def _covalent_radii() -> NDArray[np.float64]:
    from ase.data import covalent_radii

    return np.asarray(covalent_radii, dtype=np.float64)


def _directions(n_atoms: int, first: NDArray[np.int64], second: NDArray[np.int64], image: NDArray[np.int64]) -> int:
    """The most directions in which one bonded piece goes on without end."""
    neighbours: list[list[tuple[int, tuple[int, int, int]]]] = [[] for _ in range(n_atoms)]
    for i, j, shift in zip(first.tolist(), second.tolist(), image.tolist(), strict=True):
        neighbours[i].append((j, tuple(shift)))
    place: dict[int, NDArray[np.int64]] = {}
    most = 0
    for start in range(n_atoms):
        if start in place:
            continue
        place[start] = np.zeros(3, dtype=int)
        stack, loops = [start], []
        while stack:
            i = stack.pop()
            for j, shift in neighbours[i]:
                there = place[i] + np.array(shift)
                if j not in place:
                    place[j] = there
                    stack.append(j)
                elif (loop := there - place[j]).any():
                    loops.append(loop)
        if loops:
            most = max(most, int(np.linalg.matrix_rank(np.unique(np.array(loops), axis=0))))
    return most
