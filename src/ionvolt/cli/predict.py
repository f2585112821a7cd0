"""``ionvolt predict``: files and ions in, voltages out."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.choices import Assume, AssumeOption, ModelOption
from ionvolt.cli.terminal import console

if TYPE_CHECKING:
    from ionvolt.errors import InputError
    from ionvolt.models.interface import Predictor
    from ionvolt.ordered_prediction import OrderedPrediction
    from ionvolt.prediction import Prediction
    from ionvolt.structures import Crystal
    from ionvolt.structures.disorder import DisorderError

    Ask = Callable[[Sequence[Crystal]], list[Prediction | InputError]]
    AskPartly = Callable[[DisorderError], list[Prediction | InputError]]

CHUNK = 8
"""Structures that are read before they are predicted together."""

COLUMNS = (
    "source", "formula", "working_ion", "voltage", "voltage_std", "model", "end_members", "capacity_grav",
    "energy_grav", "warnings", "voltage_lower", "voltage_upper", "epistemic_std", "in_domain",
    "voltage_potential", "host_formula", "removed", "capacity_vol", "energy_vol", "capacity_is_estimate",
    "full_extraction",
)  # fmt: skip


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            help="CIF or POSCAR files (also .res, extended XYZ, JSON, .traj, .zip), file.cif#block, folders, globs, "
            "Materials Project ids, or - for standard input.",
            metavar="FILE…",
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
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on standard output.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
) -> None:
    """Predict the average voltage of electrodes.

    The best model that the input allows answers: from both end members, the discharged structure, or the charged host
    alone.

    Exit code 0: every input was predicted; 1: some were refused (one line each on standard error); 2: nothing
    could be done.
    """
    from ionvolt.errors import InputError
    from ionvolt.ions import parse_ions
    from ionvolt.prediction import as_model, predict_each, predict_partly_filled

    if as_json and as_csv:
        raise InputError("--json --csv", "both output formats were asked for", "Choose one")
    ions = [chosen.symbol for chosen in parse_ions(ion)]
    refused = _Refused()
    more: dict[str, Any] = {
        "discharged_formula": discharged_formula,
        "charged_formula": charged_formula,
        "relax": relax,
        "exchange": exchange,
    }
    if charged is not None:
        more["charged"] = _only(charged)
        if len(files) > 1:
            raise InputError("--charged", "it belongs to one discharged structure", "Give one FILE, or ionvolt compute")
    predictor = as_model(model)
    predictor.require(ions)  # an ion that it does not know ends it before anything is written

    def ask(crystals: Sequence[Crystal]) -> list[Prediction | InputError]:
        return predict_each(crystals, ions, model=predictor, assume=assume, **more)

    def ask_partly(error: DisorderError) -> list[Prediction | InputError]:
        if assume != "auto" or any(value not in (None, False) for value in more.values()):
            return [error]
        return predict_partly_filled(error, ions, model=predictor)

    passed_over: Counter[str] = Counter()
    predictions: Iterator[Prediction | OrderedPrediction]
    if order:
        idle = [name for name, value in more.items() if value not in (None, False)]
        if idle:
            named = ", ".join("--" + name.replace("_", "-") for name in idle)
            raise InputError("--order", f"it does not go with {named}", "Leave one of them out")
        predictions = _ordered(files, ions, predictor, assume, refused)
    else:
        predictions = _predictions(files, ask, ask_partly, refused, passed_over)
    if as_json:
        _write_json(predictions)
    elif as_csv:
        _write_csv(predictions)
    else:
        _print_table(list(predictions))
    if passed_over:
        from ionvolt.structures.sources import passed_over_text

        print(f"ionvolt: passed over {passed_over_text(passed_over)}, which are no structures", file=sys.stderr)
    raise typer.Exit(1 if refused.count else 0)


class _Refused:
    """Refused inputs, told to the user as they come."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: Exception) -> None:
        self.count += 1
        print(f"ionvolt: {error}", file=sys.stderr)


