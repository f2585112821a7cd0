"""``ionvolt reproduce``: the paper's tables and figures from a data set, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.terminal import folded, json_text, printable

if TYPE_CHECKING:
    from ionvolt.reproduction.settings import ReportSettings

HOW = (
    "Get one: `ionvolt data fetch --ion all -o mp.parquet` (with a key of the Materials Project), or import tables and "
    "structures with `ionvolt data import` (docs/datasets.md)"
)


def reproduce(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for page, figures and tables; a killed run goes on there.")
    ],
    data: Annotated[
        Path | None,
        typer.Argument(help="A data set of IonVolt (`ionvolt data fetch`, `ionvolt data import`).", metavar="DATA"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes: few epochs, one split; not comparable with the paper.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(min=1, max=20, help="Splits.")] = None,
    members: Annotated[int | None, typer.Option(min=1, max=9, help="Networks in an ensemble.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training part.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every claim and number as JSON on standard output.")] = False,
) -> None:
    """Make every table and figure of Zhang et al. (2022) again and say which of its claims hold.

    One self-contained page (index.html) with SVG, PNG and CSV files beside it. Half an hour on two cores from the
    Materials Project's 2020 snapshot, two minutes with --quick. Needs the extra `baselines`.
    """
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import DataError

    if data is None:
        raise DataError(f"reproduce: no data set is given. {HOW}")
    if not data.is_file():
        raise DataError(f"{data}: no such data set. {HOW}")
    from ionvolt.datasets import read_dataset
    from ionvolt.reproduction.run import reproduce as make

    rows = read_dataset(data)
    settings = _settings(quick, seeds, members, epochs)
    with Bar("reading") as bar:

        def show(done: int, total: int, words: str) -> None:
            bar.to(done, total)
            bar.describe(words)

        report = make(rows, output, settings=settings, source=data.name, progress=show)
    if as_json:
        print(json_text(report.summary | {"page": str(report.page)}))
        return
    for line in _lines(report.summary):
        print(folded(line))
    print(printable(f"{report.page}: the page; figures and tables beside it"))


def _settings(quick: bool, seeds: int | None, members: int | None, epochs: int | None) -> ReportSettings:
    from dataclasses import replace

    from ionvolt.reproduction.settings import FULL, QUICK

    base = QUICK if quick else FULL
    return replace(
        base,
        seeds=base.seeds if seeds is None else tuple(range(seeds)),
        members=base.members if members is None else members,
        epochs=base.epochs if epochs is None else epochs,
        quick=quick or (epochs is not None and epochs < FEW_EPOCHS),
    )


FEW_EPOCHS = 40
"""With fewer the errors are those of a quick run."""


def _lines(summary: dict[str, Any]) -> list[str]:
    """A line for each claim."""
    found = []
    for exhibit in summary["exhibits"]:
        label = exhibit["title"].split(":")[0]
        if exhibit["missing"]:
            found.append(f"{label}: left out, {exhibit['missing']}")
        for claim in exhibit["claims"]:
            stated = f" (paper: {claim['paper']})" if claim["paper"] else ""
            added = " (added)" if claim["added"] else ""
            here = f": {claim['here']}" if claim["here"] else ""
            found.append(f"{label}: {claim['holds']}: {claim['words']}{added}{here}{stated}")
    if summary["quick"]:
        found.append("note: a quick run; its errors are not comparable with the paper's")
    return found
