"""Tables and folders as data sets. What cannot be used is refused row by row, with its reason, never in silence."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ionvolt._version import __version__
from ionvolt.datasets.records import Electrode, ElectrodeSet, framework_of
from ionvolt.datasets.sources import Structures, file_record, open_structures, without_ending
from ionvolt.datasets.tables import Row, cgcnn_rows, table_rows
from ionvolt.errors import DataError, InputError, printable
from ionvolt.ions import working_ion
from ionvolt.typing import ProgressCallback

_OPTIONAL_NUMBERS = ("capacity_grav", "max_delta_volume", "stability_charge", "stability_discharge")
# Some compilations name the count after the snapshot that it was taken from.
_STEP_COUNTS = ("num_steps", "n_steps_2019")
# What a row may name its structures by.
_KEYS = ("structure_id", "file", "id_charge", "id_discharge")
_LONGEST_FORMULA = 200
_MOST_STEPS = 1_000_000
MATERIALS_PROJECT = {
    "licence": "CC BY 4.0",
    "attribution": "Data of the Materials Project (https://materialsproject.org), CC BY 4.0",
}


@dataclass
class Imported:
    """What came out of a source.

    Attributes:
        data: The usable electrodes, in the source's order.
        refused: One line for each row that could not be used.
        incomplete: One line for each electrode that was taken without its discharged structure, which was refused.
        notes: Reservations about rows that were taken.
    """

    data: ElectrodeSet
    refused: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_source(
    source: Path,
    *,
    structures: Path | None = None,
    ion: str | None = None,
    snapshot: str = "",
    licence: str | None = None,
    attribution: str | None = None,
    progress: ProgressCallback | None = None,
) -> Imported:
    """Import a table with structures, a CGCNN folder, or a folder of structure files with a table.

    Args:
        source: A CSV table, or a folder that holds ``id_prop.csv`` (CGCNN) or one other CSV file.
        structures: For a table: a ``.jsonl`` or ``.jsonl.gz`` file of ``{"id": …, "cif": …}`` lines, or a folder of
            structure files.
        ion: Working ion, where the source does not state it.
        snapshot: Name of the calculation that the voltages come from.
        licence: Licence of the data; known for snapshots of the Materials Project (``mp2020`` and such).
        attribution: Whom to name when the data are passed on; likewise.
        progress: Called with rows done and rows in all.

    Raises:
        DataError: The source cannot be read at all, or not one row of it is usable.
        InputError: No such working ion.
    """
    symbol = working_ion(ion).symbol if ion else None
    table, place = _locate(source, structures)
    if table.name == "id_prop.csv":
        if symbol is None:
            raise DataError(f"{source}: a CGCNN folder does not state its working ion. Add --ion")
        rows = cgcnn_rows(source, symbol)
    else:
        rows = table_rows(table)
    found = open_structures(place, {row[column] for row in rows for column in _KEYS if column in row})
    result = build(rows, found, symbol, snapshot, progress)
    rights = MATERIALS_PROJECT if re.fullmatch(r"mp\d{4}.*", snapshot) else {"licence": "", "attribution": ""}
    result.data.provenance = {
        "source": source.resolve().name,
        "snapshot": snapshot,
        "licence": rights["licence"] if licence is None else licence,
        "attribution": rights["attribution"] if attribution is None else attribution,
        "files": [file_record(table), found.record()],
        "ionvolt": __version__,
        "rows_read": len(rows),
        "rows_refused": len(result.refused),
        "refused": result.refused,
        "incomplete": result.incomplete,
        "notes": result.notes,
        "cleaning": [],
    }
    if not len(result.data):
        first = result.refused[0] if result.refused else "it has no rows"
        raise DataError(f"{source}: not one usable row. First: {first}")
    return result


def _locate(source: Path, structures: Path | None) -> tuple[Path, Path]:
    """The table and the place of the structures."""
    if source.is_dir():
        if structures is not None:
            raise DataError(f"{source}: a folder brings its own structures. Leave --structures out, or name the table")
        if (source / "id_prop.csv").is_file():
            return source / "id_prop.csv", source
        tables = sorted(source.glob("*.csv"))
        if len(tables) != 1:
            raise DataError(
                f"{source}: {len(tables)} CSV files. Put exactly one beside the structure files "
                "(columns file, average_voltage, working_ion), or id_prop.csv for a CGCNN folder"
            )
        return tables[0], source
    if not source.is_file():
        raise DataError(f"{source}: no such file or folder. Give a CSV table or a folder")
    if structures is None:
        raise DataError(f"{source}: a table needs its structures. Add --structures FILE.jsonl.gz or a folder")
    return source, structures


def build(
    rows: list[Row], found: Structures, ion: str | None, snapshot: str, progress: ProgressCallback | None
) -> Imported:
    """Electrodes of rows, without provenance; what cannot be used is refused row by row.

    Args:
        rows: Text cells under the names of the data set's columns.
        found: The structures that the rows name.
        ion: Working ion, where a row does not state it.
        snapshot: Name of the calculation that the voltages come from.
        progress: Called with rows done and rows in all.
    """
    result = Imported(ElectrodeSet([]))
    taken: dict[tuple[str, str, str], int] = {}
    for number, row in enumerate(rows, start=1):
        name = row.get("battery_id") or row.get("file") or row.get("id_charge") or f"row {number}"
        try:
            electrode, incomplete, notes = _electrode(row, name, found, ion, snapshot)
            key = (electrode.snapshot, electrode.battery_id, electrode.working_ion)
            if key in taken:
                raise InputError(
                    f"row {number}", f"row {taken[key]} has the same battery_id and ion", "Give each row its own"
                )
            taken[key] = number
            result.data.electrodes.append(electrode)
            result.incomplete.extend(_one_line(f"{name}: {line}") for line in incomplete)
            result.notes.extend(_one_line(f"{name}: {line}") for line in notes)
        except InputError as error:
            result.refused.append(_one_line(str(error) if error.source == name else f"{name}: {error}"))
        except ValueError as error:
            result.refused.append(_one_line(str(error)))
        if progress:
            progress(number, len(rows), "")
    return result


def _electrode(
    row: Row, name: str, found: Structures, ion: str | None, snapshot: str
) -> tuple[Electrode, list[str], list[str]]:
    """A row as an electrode, why its discharged structure is not there, and reservations."""
    stated = row.get("working_ion") or ion
    if not stated:
        raise InputError(name, "no working ion is stated", "Add a column working_ion or give --ion")
    symbol = working_ion(stated).symbol
    voltage = _number(row, "average_voltage", name)
    if voltage is None:
        raise InputError(name, "it has no average_voltage", "Give it, in V")
    steps = next((n for n in (_number(row, column, name) for column in _STEP_COUNTS) if n is not None), None)
    if steps is not None and not (steps == int(steps) and abs(steps) <= _MOST_STEPS):
        raise InputError(name, f"num_steps is {steps:g}, not a sensible whole number", "Count the voltage steps")

    key = row.get("structure_id") or row.get("file") or row.get("id_charge") or ""
    host = found.find(key)
    notes = list(host.warnings)
    formula = _reduced(row["formula_charge"], name) if "formula_charge" in row else host.formula
    if formula != host.formula:
        notes.append(f"formula_charge is {formula}, its structure {key} is {host.formula}")

    incomplete: list[str] = []
    discharged = None
    discharge_key = row.get("id_discharge")
    if discharge_key:
        # A discharged end that cannot be read is a loss to some models, not a reason to drop the label.
        try:
            discharged = found.find(discharge_key)
            notes.extend(discharged.warnings)
        except InputError as error:
            incomplete.append(f"discharged structure: {error}")
    discharge_formula = row.get("formula_discharge")
    optional: dict[str, Any] = {column: _number(row, column, name) for column in _OPTIONAL_NUMBERS}
    electrode = Electrode(
        battery_id=row.get("battery_id") or f"{without_ending(key)}_{symbol}",
        working_ion=symbol,
        average_voltage=voltage,
        formula_charge=formula,
        host=host,
        framework=row.get("framework") or framework_of(formula, symbol),
        snapshot=row.get("snapshot") or snapshot,
        id_charge=row.get("id_charge") or without_ending(key),
        formula_discharge=_reduced(discharge_formula, name) if discharge_formula else None,
        id_discharge=discharge_key,
        discharged=discharged,
        num_steps=None if steps is None else int(steps),
        steps=row.get("steps"),
        **optional,
    )
    return electrode, incomplete, notes


def _one_line(text: str) -> str:
    """A cell may hold line breaks and control characters; a message is one line."""
    return printable(text)


def _number(row: Row, column: str, name: str) -> float | None:
    text = row.get(column, "")
    if text.lower() in ("", "nan", "none", "null"):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(name, f"{column} is {text[:40]!r}, not a number", "Give a plain number, or leave it empty")
    return value


def _reduced(formula: str, name: str) -> str:
    try:
        return _reduced_formula(formula)
    except (ValueError, OverflowError) as error:
        raise InputError(name, f"{formula[:40]!r} is not a chemical formula", "Write it like LiFePO4") from error


@cache
def _reduced_formula(formula: str) -> str:
    from pymatgen.core.composition import Composition

    if len(formula) > _LONGEST_FORMULA:
        raise ValueError("too long")
    composition = Composition(formula)
    if not composition or not composition.valid:
        raise ValueError("no elements")
    return str(composition.reduced_formula)
