"""Symmetry of a crystal and its smallest cell: the one place that calls spglib.

A crystal that spglib cannot make sense of (atoms on top of each other) is taken as it is, without symmetry.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import Crystal

TOLERANCE = 0.01
"""Å within which an atom is where symmetry puts it."""

_lock = threading.Lock()


def symmetry_operations(crystal: Crystal) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Rotations and translations, in fractional coordinates, that leave a crystal as it is."""
    found = ask_spglib("get_symmetry", crystal.spglib_cell, symprec=TOLERANCE)
    if found is None:
        return [(np.eye(3), np.zeros(3))]
    both = zip(found["rotations"], found["translations"], strict=True)
    return [(np.asarray(rotation, dtype=np.float64), translation) for rotation, translation in both]


def primitive_cell(crystal: Crystal) -> Crystal:
    """The same crystal in its smallest cell, where it lies in space; as it is where it stands in that."""
    found = ask_spglib("standardize_cell", crystal.spglib_cell, to_primitive=True, no_idealize=True, symprec=TOLERANCE)
    if found is None or len(found[2]) >= len(crystal):
        return crystal
    lattice, places, numbers = found
    return replace(crystal, lattice=np.array(lattice), frac_coords=np.array(places), numbers=np.array(numbers))


def primitive_lattice(crystal: Crystal) -> tuple[NDArray[np.float64], int]:
    """Cell vectors (rows, Å) of the smallest cell in spglib's standard setting, shape (3, 3), and its atoms."""
    found = ask_spglib("find_primitive", crystal.spglib_cell, symprec=TOLERANCE)
    return (crystal.lattice, len(crystal)) if found is None else (np.asarray(found[0]), len(found[2]))


def ask_spglib(function: str, *arguments: Any, **settings: Any) -> Any:
    """Call a function of spglib by name; None where it fails.

    Up to version 2, spglib answers None, with a warning of its own for each call, unless it is told to raise errors;
    from version 3 on it raises them. It is told so for the call only, so that other users of spglib in the process
    find it as it was. Calls wait for each other: the switch is global.
    """
    import spglib
    from spglib import SpglibError, error

    with _lock:
        before = getattr(error, "OLD_ERROR_HANDLING", None)
        if before is not None:
            error.OLD_ERROR_HANDLING = False
        try:
            return getattr(spglib, function)(*arguments, **settings)
        except SpglibError:
            return None
        finally:
            if before is not None:
                error.OLD_ERROR_HANDLING = before
