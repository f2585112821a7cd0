"""What goes to the terminal: tables that fit it, text of unknown origin escaped."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionvolt.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 10_000
"""Columns where nobody looks at a screen: in a file or a pipe no table is broken."""


LEAST = 10
"""Columns that a text keeps, however narrow the screen."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: Its name; it may hold line breaks.
        is_text: Whether it holds text, which stands to the left and may be folded.
    """

    head: str
    is_text: bool = False


def screen_width(*, stderr: bool = False) -> int:
    """Columns of the terminal, or those that COLUMNS asks for; ``WIDE`` where the output goes to a file or a pipe."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return shutil.get_terminal_size().columns if (sys.stderr if stderr else sys.stdout).isatty() else WIDE


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: brackets, colons and numbers of file names and formulas are no markup."""
    from rich.console import Console

    return Console(stderr=stderr, width=screen_width(stderr=stderr), markup=False, emoji=False, highlight=False)


def folded(text: str) -> str:
    """A text of any origin as lines that fit the screen, the second and further ones set in; units stay at numbers."""
    bound = _UNIT.sub("\u00a0", printable(text))
    lines = textwrap.fill(bound, screen_width(), subsequent_indent="  ", break_on_hyphens=False)
    return lines.replace("\u00a0", " ")


_UNIT = re.compile(r"(?<=\d) (?=(?:%|±|V|eV|meV|mAh|Wh|MB|ms|s|Å)(?:\W|$))")
"""The blank between a number and its unit."""


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the screen, text of any origin escaped (``table_lines``)."""
    print("\n".join(table_lines(columns, [[printable(cell) for cell in row] for row in rows], screen_width())))


GAP = 2
"""Columns between two cells."""


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table fits the screen with nothing folded."""
    return _needed(_natural_widths(columns, rows)) <= screen_width()


def is_one_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table fits the screen once its texts are folded."""
    return _needed(_least_widths(columns, _natural_widths(columns, rows))) <= screen_width()


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of a table: the widest texts are folded where they must be, numbers never are.

    Where it is too wide all the same, the columns stand in several tables, one below the other. Each of them begins
    with the texts that stand in front, by which rows are known.
    """
    natural = _natural_widths(columns, rows)
    least = _least_widths(columns, natural)
    if _needed(least) <= width:
        return _lines(columns, rows, _folded_widths(columns, natural, width))
    front = next((c for c, column in enumerate(columns) if not column.is_text), 1) or 1
    first = list(range(front))
    lines: list[str] = []
    group: list[int] = []
    for c in [*range(front, len(columns)), None]:
        if c is not None and (not group or _needed([least[k] for k in [*first, *group, c]]) <= width):
            group.append(c)
            continue
        chosen = [*first, *group]
        part = [columns[k] for k in chosen]
        wide = _folded_widths(part, [natural[k] for k in chosen], width)
        lines += ["", *_lines(part, [[row[k] for k in chosen] for row in rows], wide)]
        group = [] if c is None else [c]
    return lines[1:]


def fitting_tables(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """``table_lines`` of rows of numbers behind a name."""
    return table_lines([Column(name, number == 0) for number, name in enumerate(head)], rows, width)


def _natural_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Width of each column where nothing is folded."""
    return [max(map(len, [*column.head.split("\n"), *(row[c] for row in rows)])) for c, column in enumerate(columns)]


def _least_widths(columns: Sequence[Column], natural: Sequence[int]) -> list[int]:
    return [min(w, LEAST) if column.is_text else w for column, w in zip(columns, natural, strict=True)]


def _needed(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _folded_widths(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Widths at which a table fits, as far as its texts can be folded."""
    wide = list(natural)
    while _needed(wide) > width:
        widest = max((c for c, column in enumerate(columns) if column.is_text), key=lambda c: wide[c], default=None)
        if widest is None or wide[widest] <= LEAST:
            break
        wide[widest] -= 1
    return wide


def _lines(columns: Sequence[Column], rows: Sequence[Sequence[str]], wide: Sequence[int]) -> list[str]:
    heads = [column.head.split("\n") for column in columns]
    depth = max(map(len, heads))
    lines = _folded_row([[""] * (depth - len(head)) + head for head in heads], columns, wide)
    for row in rows:
        lines += _folded_row([_fold(cell, w) for cell, w in zip(row, wide, strict=True)], columns, wide)
    return lines


def _fold(cell: str, width: int) -> list[str]:
    """A cell in lines, broken behind a slash, a dash or a blank where there is one."""
    lines = []
    while len(cell) > width:
        at = max(cell.rfind(mark, width // 2, width) for mark in "/-_, ") + 1 or width
        lines.append(cell[:at])
        cell = cell[at:]
    return [*lines, cell]


def _folded_row(cells: Sequence[list[str]], columns: Sequence[Column], wide: Sequence[int]) -> list[str]:
    """A row whose cells have several lines."""
    lines = []
    for level in range(max(map(len, cells))):
        parts = [cell[level] if level < len(cell) else "" for cell in cells]
        aligned = [
            f"{part:<{w}}" if c.is_text else f"{part:>{w}}" for part, w, c in zip(parts, wide, columns, strict=True)
        ]
        lines.append((" " * GAP).join(aligned).rstrip())
    return lines


def common_folder(names: Sequence[str]) -> str | None:
    """The folder that all files are in, where there is one worth naming."""
    parts = [name for name in dict.fromkeys(names) if Path(name).parent != Path()]
    if len(parts) < len(set(names)):
        return None
    try:
        common = os.path.commonpath([str(Path(name).parent) for name in parts])
    except ValueError:
        return None
    return common if common not in ("", ".", "/") else None


def json_text(content: Any, *, indent: int | None = 1) -> str:
    """JSON for the screen: readable letters stay, whatever a terminal would obey is escaped as JSON escapes it."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


__all__ = [
    "WIDE", "Column", "common_folder", "console", "fits", "fitting_tables", "folded", "is_one_table", "json_text",
    "print_table", "printable", "screen_width", "table_lines",
]  # fmt: skip
