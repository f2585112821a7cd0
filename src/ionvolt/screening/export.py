"""Rows of a run as files for others: CSV, Parquet, CIFs, pymatgen JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from ionvolt.errors import InputError
from ionvolt.screening.crystals import Reader
from ionvolt.screening.plan import Plan, open_plan
from ionvolt.screening.records import COLUMNS, Row, schema, to_table
from ionvolt.store import atomic_file, spreadsheet_cell, write_text
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.writing import structure_text

Format = Literal["csv", "parquet", "cif", "json"]
MOST_STRUCTURES = 100_000
"""Files of structures that one export writes."""

_GROUP = 20_000


def export(folder: Path, rows: Iterable[Row], target: Path, fmt: Format) -> int:
    """Write rows, as they come.

    Args:
        folder: The run's folder.
        rows: Rows of it.
        target: File to write; for ``cif`` a folder.
        fmt: ``csv`` and ``parquet`` hold the rows, ``cif`` a file for each structure (and ``records.csv``), ``json`` a
            list of rows, each with its pymatgen ``structure``.

    Returns:
        How many rows were written.

    Raises:
        InputError: An input of the run is not there any more, or there are too many structures.
        DataError: The target cannot be written.
    """
    if fmt == "csv":
        return _csv(rows, target)
    if fmt == "parquet":
        return _parquet(rows, target)
    listed = list(_bounded(rows))
    crystals = structures_of(folder, listed)
    return _cifs(listed, crystals, target) if fmt == "cif" else _json(listed, crystals, target)


def structures_of(folder: Path, rows: Iterable[Row]) -> dict[tuple[int, int], Crystal]:
    """The crystals of rows, read again from the inputs, by unit and part; those that were refused are not there.

    Raises:
        InputError: An input is not there any more.
    """
    plan = open_plan(folder)
    wanted: dict[int, set[int]] = {}
    for row in rows:
        wanted.setdefault(row["unit"], set()).add(row["part"])
    found: dict[tuple[int, int], Crystal] = {}
    reader = Reader(folder, list(plan.sources))
    try:
        for unit, parts in _read(plan, reader, wanted):
            for part in wanted[unit]:
                if part < len(parts) and isinstance(crystal := parts[part], Crystal):
                    found[unit, part] = crystal
    except OSError as error:
        raise InputError(str(error.filename), "the input is not there any more", "Put it back") from error
    finally:
        reader.close()
    return found


def _read(plan: Plan, reader: Reader, wanted: Iterable[int]) -> Iterator[tuple[int, list[Any]]]:
    units = set(wanted)
    for shard in plan.shards:
        first = shard.first
        for piece in shard.pieces:
            size = piece.stop - piece.start
            here = {u - first + piece.start for u in units if first <= u < first + size}
            if here:
                for unit, parts in reader.read(*piece, chosen=here):
                    yield unit - piece.start + first, parts
            first += size


def _csv(rows: Iterable[Row], target: Path) -> int:
    n = 0
    with atomic_file(target) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            flat = {**row, "warnings": "; ".join(row.get("warnings") or ())}
            writer.writerow({name: spreadsheet_cell(flat.get(name)) for name in COLUMNS})
            n += 1
    return n


def _parquet(rows: Iterable[Row], target: Path) -> int:
    import pyarrow.parquet as pq

    n = 0
    with atomic_file(target) as part, pq.ParquetWriter(part, schema(), compression="zstd") as writer:
        group: list[Row] = []
        for row in rows:
            group.append(row)
            n += 1
            if len(group) >= _GROUP:
                writer.write_table(to_table(group).replace_schema_metadata(None))
                group = []
        writer.write_table(to_table(group).replace_schema_metadata(None))
    return n


def _cifs(rows: list[Row], crystals: dict[tuple[int, int], Crystal], target: Path) -> int:
    for row in rows:
        crystal = crystals.get((row["unit"], row["part"]))
        if crystal is not None:
            write_text(target / f"{_name(row)}.cif", structure_text(crystal, "cif"))
    _csv(rows, target / "records.csv")
    return len(rows)


def _json(rows: list[Row], crystals: dict[tuple[int, int], Crystal], target: Path) -> int:
    with atomic_file(target) as part, part.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for row in rows:
            crystal = crystals.get((row["unit"], row["part"]))
            known = {name: row[name] for name in COLUMNS if row.get(name) is not None}
            known["structure"] = None if crystal is None else crystal.to_pymatgen().as_dict()
            file.write(separator + json.dumps(known, ensure_ascii=False))
            separator = ",\n"
        file.write("[]\n" if not rows else "\n]\n")
    return len(rows)


def _bounded(rows: Iterable[Row]) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= MOST_STRUCTURES:
            raise InputError(
                "export", f"more than {MOST_STRUCTURES:,} structures", "Narrow it with --where, or export the table"
            )
        yield row


def _name(row: Row) -> str:
    """A file name of the formula and the id; the unit keeps names apart."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{row.get('formula') or ''}_{str(row['id']).rsplit('/', 1)[-1]}")
    return f"{plain[:80].lstrip('.-')}_{row['unit']}" + (f"-{row['part']}" if row["part"] else "")
