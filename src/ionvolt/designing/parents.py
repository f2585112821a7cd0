"""Hosts to start from: discharged electrodes of the working ion, made from whatever was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.physics.cache import Cache
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.insertion import insert
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

MAX_ATOMS = 120
"""Atoms of a cell up to which candidates are relaxed in minutes."""


def discharged_parent(crystal: Crystal, ion: WorkingIon, settings: RelaxSettings, cache: Cache) -> Crystal:
    """A structure as the discharged electrode of an ion, in its primitive cell.

    One that holds the ion is taken as it is. Another mobile ion is exchanged for it. Into a host without any the ion
    is inserted with a potential, which takes some minutes, and is remembered.

    Raises:
        InputError: The host is too large, or the ion does not go in.
    """
    cell = primitive_cell(crystal)
    if len(cell) > MAX_ATOMS:
        raise InputError(
            crystal.source,
            f"{len(cell)} atoms in the primitive cell; candidates of up to {MAX_ATOMS} are designed",
            "Give a host with a smaller cell",
        )
    if ion.symbol in cell.composition:
        return cell
    if any(symbol in MOBILE_IONS for symbol in cell.composition):
        return _exchanged(crystal, cell, ion)
    best = insert(cell, ion, load_chgnet(), settings, cache)[0]
    return replace(best.crystal, source=f"{crystal.source} with {ion.symbol} put in")


def ready_parents(
    crystals: Sequence[Crystal], ion: WorkingIon, settings: RelaxSettings, cache: Cache
) -> tuple[list[Crystal], list[InputError]]:
    """``discharged_parent`` of several; those that cannot be used give their errors."""
    found: list[Crystal] = []
    refused: list[InputError] = []
    for crystal in crystals:
        try:
            found.append(discharged_parent(crystal, ion, settings, cache))
        except InputError as error:
            refused.append(error)
    return found, refused


def _exchanged(crystal: Crystal, cell: Crystal, ion: WorkingIon) -> Crystal:
    """Another mobile ion exchanged, in the smallest repetition of the cell in which the new ions are a whole number."""
    refused: InputError | None = None
    for times in range(1, ion.charge + 1):
        try:
            return replace(exchanged(_repeated(cell, times), ion), source=f"{crystal.source} with {ion.symbol}")
        except InputError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _repeated(cell: Crystal, times: int) -> Crystal:
    """A cell so many times along its shortest edge."""
    axis = int(np.argmin(np.linalg.norm(cell.lattice, axis=1)))
    scale = np.ones(3)
    scale[axis] = times
    steps = np.arange(times)[:, None, None] * np.eye(3)[axis] / times
    return replace(
        cell,
        lattice=cell.lattice * scale[:, None],
        numbers=np.tile(cell.numbers, times),
        frac_coords=(cell.frac_coords / scale + steps).reshape(-1, 3),
    )
