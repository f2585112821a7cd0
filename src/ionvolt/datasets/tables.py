"""Rows of the tables that people bring, as plain text; what they mean is the importer's business."""

from __future__ import annotations

import csv
from pathlib import Path

from ionvolt.errors import DataError

Row = dict[str, str]


def table_rows(path: Path) -> list[Row]:
    """Rows of a CSV table with a header, cells stripped; empty cells are left out.

    Raises:
        DataError: Not a readable table, or one without the column ``average_voltage``.
    """
    header, *lines = _cells(path) or [[]]
    header = [name.strip() for name in header]
    if "average_voltage" not in header:
        raise DataError(
            f"{path}: no column average_voltage (it has: {', '.join(header) or 'none'}). "
            "Name the voltage's column so, in V"
        )
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: two columns are named {twice[0]}. Rename or remove one")
    return [{k: v for k, v in zip(header, line, strict=False) if k and v} for line in lines]


def cgcnn_rows(folder: Path, ion: str) -> list[Row]:
    """Rows of a CGCNN folder's ``id_prop.csv`` (``id,voltage``, no header).

    Raises:
        DataError: The file cannot be read.
    """
    return [
        {
            "battery_id": f"{line[0]}_{ion}",
            "id_charge": line[0],
            "structure_id": f"{line[0]}.cif",
            "average_voltage": line[1] if len(line) > 1 else "",
            "working_ion": ion,
        }
        for line in _cells(folder / "id_prop.csv")
    ]


def _cells(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in line] for line in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the table cannot be read ({error}). Give CSV in UTF-8") from error
    return [line for line in lines if any(line)]