def _only(file: str) -> Crystal:
    from ionvolt.errors import InputError
    from ionvolt.structures import read_many

    found = list(read_many([file]))
    if len(found) != 1:
        raise InputError(file, f"{len(found)} structures", "Give one file")
    if isinstance(found[0], InputError):
        raise found[0]
    return found[0]


def _predictions(
    files: list[str], ask: Ask, ask_partly: AskPartly, refused: _Refused, passed_over: Counter[str]
) -> Iterator[Prediction]:
    from ionvolt.cli.progress import Bar
    from ionvolt.errors import InputError
    from ionvolt.structures import read_many
    from ionvolt.structures.disorder import DisorderError

    with Bar("predicting structures") as bar:
        results = iter(read_many(files, passed_over=passed_over))
        while chunk := list(islice(results, CHUNK)):
            crystals: list[Crystal] = []
            answers: list[Prediction | InputError] = []
            for result in chunk:
                if isinstance(result, DisorderError):
                    answers += ask_partly(result)
                elif isinstance(result, InputError):
                    refused(result)
                else:
                    crystals.append(result)
            for answer in [*ask(crystals), *answers]:
                if isinstance(answer, InputError):
                    refused(answer)
                else:
                    yield answer
            bar.advance(by=len(chunk))


def _ordered(
    files: list[str], ions: list[str], model: Predictor, assume: Assume, refused: _Refused
) -> Iterator[OrderedPrediction]:
    from ionvolt.cli.order import ordered_predictions
    from ionvolt.errors import InputError

    for found in ordered_predictions(files, ions, model, assume):
        if isinstance(found, InputError):
            refused(found)
        else:
            yield found


def _write_json(predictions: Iterator[Prediction | OrderedPrediction]) -> None:
    separator = "[\n"
    for prediction in predictions:
        sys.stdout.write(separator + json.dumps(prediction.to_dict(), ensure_ascii=False))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _write_csv(predictions: Iterator[Prediction | OrderedPrediction]) -> None:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for prediction in predictions:
        removed = " ".join(f"{symbol}{n}" for symbol, n in prediction.removed.items())
        writer.writerow(prediction.to_dict() | {"warnings": "; ".join(prediction.warnings), "removed": removed})


def _print_table(predictions: list[Prediction | OrderedPrediction]) -> None:
    from rich.table import Table

    if not predictions:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("structure", overflow="fold")
    table.add_column("formula")
    table.add_column("ion")
    table.add_column("voltage (V)", justify="right")
    intervals = any(p.voltage_lower is not None for p in predictions)
    if intervals:
        table.add_column("90 % interval", justify="right")
    table.add_column("taken as")
    table.add_column("capacity (mAh/g)", justify="right")
    table.add_column("energy (Wh/kg)", justify="right")
    for p in predictions:
        table.add_row(
            p.source, p.formula, p.working_ion, _plus_minus(p.voltage, p.voltage_std),
            *([_interval(p)] if intervals else []), p.end_members,
            "" if p.capacity_grav is None else f"{p.capacity_grav:.0f}",
            "" if p.energy_grav is None else f"{p.energy_grav:.0f}",
        )  # fmt: skip
    console().print(table)
    notes: dict[str, list[str]] = {}
    for p in predictions:
        for warning in p.warnings:
            notes.setdefault(warning, []).append(f"{p.source} ({p.working_ion})")
    for warning, about in notes.items():
        print(f"note: {warning} – {', '.join(about[:4])}{f' and {len(about) - 4} more' if len(about) > 4 else ''}")
    print(f"model: {', '.join(dict.fromkeys(p.model for p in predictions))}")


def _interval(p: Prediction | OrderedPrediction) -> str:
    return "" if p.voltage_lower is None else f"{p.voltage_lower:.2f} to {p.voltage_upper:.2f}"


def _plus_minus(value: float, deviation: float | None) -> str:
    return f"{value:.2f}" if deviation is None else f"{value:.2f} ± {deviation:.2f}"
