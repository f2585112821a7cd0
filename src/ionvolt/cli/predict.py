"""``ionvolt predict``: files and ions in, voltages out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.choices import AssumeOption, DeviceOption, ModelOption
from ionvolt.cli.predict_output import COLUMNS

if TYPE_CHECKING:
    from ionvolt.errors import InputError
    from ionvolt.models.card import ModelCard
    from ionvolt.prediction import Options, Prediction, Question

__all__ = ["COLUMNS", "predict"]


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            help="CIF or POSCAR files (also .res, extended XYZ, JSON, .traj, .zip), file.cif#block, folders, globs, "
            "Materials Project ids, or - for standard input.",
            metavar="FILE",
        ),
    ],
    ion: Annotated[
        str, typer.Option("--ion", "-i", help="Working ions: Mg, or Mg,Ca, or all.", metavar="ION[,ION…]|all")
    ],
    model: ModelOption = None,
    assume: AssumeOption = "auto",
    charged: Annotated[
        str | None,
        typer.Option(help="The charged structure, where the one FILE is the discharged one.", metavar="FILE2"),
    ] = None,
    discharged_formula: Annotated[
        str | None,
        typer.Option(
            help="Formula of the discharged electrode, where FILE is the charged host: MgMn2O4.", metavar="FORMULA"
        ),
    ] = None,
    charged_formula: Annotated[
        str | None,
        typer.Option(
            help="Formula of the charged electrode, or the fraction of the ions that comes out, where FILE is the "
            "discharged one: NaV2(PO4)3, 0.5.",
            metavar="FORMULA|FRACTION",
        ),
    ] = None,
    relax: Annotated[bool, typer.Option("--relax", help="Relax the given structures first (CHGNet).")] = False,
    exchange: Annotated[
        bool,
        typer.Option(
            "--exchange", help="Put the ion on the places of the mobile ion that is there, and relax: Na in LiFePO4."
        ),
    ] = False,
    order: Annotated[
        bool,
        typer.Option(
            "--order", help="Order disordered crystals first; the answer is the mean over orderings (ionvolt order)."
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the results there as they come (.parquet, .csv or .jsonl), refusals with their reasons "
            "included; the same command goes on where it was.",
            metavar="FILE",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Processes, each with a model of its own [default: 1 for a few structures, else one a core].",
        ),
    ] = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on standard output.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
) -> None:
    """Predict the average voltage of electrodes.

    The best model that the input allows answers: from both end members, the discharged structure, or the charged host
    alone.

    Exit code 0: every input was predicted; 1: some were refused (one line each on standard error); 2: nothing
    could be done.
    """
    from ionvolt.cli.inputs import exit_code, only, require_inputs
    from ionvolt.errors import InputError

    forms = [name for name, asked in (("--json", as_json), ("--csv", as_csv), ("-o", output)) if asked]
    if len(forms) > 1:
        raise InputError(" ".join(forms), "several forms of output were asked for", "Choose one")
    require_inputs(files)
    if charged is not None:
        require_inputs([charged])
    from ionvolt.ions import parse_ions

    ions = [chosen.symbol for chosen in parse_ions(ion)]
    more: dict[str, Any] = {
        "discharged_formula": discharged_formula,
        "charged_formula": charged_formula,
        "relax": relax,
        "exchange": exchange,
    }
    idle = [name for name, value in {**more, "charged": charged}.items() if value not in (None, False)]
    if order and idle:
        named = ", ".join("--" + name.replace("_", "-") for name in idle)
        raise InputError("--order", f"it does not go with {named}", "Leave one of them out")
    if charged is not None and len(files) > 1:
        raise InputError("--charged", "it belongs to one discharged structure", "Give one FILE, or ionvolt compute")

    from ionvolt.models.registry import check_known

    cards = check_known(model, ions)  # an ion that it does not know ends it before anything is written
    options: Options = {"assume": assume, "charged": None if charged is None else only(charged), **more}  # type: ignore[typeddict-item]
    run = _Run(files, ions, model, options, order, jobs)
    if output is not None:
        settings = {"assume": assume, "charged": charged, "order": order} | more
        raise typer.Exit(_grow(run, output, cards, settings))
    from ionvolt.cli.predict_output import print_predictions, write_csv, write_json

    if as_json:
        write_json(run.told())
    elif as_csv:
        write_csv(run.told())
    else:
        found: list[Prediction] = []
        try:
            found.extend(run.told())
        except KeyboardInterrupt:
            print_predictions(found)
            raise
        print_predictions(found)
    run.tell_passed_over()
    raise typer.Exit(exit_code(run.answered, run.refused))


@dataclass
class _Run:
    """What was asked for, and how far it is.

    Attributes:
        files: The inputs as they were given.
        ions: Symbols.
        model: Name or folder.
        options: How structures are read.
        order: Whether disordered crystals are ordered.
        jobs: Processes; None is sensible.
        answered: Answers so far.
        refused: Refused inputs so far.
        passed_over: Files of folders that are no structures, by their endings.
    """

    files: list[str]
    ions: list[str]
    model: str | None
    options: Options
    order: bool
    jobs: int | None
    answered: int = 0
    refused: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)

    def told(self) -> Iterator[Prediction]:
        """The answers; refusals are told on standard error as they come."""
        for _, answers in self.results(lambda name: False):
            yield from self.tell(answers)

    def tell(self, answers: Sequence[Prediction | InputError]) -> list[Prediction]:
        """Tell the refusals among the answers to one input, and give the others."""
        from ionvolt.cli.predict_output import told_once
        from ionvolt.errors import InputError, printable

        found: list[Prediction] = []
        for answer in told_once(answers):
            if isinstance(answer, InputError):
                self.refused += 1
                print(f"ionvolt: {printable(str(answer))}", file=sys.stderr)
            else:
                self.answered += 1
                found.append(answer)
        return found

    def results(self, skip: Callable[[str], bool]) -> Iterator[tuple[str, list[Prediction | InputError]]]:
        """The name of each input and its answers, or the one error that refused it; ``skip`` says which are done."""
        if self.order:
            from ionvolt.cli.order import ordered_predictions

            assume = self.options["assume"]
            for answers in ordered_predictions(self.files, self.ions, self.model, assume, self.jobs, skip):
                yield answers[0].source, list(answers)
            return
        yield from self._read_and_answered(skip)

    def _read_and_answered(self, skip: Callable[[str], bool]) -> Iterator[tuple[str, list[Prediction | InputError]]]:
        from ionvolt.cli.progress import Bar
        from ionvolt.parallel import Work, answered, sensible_jobs
        from ionvolt.prediction import answerer
        from ionvolt.structures import found_files

        with Bar("looking for structures") as bar:
            names = list(found_files(self.files, passed_over=self.passed_over))
            open_names = [name for name in names if not (isinstance(name, str) and skip(name))]
            done = len(names) - len(open_names)
            bar.to(done, len(names), "predicting")
            if not open_names:
                return
            numbers: dict[int, int] = {}
            sources: list[str] = []

            def questions() -> Iterator[Question]:
                for number, question in _questions(open_names, skip):
                    numbers[len(sources)] = number
                    sources.append(question.source)
                    yield question

            jobs = self.jobs or sensible_jobs(len(open_names))
            work = Work(answerer, (self.model, self.ions, self.options))
            for index, answers in enumerate(answered(work, questions(), jobs)):
                source, sources[index] = sources[index], ""
                bar.to(done + numbers.pop(index), len(names))
                yield source, answers

    def tell_passed_over(self) -> None:
        """Which files of folders were no structures."""
        if self.passed_over:
            from ionvolt.structures.sources import passed_over_text

            print(
                f"ionvolt: passed over {passed_over_text(self.passed_over)}, which are no structures", file=sys.stderr
            )


def _questions(names: Sequence[str | InputError], skip: Callable[[str], bool]) -> Iterator[tuple[int, Question]]:
    """Structures of the files, each with the number of files that are done with it."""
    from ionvolt.errors import InputError
    from ionvolt.structures import read_found

    for number, name in enumerate(names, start=1):
        for found in [name] if isinstance(name, InputError) else read_found(name):
            if not skip(found.source):
                yield number, found


def _grow(run: _Run, path: Path, cards: list[ModelCard], settings: dict[str, Any]) -> int:
    """Write the results to a file that grows; returns the exit code."""
    from functools import partial

    from ionvolt._version import __version__
    from ionvolt.cli.inputs import exit_code
    from ionvolt.cli.predict_output import ERROR, are_whole, file_columns, file_rows
    from ionvolt.cli.terminal import printable
    from ionvolt.errors import UnavailableError
    from ionvolt.ordered_prediction import OrderedPrediction
    from ionvolt.prediction import Prediction
    from ionvolt.store import growing_table

    about = {"ionvolt": __version__, "ions": run.ions, "model": {c.name: c.weights_sha256 for c in cards}} | settings
    columns = file_columns(OrderedPrediction if run.order else Prediction)
    whole = partial(are_whole, run.ions)
    with growing_table(path, columns, about, key="source", mark=ERROR, whole=whole) as table:
        before, seen = table.rows, set[str]()
        asked_again = 0
        try:
            for source, answers in run.results(table.has):
                run.tell(answers)
                if any(isinstance(answer, UnavailableError) for answer in answers):
                    asked_again += 1  # no connection, no key: the same command asks again
                elif source not in seen:
                    seen.add(source)
                    table.append(file_rows(source, run.ions, answers))
        except KeyboardInterrupt:
            print(f"ionvolt: {table.rows} rows are kept; the same command goes on from there", file=sys.stderr)
            raise
        refused, total = table.marked, table.rows
    run.tell_passed_over()
    there = f", {before} of them from before" if before else ""
    print(f"{printable(str(path))}: {total} rows{there}; {refused} refused, with their reasons")
    return exit_code(total - refused, refused + asked_again)
