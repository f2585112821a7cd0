"""Known electrodes of an ion: computed ones, where the server was given a table, and those that were measured."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from ionvolt.errors import DataError
from ionvolt.experiment.cathodes import Cathode, usable_cathodes
from ionvolt.ions import FARADAY, working_ion
from ionvolt.store import read_regular

COLUMNS = ("formula", "id", "voltage", "capacity")
MOST_BYTES = 100_000_000
"""Bytes of a table; that of all electrodes of the Materials Project has less than one million."""
REMEDY = "Make one with `ionvolt data landscape`"


def landscape(ion: str, measured: list[dict[str, Any]], table: Path | None = None) -> dict[str, Any]:
    """Electrodes of an ion: V against its metal, mAh/g of the discharged electrode.

    Args:
        ion: Symbol.
        measured: From ``measured_cathodes``.
        table: The table of computed ones, from ``ionvolt data landscape``; None where there is none.

    Raises:
        DataError: The table cannot be read.
    """
    known: dict[str, Any] = {"attribution": "", "ions": {}} if table is None else read_table(table)
    columns = known["ions"].get(ion, {name: [] for name in COLUMNS})
    rows = zip(*(columns[name] for name in COLUMNS), strict=True)
    return {
        "ion": ion,
        "table": table is not None,
        "attribution": known["attribution"],
        "electrodes": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
        "measured": measured,
    }


@lru_cache(maxsize=2)
def read_table(path: Path) -> dict[str, Any]:
    """A table of computed electrodes.

    Raises:
        DataError: It is none.
        InputError: It is no regular file, or too large.
    """
    try:
        known: dict[str, Any] = json.loads(read_regular(path, MOST_BYTES, REMEDY).decode("utf-8"))
        for columns in known["ions"].values():
            if len({len(columns[name]) for name in COLUMNS}) != 1:
                raise ValueError("columns of different lengths")
            if not all(isinstance(value, int | float) for name in COLUMNS[2:] for value in columns[name]):
                raise ValueError("voltages and capacities that are no numbers")
        known["attribution"] = str(known["attribution"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        words = f"{path}: no table of known electrodes ({type(error).__name__}: {error}). {REMEDY}"
        raise DataError(words) from error
    return known


def measured_cathodes(ion: str) -> list[dict[str, Any]]:
    """Cathodes of an ion whose voltage was measured; the capacity is that of the range that was measured."""
    return [
        {
            "formula": cathode.host,
            "phase": cathode.phase,
            "voltage": cathode.voltage,
            "uncertainty": cathode.uncertainty,
            "capacity": _capacity(cathode),
            "doi": cathode.doi,
        }
        for cathode in usable_cathodes()
        if cathode.ion == ion and cathode.voltage is not None
    ]


def _capacity(cathode: Cathode) -> float | None:
    """Of the range that was measured, mAh/g of the discharged electrode; None where the range is not stated."""
    from pymatgen.core.composition import Composition

    if cathode.x_from is None or cathode.x_to is None:
        return None
    try:
        mass = float(Composition(cathode.host).weight) + cathode.x_to * float(Composition(cathode.ion).weight)
    except ValueError:
        return None
    charge = (cathode.x_to - cathode.x_from) * working_ion(cathode.ion).charge
    return round(charge * FARADAY / (3.6 * mass), 1)
