"""One figure or table of the paper, drawn again: files, the paper's claims, and whether they hold."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ionvolt.store import write_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Holds = Literal["yes", "in part", "no", "not tested"]


@dataclass(frozen=True)
class Claim:
    """Something that the paper says, and what came out here.

    Attributes:
        words: The claim.
        paper: The paper's number with its unit, or "".
        here: The number that stands against it, with its unit.
        holds: Whether it holds.
        sentence: Why, made from the numbers.
        added: The paper does not say it; it is put beside what the paper says, to be fair.
    """

    words: str
    paper: str
    here: str
    holds: Holds
    sentence: str
    added: bool = False


@dataclass(frozen=True)
class Exhibit:
    """A figure or table of the paper.

    Attributes:
        name: ``fig-2a``, ``table-s1``: what its files are called.
        title: As on the page.
        caption: What is shown, with data, split and n.
        figures: Names of figures, each written as SVG and PNG.
        tables: Names of tables, each written as CSV.
        claims: The paper's, judged.
        inferred: What the preprint does not say of it and had to be inferred.
        missing: Why it could not be made; then it has no files.
    """

    name: str
    title: str
    caption: str = ""
    figures: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    inferred: str = ""
    missing: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The exhibit as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Exhibit:
        """What ``to_dict`` made."""
        return cls(**{**content, "claims": [Claim(**claim) for claim in content["claims"]]})


def write_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write ``name.svg`` and ``name.png``; the same figure gives the same SVG."""
    import matplotlib as mpl

    from ionvolt.explain.figures import DOTS_PER_INCH, STYLE

    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # what was laid out once need not be so for each form
        figure.savefig(folder / f"{name}.svg", dpi=DOTS_PER_INCH, metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)


def write_table(rows: Sequence[dict[str, Any]], folder: Path, name: str) -> None:
    """Write ``name.csv``: a column for each key of the first row, floats to four decimals."""
    write_rows(folder / f"{name}.csv", [{key: _cell(value) for key, value in row.items()} for row in rows])


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of ``name.csv``."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}" if math.isfinite(value) else ""
    return value
