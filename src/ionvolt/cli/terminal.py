"""What goes to the terminal: tables that fit it, text of unknown origin escaped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A text of any origin as lines that fit the screen, the second and further ones set in."""
    return textwrap.fill(
        printable(text), screen_width(), subsequent_indent="  ", break_on_hyphens=False, drop_whitespace=True
    )


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that fits the screen: the widest texts are folded where they must be, numbers never are.

    Where it is too wide all the same, the columns stand in several tables, one below the other.
    """
    clean = [[printable(cell) for cell in row] for row in rows]
    wide = natural_widths(columns, clean)
    room = screen_width() - GAP * (len(columns) - 1)
    while sum(wide) > room:
        widest = max((c for c, column in enumerate(columns) if column.is_text), key=lambda c: wide[c], default=None)
        if widest is None or wide[widest] <= LEAST:
            lines = _in_parts(columns, clean)
            break
        wide[widest] -= 1
    else:
        heads = [column.head.split("\n") for column in columns]
        depth = max(map(len, heads))
        lines = _folded_row([[""] * (depth - len(head)) + head for head in heads], columns, wide)
        for row in clean:
            lines += _folded_row([_fold(cell, w) for cell, w in zip(row, wide, strict=True)], columns, wide)
    print("\n".join(lines))


GAP = 2
"""Columns between two cells."""


def natural_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Width of each column where nothing is folded."""
    return [max(map(len, [*column.head.split("\n"), *(row[c] for row in rows)])) for c, column in enumerate(columns)]


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table fits the screen with nothing folded."""
    return sum(natural_widths(columns, rows)) + GAP * (len(columns) - 1) <= screen_width()


def _in_parts(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Several tables below each other; each begins with the texts that stand in front, by which rows are known."""
    front = next((c for c, column in enumerate(columns) if not column.is_text), len(columns))
    front = max(1, front if front < len(columns) else 1)
    heads = [column.head.replace("\n", " ") for column in columns[:front]]
    names = [max(map(len, [heads[c], *(row[c] for row in rows)])) for c in range(front)]

    def joined(cells: Sequence[str]) -> str:
        return (" " * GAP).join(f"{cell:<{w}}" for cell, w in zip(cells, names, strict=True)).rstrip()

    head = [joined(heads), *(column.head for column in columns[front:])]
    return fitting_tables(head, [[joined(row[:front]), *row[front:]] for row in rows], screen_width())


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


def fitting_tables(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Lines of one table, or of several one below the other where one would be wider than the screen.

    Cells are never cut. The first column names the row and begins each of the tables; the others are aligned to the
    right. A head with line breaks takes several lines.

    Args:
        head: Names of the columns.
        rows: Cells of each row.
        width: Columns of the screen.
    """
    names = [name.split("\n") for name in head]
    wide = [max(*(len(part) for part in names[c]), *(len(row[c]) for row in rows), 0) for c in range(len(head))]
    lines: list[str] = []
    start = 1
    while start < len(head) or not lines:
        end, used = start, wide[0]
        while end < len(head) and (end == start or used + 2 + wide[end] <= width):
            used += 2 + wide[end]
            end += 1
        chosen = [0, *range(start, end)]
        if lines:
            lines.append("")
        depth = max(len(names[c]) for c in chosen)
        heads = [[""] * (depth - len(names[c])) + names[c] for c in chosen]
        lines += [_line([parts[level] for parts in heads], [wide[c] for c in chosen]) for level in range(depth)]
        lines += [_line([row[c] for c in chosen], [wide[c] for c in chosen]) for row in rows]
        start = max(end, start + 1)
    return lines


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    first = f"{cells[0]:<{wide[0]}}"
    return "  ".join([first, *(f"{cell:>{w}}" for cell, w in zip(cells[1:], wide[1:], strict=True))]).rstrip()


def json_text(content: Any, *, indent: int | None = 1) -> str:
    """JSON for the screen: readable letters stay, whatever a terminal would obey is escaped as JSON escapes it."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


__all__ = [
    "WIDE", "Column", "console", "fits", "fitting_tables", "folded", "json_text", "print_table", "printable",
    "screen_width",
]  # fmt: skip
