"""What goes to the terminal: tables that fit it, text of unknown origin escaped."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ionvolt.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 10_000
"""Columns where nobody looks at a screen: in a file or a pipe no table is broken."""


def screen_width() -> int:
    """Columns of the terminal; ``WIDE`` where the output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: brackets, colons and numbers of file names and formulas are no markup."""
    from rich.console import Console

    width = None if (sys.stderr if stderr else sys.stdout).isatty() else WIDE
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


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


__all__ = ["WIDE", "console", "fitting_tables", "json_text", "printable", "screen_width"]
