"""Tables of electrodes by their end members, and the files that they name."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionvolt.structures import Crystal

MOST_BYTES = 50_000_000
"""Of a table."""


@dataclass(frozen=True)
class Pair:
    """A row: an electrode by the names of its end members, one of which may be missing.

    Attributes:
        discharged: File or id of the discharged structure.
        charged: File or id of the charged structure.
        working_ion: Symbol of the ion, as it was written.
    """

    discharged: str | None
    charged: str | None
    working_ion: str


def read_pairs(table: Path, ion: str | None = None) -> list[Pair]:
    """Rows of a CSV table with the columns ``discharged``, ``charged`` and ``working_ion``.

    Args:
        table: The table, UTF-8.
        ion: The working ion where the table names none.

    Raises:
        InputError: No such table, or a column is missing.
    """
    from ionvolt.errors import InputError
    from ionvolt.store import read_regular

    content = read_regular(table, MOST_BYTES, "Give a CSV table")
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        lines = [[cell.strip() for cell in line] for line in csv.reader(text)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(str(table), f"the table cannot be read ({error})", "Give CSV in UTF-8") from error
    header, *lines = [line for line in lines if any(line)] or [[]]
    wanted = ["discharged"] if ion else ["discharged", "working_ion"]
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(
            str(table),
            f"no column {' and no column '.join(missing)}",
            "Give the columns discharged, charged (may be empty) and working_ion",
        )
    rows = [dict(zip(header, line, strict=False)) for line in lines]
    return [
        Pair(row.get("discharged") or None, row.get("charged") or None, row.get("working_ion") or ion or "")
        for row in rows
    ]


def load(pair: Pair, folder: Path | None = None) -> tuple[Crystal, Crystal | None]:
    """Read the structures of a pair.

    Args:
        pair: The row.
        folder: Where files are looked for first; then in the current folder.

    Returns:
        The discharged structure, or the one that there is, and the charged structure where both are named.

    Raises:
        InputError: A file is missing or no structure.
    """
    from ionvolt.errors import InputError

    named = [_read(name, folder) for name in (pair.discharged, pair.charged) if name]
    if not named:
        raise InputError("electrode", "no end member is given", "Give a discharged structure, a charged one or both")
    return named[0], named[1] if len(named) > 1 else None


def _read(name: str, folder: Path | None) -> Crystal:
    from ionvolt.errors import InputError
    from ionvolt.structures import read_many

    beside = folder / name if folder is not None else None
    is_there = beside is not None and (beside.exists() or Path(str(beside).rpartition("#")[0]).is_file())
    found = list(read_many([str(beside) if is_there else name]))
    if len(found) != 1:
        raise InputError(name, f"it stands for {len(found)} structures", "Name one file")
    if isinstance(found[0], InputError):
        raise found[0]
    return found[0]
