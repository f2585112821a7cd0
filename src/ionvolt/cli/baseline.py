"""``ionvolt baseline``: a classical model from a data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ionvolt.cli.choices import SplitKind
from ionvolt.cli.outputs import ReplaceOption, require_data, require_free
from ionvolt.cli.terminal import folded, json_text

# The same words as ``training.classical.Name``, which is too heavy to import for --help.
LearnerName = Literal["svr", "kernel-ridge", "random-forest", "extra-trees"]


def baseline(
    data: Annotated[Path, typer.Argument(help="A data set of IonVolt (`ionvolt data import`).", metavar="DATA")],
    ion: Annotated[str, typer.Option("--ion", "-i", help="Working ion; several (Mg,Ca or all) share one model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the model.")],
    model: Annotated[LearnerName, typer.Option("--model", "-m", help="The learner.")] = "extra-trees",
    seed: Annotated[int, typer.Option(help="Of the split and the learner.")] = 0,
    split: Annotated[
        SplitKind, typer.Option("--split", help="random, or whole frameworks across all ions.")
    ] = "random",
    clean: Annotated[
        list[str] | None, typer.Option("--clean", "--trim", help="Cleaning rule before the split; repeatable.")
    ] = None,
    final: Annotated[bool, typer.Option("--final", help="Learn from all rows; nothing is left to test with.")] = False,
    replace: ReplaceOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="The model's card on standard output.")] = False,
) -> None:
    """Train a classical model on composition and structure features; the test part is used once, at the end.

    Settings are searched inside the training part. Needs the extra `baselines`; predicting does not.
    """
    require_data(data)
    require_free(output, replace)
    from ionvolt.ions import parse_ions

    asked = [i.symbol for i in parse_ions(ion)]
    from ionvolt.cli.progress import Bar
    from ionvolt.datasets import clean as apply_rules
    from ionvolt.datasets import read_dataset
    from ionvolt.errors import DataError
    from ionvolt.evaluation.baselines import train_baseline
    from ionvolt.models.classical.model import save_classical

    rows, removed = apply_rules(read_dataset(data), clean or [])
    present = set(rows.ions.tolist())
    ions = [symbol for symbol in asked if symbol in present] if ion.strip().lower() == "all" else asked
    missing = [symbol for symbol in ions if symbol not in present]
    if missing or not ions:
        raise DataError(
            f"{data}: no electrode of {', '.join(missing or asked)}. Choose among {', '.join(sorted(present))}"
        )
    about = {"data": data.name, "snapshots": sorted({e.snapshot for e in rows}), "cleaning": removed}
    with Bar(f"{model} for {', '.join(ions)}") as bar:
        trained = train_baseline(
            rows,
            model,
            ions,
            output.resolve().name,
            split=split,
            seed=seed,
            about=about,
            final=final,
            log=lambda words: bar.advance(words, by=0),
        )
    save_classical(trained, output)
    if as_json:
        print(json_text(asdict(trained.card)))
        return
    settings = ", ".join(f"{k} {v:g}" for k, v in trained.card.training["settings"].items())
    print(folded(f"{output}: {model} for {', '.join(ions)} ({settings})"))
    from ionvolt.evaluation.metrics import words_of_test
    from ionvolt.models.card import TEST

    for symbol in trained.card.ions:
        if t := trained.card.values(TEST, symbol):
            n_test = trained.card.ion_training(symbol)["n_test"]
            words = f"{symbol}: test ({split} split, n = {t['n']} frameworks, {n_test} electrodes): {words_of_test(t)}"
            print(folded(words))
        elif not final:
            print(f"{symbol}: no test row fell into this split")
