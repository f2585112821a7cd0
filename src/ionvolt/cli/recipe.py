"""``ionvolt recipe``: how the shipped models are made, and how to make them anew from other data."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionvolt.cli.choices import DeviceOption
from ionvolt.cli.outputs import require_data
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.recipes.interface import ReportLine
    from ionvolt.recipes.job import Job

recipe_app = typer.Typer(help="Recipes: make the shipped models anew, from any data set.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="A recipe, or a shipped model that it makes (`ionvolt recipe list`).", metavar="NAME")
]
DataFile = Annotated[Path, typer.Argument(help="A data set of IonVolt (`ionvolt data import`).", metavar="DATA")]
Folder = Annotated[
    Path, typer.Option("--output", "-o", help="Keeps all that is computed; a killed run goes on from there.")
]
Rows = Annotated[int | None, typer.Option("--rows", min=1, help="As many rows, drawn at random.")]
Ions = Annotated[str | None, typer.Option("--ions", help="Rows of these ions only: Mg,Ca.")]
Folds = Annotated[str | None, typer.Option("--folds", help="These held-out folds only, counted from 0: 0,1.")]
Label = Annotated[str, typer.Option("--label", help="Ends the models' names; by default the snapshot of the data.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Networks trained at the same time, where that helps.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


@recipe_app.command("list")
def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes, the models that they make, and their steps."""
    from ionvolt.recipes.registry import recipes

    found = list(recipes().values())
    if as_json:
        facts = [
            {"name": r.name, "words": r.words, "makes": list(r.makes), "steps": [asdict(step) for step in r.steps]}
            for r in found
        ]
        print(json_text(facts))
        return
    for recipe in found:
        print(folded(f"{recipe.name}: {recipe.words}"))
        print(folded(f"  makes {', '.join(recipe.makes)}"))
        for step in recipe.steps:
            print(folded(f"  {step.name}: {step.words}" + (" (only if asked for)" if step.asked_for else "")))


@recipe_app.command()
def run(
    name: Name,
    data: DataFile,
    output: Folder,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This step only (`ionvolt recipe list`); repeatable.")
    ] = None,
    rows: Rows = None,
    ions: Ions = None,
    folds: Folds = None,
    label: Label = "",
    jobs: Jobs = 1,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0, help="End the step `relaxed` after so long; it can go on later.")
    ] = None,
    device: DeviceOption = None,
) -> None:
    """From a data set to fitted models in the folder: all steps, or some. The package is not touched."""
    require_data(data, or_folder=True)
    from ionvolt.errors import ModelError
    from ionvolt.recipes.registry import find_recipe

    recipe = find_recipe(name)
    known = [step.name for step in recipe.steps]
    for step in only or ():
        if step not in known:
            raise ModelError(f"{step}: no step of {recipe.name}. Choose from {', '.join(known)}")
    steps = [step.name for step in recipe.steps if (step.name in only if only else not step.asked_for)]
    with _Reporter() as reporter:
        job = _job(data, output, rows, ions, folds, label, jobs, reporter, minutes)
        for step in steps:
            recipe.do(step, job)
    if "fit" in steps:
        for folder in recipe.models(job):
            print(printable(f"{folder}: use it with --model {folder}"))


@recipe_app.command()
def evaluate(
    name: Name,
    data: DataFile,
    output: Folder,
    rows: Rows = None,
    ions: Ions = None,
    folds: Folds = None,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """Errors on held-out rows, from features that are there; what has been answered is not repeated."""
    require_data(data, or_folder=True)
    from ionvolt.recipes.registry import find_recipe

    recipe = find_recipe(name)
    with _Reporter() as reporter:
        job = _job(data, output, rows, ions, folds, "", jobs, reporter)
        recipe.do("evaluate", job)
        lines = recipe.report(job)
    if as_json:
        print(json_text([asdict(line) for line in lines]))
    else:
        _print(lines)


@recipe_app.command()
def release(
    name: Name,
    data: DataFile,
    output: Folder,
    to: Annotated[
        Path | None, typer.Option("--to", help="Another folder of models; by default the package's own.")
    ] = None,
    rows: Rows = None,
    ions: Ions = None,
    label: Label = "",
    jobs: Jobs = 1,
) -> None:
    """Fit the models, see that they answer, and put them in the place of the shipped ones."""
    require_data(data, or_folder=True)
    from ionvolt.recipes.registry import find_recipe
    from ionvolt.recipes.release import release as put_in_place

    recipe = find_recipe(name)
    with _Reporter() as reporter:
        job = _job(data, output, rows, ions, None, label, jobs, reporter)
        recipe.do("evaluate", job)
        recipe.do("fit", job)
        written = put_in_place(recipe, job, to)
    for folder in written:
        print(printable(f"{folder}: written"))


def _job(
    data: Path,
    output: Path,
    rows: int | None,
    ions: str | None,
    folds: str | None,
    label: str,
    jobs: int,
    reporter: _Reporter,
    minutes: float | None = None,
) -> Job:
    from ionvolt.errors import InputError
    from ionvolt.ions import parse_ions

    try:
        numbers = tuple(sorted({int(fold) for fold in folds.split(",")})) if folds else ()
    except ValueError:
        raise InputError(f"--folds {folds}", "folds are numbers, counted from 0", "Give 0,1") from None
    chosen = tuple(sorted({ion.symbol for ion in parse_ions(ions)})) if ions else ()
    import torch

    from ionvolt.recipes.job import Job, Selection

    torch.set_num_threads(1)  # sums in several threads depend on how many there are
    return Job(data, output, Selection(rows, chosen, numbers), label, jobs, minutes, reporter)


def _print(lines: list[ReportLine]) -> None:
    columns = [
        Column("test", True), Column("ion", True), Column("n"), Column("MAE\n(V)"), Column("95 % interval\n(V)"),
        Column("median\n(V)"), Column("within\n0.1 V"), Column("within\n0.3 V"), Column("in 90 %\ninterval"),
    ]  # fmt: skip
    rows = [
        [
            line.test, line.ion, str(line.n), f"{line.mae:.3f}", f"{line.mae_low:.3f} to {line.mae_high:.3f}",
            f"{line.median:.3f}", f"{line.within_01:.0%}", f"{line.within_03:.0%}",
            f"{c:.1%}" if (c := line.more.get("coverage_90")) else "",
        ]
        for line in lines
    ]  # fmt: skip
    print_table(columns, rows)


class _Reporter:
    """Tells of progress on standard error: a bar on a terminal, else a line for every unit that is done."""

    def __init__(self) -> None:
        from ionvolt.cli.progress import Bar

        self._bar = Bar("recipe")
        self._last = (-1, -1)

    def __enter__(self) -> _Reporter:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.__exit__(None, None, None)

    def __call__(self, done: int, total: int, words: str) -> None:
        if sys.stderr.isatty():
            self._bar.to(done, total)
            self._bar.describe(words)
        elif (done, total) != self._last or not total:
            print(f"{done}/{total} {words}" if total else words, file=sys.stderr, flush=True)
        self._last = (done, total)
