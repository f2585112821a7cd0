"""Crystals out of the documents of the Materials Project.

A document is read as plain numbers. pymatgen's own reader of such documents imports modules that they name.
"""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np

from ionvolt.structures.checks import check, check_atom_count
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.elements import from_symbol
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown


def crystal_of(document: object, source: str, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """The checked crystal of a ``structure`` document.

    Args:
        document: ``lattice.matrix`` (3, 3) in Å, and ``sites``, each with one fully occupied ``species`` and ``abc``.
        source: What to call it, such as the id.
        limits: The bounds.

    Raises:
        InputError: It is no such document, disordered, or breaks a physical rule.
    """

    def refuse(rule: str, remedy: str = "Leave it out") -> NoReturn:
        raise refusal(source, rule, remedy)

    if not isinstance(document, dict) or not isinstance(document.get("sites"), list):
        refuse("the Materials Project gives no structure for it", "Check the id at materialsproject.org")
    sites: list[Any] = document["sites"]
    check_atom_count(source, len(sites), limits)
    numbers: list[int] = []
    notes: list[str] = []
    try:
        lattice = np.array(document["lattice"]["matrix"], dtype=np.float64)
        places = np.array([site["abc"] for site in sites], dtype=np.float64).reshape(-1, 3)
        for site in sites:
            species = site["species"]
            if len(species) != 1 or not math.isclose(
                float(species[0]["occu"]), 1.0, abs_tol=limits.occupancy_tolerance
            ):
                refuse("a site is shared or partly empty: the structure is disordered", "Order it first")
            number, note = from_symbol(str(species[0]["element"]))
            if not number:
                refuse(f"{shown(species[0]['element'])} is no element")
            numbers.append(number)
            notes.append(note)
        crystal = Crystal(
            lattice,
            np.array(numbers, dtype=np.int64),
            places,
            source,
            tuple(dict.fromkeys(note for note in notes if note)),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        refuse("its structure is not laid out as a crystal", "Check that mp-api and ionvolt are up to date")
    return check(crystal, limits)
