"""``ionvolt validate``: models against measured cathodes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionvolt.cli.outputs import require_data
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.experiment.cathodes import Cathode
    from ionvolt.experiment.estimates import Estimate
    from ionvolt.experiment.validate import Score, Validation


def validate(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Shipped models' names or models' folders, or all.", metavar="NAME|DIR|all"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write tables, JSON and figure there.", metavar="FOLDER")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="A data set whose mean voltage of each ion is the mean predictor.", metavar="FILE"),
    ] = None,
    physics: Annotated[
        bool, typer.Option("--physics", help="Also relax both end members with the universal potential (minutes).")
    ] = False,
    expected: Annotated[
        bool | None,
        typer.Option(
            "--expected/--no-expected",
            help="Also the calculated voltage and what a cell is expected to show, by models that have not seen the "
            "framework (seconds; on where no model is named).",
        ),
    ] = None,
    include_excluded: Annotated[
        bool, typer.Option("--include-excluded", help="Also show rows that do not count; they stay out of the errors.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Compare models with measured voltages of insertion cathodes.

    Exit code 0: every model answered for every cathode of an ion it knows; 1: some cathodes were refused; 2: nothing
    could be done.
    """
    if data is not None:
        require_data(data)
    from ionvolt.experiment.cathodes import all_cathodes, usable_cathodes
    from ionvolt.experiment.validate import validate as against_measurement

    names = _models(model or ["all"])
    cathodes = all_cathodes() if include_excluded else usable_cathodes()
    means = None if data is None else _means(data)  # a file that is not there ends it before anything is computed
    extra = _physics(cathodes) if physics else []
    kept_back: list[Estimate] = []
    if expected if expected is not None else not model:
        from ionvolt.experiment.expected import expected_estimates

        extra += expected_estimates(cathodes)
        kept_back = expected_estimates([cathode for cathode in all_cathodes() if cathode.kept_back])
    result = against_measurement(cathodes, names, extra=extra, kept_back=kept_back, means=means)
    if output is not None:
        _write(result, output)
    if as_json:
        print(json_text(result.to_dict()))
    else:
        _print(result, output)
    refused = [e for e in result.estimates if e.voltage is None and "does not know" not in e.note and e.model != "mean"]
    for estimate in refused:
        print(printable(f"ionvolt: {estimate.model}, {estimate.cathode}: {estimate.note}"), file=sys.stderr)
    raise typer.Exit(1 if refused else 0)


def _models(asked: list[str]) -> list[str]:
    from ionvolt.models.registry import AUTO, auto_card, load_model, shipped_models

    # A model that needs discharged structures has few cathodes to answer here; auto takes it where it can.
    everything = ([AUTO] if auto_card() else []) + [
        name for name in shipped_models() if "charged" in load_model(name).accepts
    ]

    names: list[str] = []
    for name in (part.strip() for text in asked for part in text.split(",")):
        names += everything if name == "all" else [name] if name else []
    return list(dict.fromkeys(names))


def _physics(cathodes: tuple[Cathode, ...]) -> list[Estimate]:
    from ionvolt.cli.progress import Bar
    from ionvolt.experiment.computed import estimates

    rows = [cathode for cathode in cathodes if cathode.structure and cathode.voltage is not None]
    with Bar("relaxing end members") as bar:
        return estimates(rows, progress=bar.to)


def _means(path: Path) -> dict[str, float]:
    from ionvolt.datasets import read_dataset

    data = read_dataset(path)
    ions = dict.fromkeys(data.ions.tolist())
    return {ion: float(data.for_ion(ion).voltages.mean()) for ion in ions}


def _rows(result: Validation) -> list[dict[str, Any]]:
    """One row for each cathode and model."""
    by_name = {cathode.name: cathode for cathode in result.cathodes}
    rows = []
    for estimate in result.estimates:
        cathode = by_name[estimate.cathode]
        rows.append(
            {
                "cathode": cathode.name, "ion": cathode.ion, "host": cathode.host, "phase": cathode.phase,
                "x_from": cathode.x_from, "x_to": cathode.x_to, "measured": cathode.voltage,
                "uncertainty": cathode.uncertainty, "use": cathode.use, "checked": cathode.checked,
                "doi": cathode.doi, "model": estimate.model, "voltage": estimate.voltage,
                "voltage_std": estimate.voltage_std, "lower": estimate.lower, "upper": estimate.upper,
                "framework_in_training": estimate.seen,
                "structure": estimate.structure, "state": estimate.state, "note": estimate.note,
            }
        )  # fmt: skip
    return rows


def _write(result: Validation, folder: Path) -> None:
    from ionvolt.experiment.figure import save
    from ionvolt.store import write_json, write_rows

    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("voltages.csv", _rows(result)), ("scores.csv", [asdict(score) for score in result.scores])):
        write_rows(folder / name, rows)
    write_json(folder / "validation.json", result.to_dict())
    save(result, folder)


def _print(result: Validation, output: Path | None) -> None:
    columns = [Column("cathode", True), Column("measured\n(V)")]
    columns += [Column(f"{model}\n(V)") for model in result.models]
    by_model = {model: result.of(model) for model in result.models}
    rows = []
    for cathode in result.cathodes:
        cells = [_cell(by_model[model].get(cathode.name)) for model in result.models]
        mark = "" if cathode.use else " [does not count]"
        rows.append([f"{cathode.name}{mark}", f"{cathode.voltage:.2f} ± {cathode.uncertainty or 0:.2f}", *cells])
    print_table(columns, rows)
    print(
        folded("* the cathode's framework is in the model's training set, if for another ion: not a blind test"),
        end="\n\n",
    )
    _print_scores(result)
    without = [ion for ion in ("Mg", "Ca", "Zn", "Al") if not any(c.ion == ion and c.use for c in result.cathodes)]
    for ion in without:
        print(folded(f"note: no measured voltage of bare {ion} insertion counts; the table says why"))
    if output is not None:
        files = "voltages.csv, scores.csv, validation.json, validation.png, validation.svg"
        print(folded(f"written to {output}: {files}"))


def _cell(estimate: Estimate | None) -> str:
    if estimate is None or estimate.voltage is None:
        return "–"
    return f"{estimate.voltage:.2f}{'*' if estimate.seen else ' '}"


def _print_scores(result: Validation) -> None:
    columns = [
        Column("model", True), Column("cathodes", True), Column("n"), Column("seen"), Column("MAE (V)"),
        Column("median\n(V)"), Column("bias\n(V)"), Column("within\nuncer-\ntainty"), Column("in 90 %\ninterval"),
        Column("width\n(V)"),
    ]  # fmt: skip
    rows = [
        [
            score.model, score.group, str(score.n), "–" if score.n_seen is None else str(score.n_seen),
            _interval(score), f"{score.median:.2f}", f"{score.bias:+.2f}", f"{score.within:.0%}",
            "–" if score.covered is None else f"{score.covered:.0%}",
            "–" if score.width is None else f"{score.width:.2f}",
        ]
        for score in result.scores
    ]  # fmt: skip
    print_table(columns, rows)
    print(folded("seen: cathodes whose framework is in the model's training set; width: of the 90 % interval"))


def _interval(score: Score) -> str:
    if score.mae_low is None or score.mae_high is None:
        return f"{score.mae:.2f}"
    return f"{score.mae:.2f} ({score.mae_low:.2f}–{score.mae_high:.2f})"
