"""``ionvolt evaluate``: any model under one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ionvolt.cli.outputs import require_data
from ionvolt.cli.terminal import Column, folded, json_text, print_table, printable

if TYPE_CHECKING:
    from ionvolt.evaluation.learner import Learner

# The same words as ``evaluation.protocol.Kind``, which is too heavy to import for --help.
Split = Literal["paper", "random", "framework", "leave-one-ion-out"]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="Learners to train under the protocol (mean, svr, kernel-ridge, random-forest, extra-trees, each also "
            "with -li or -all; li-model, cgcnn-scratch, cgcnn-transfer, cgcnn-joint, cgcnn-distilled) or trained "
            "models (by shipped name or folder), applied as they are. Several: with commas.",
            metavar="MODEL",
        ),
    ],
    data: Annotated[Path, typer.Argument(help="A data set of IonVolt (`ionvolt data import`).", metavar="DATA")],
    split: Annotated[
        Split,
        typer.Option(
            "--split",
            help="paper: trimmed, then random; random: 0.8/0.1/0.1 of each ion; framework: whole frameworks across all "
            "ions; leave-one-ion-out: learn from the other ions.",
        ),
    ] = "framework",
    ion: Annotated[str, typer.Option("--ion", "-i", help="Ions that are tested: Mg,Ca or all.")] = "all",
    seed: Annotated[int, typer.Option(min=0, help="Of the first split and of all that is drawn.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="Splits with seeds one after another.")] = 1,
    folds: Annotated[int, typer.Option(min=1, max=50, help="1: 0.8/0.1/0.1; else cross-validation.")] = 1,
    clean: Annotated[
        list[str] | None, typer.Option("--clean", "--trim", help="Cleaning rule before the split; repeatable.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Keep every prediction there; a killed run goes on.", metavar="FILE.parquet"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Errors of a model on electrodes that it has not learned from, ion by ion, with intervals.

    The mean predictor stands beside it. Intervals resample electrodes (paper, random) or frameworks (the others).
    """
    require_data(data)
    from ionvolt.ions import parse_ions

    ions = () if ion.strip().lower() == "all" else tuple(i.symbol for i in parse_ions(ion))
    from ionvolt.cli.progress import Bar
    from ionvolt.datasets import read_dataset
    from ionvolt.evaluation.learners import Trained
    from ionvolt.evaluation.protocol import Protocol
    from ionvolt.evaluation.tables import HEADER, as_rows, summarise

    rows = read_dataset(data)
    learners = [_learner(name.strip()) for name in model.split(",") if name.strip()]
    protocol = Protocol(split, ions, tuple(range(seed, seed + repeats)), folds, tuple(clean or ()))
    with Bar("evaluation") as bar:

        def show(done: int, total: int, words: str) -> None:
            bar.to(done, total)
            bar.advance(words, by=0)

        results = protocol.run(learners, rows, path=output, progress=show)
    names = [learner.name for learner in learners]
    records = summarise(results, names)
    cleaned, removed = protocol.cleaned(rows)
    notes = [_overlap(learner, protocol, cleaned) for learner in learners if isinstance(learner, Trained)]
    if as_json:
        facts = {
            "data": str(data),
            "protocol": protocol.to_dict(),
            "removed": removed,
            "results": records,
            "trained_models": notes,
            "file": str(output) if output else None,
        }
        print(json_text(facts))
        return
    trimmed = "".join(f"; --clean {rule} removed {n}" for rule, n in removed.items())
    what = "0.8/0.1/0.1" if folds == 1 and split != "leave-one-ion-out" else f"{_folds(split, folds, results)} folds"
    counted = "electrodes" if split in ("paper", "random") else "frameworks"
    print(folded(f"{data}: {split} split, {what}, seeds {seed} to {seed + repeats - 1}{trimmed}"))
    print_table([Column(head, number < 2) for number, head in enumerate(HEADER)], as_rows(records))
    print(folded(f"n: {counted}, which the interval resamples; rows: tested electrodes of all seeds"))
    for note in notes:
        print(folded(f"note: {note['words']}"))
    if output:
        print(printable(f"{output}: every prediction"))


def _folds(split: str, folds: int, results: Any) -> int:
    return len(set(results.column("fold").tolist())) if split == "leave-one-ion-out" else folds


def _learner(name: str) -> Learner:
    import difflib

    from ionvolt.errors import ModelError
    from ionvolt.evaluation.learners import Trained, recipes
    from ionvolt.models.registry import AUTO, load_model, model_folder, shipped_models

    known = recipes()
    if name in known:
        return known[name]
    if name == AUTO:
        return Trained(load_model(name))
    try:
        folder = model_folder(name)
    except ModelError as error:
        shipped = list(shipped_models())
        near = difflib.get_close_matches(name, [*known, *shipped], n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Recipes: {', '.join(known)}; shipped: {', '.join(shipped)}"
        raise ModelError(f"{name}: no recipe, no shipped model and no model's folder. {hint}") from error
    return Trained(load_model(folder))


def _overlap(learner: Any, protocol: Any, cleaned: Any) -> dict[str, Any]:
    """How much of the test a trained model has seen."""
    tests = [unit.test for unit in protocol.units(cleaned)]
    total = sum(len(test) for test in tests)
    counts = [learner.seen(cleaned, test) for test in tests]
    note: dict[str, Any] = {"model": learner.name, "n_test": total, "of_training_frameworks": None, "unlisted": []}
    if any(seen is None for seen in counts):
        return note | {
            "words": f"{learner.name} is applied as it is; its card does not say on which frameworks it was trained"
        }
    seen = sum(counts)
    unlisted = sorted({ion for test in tests for ion in learner.unlisted(cleaned, test)})
    words = (
        f"{learner.name} is applied as it is; {seen} of {total} test rows belong to frameworks "
        "that its card lists as trained on"
    )
    if unlisted:
        words += f", and it lists none of those that its last layers for {', '.join(unlisted)} learned from"
    if seen or unlisted:
        words += "; so these errors flatter"
    return note | {"of_training_frameworks": seen, "unlisted": unlisted, "words": words}
