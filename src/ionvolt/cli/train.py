"""``ionvolt train`` and ``ionvolt transfer``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ionvolt.cli.choices import SplitKind
from ionvolt.cli.outputs import CARD_FILE, ReplaceOption, require_data
from ionvolt.cli.terminal import folded, json_text

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.ensemble import Ensemble
    from ionvolt.training.cgcnn.runs import EnsembleParts, Mode
    from ionvolt.training.loop import History
    from ionvolt.training.settings import Settings


Layers = Literal["head", "all"]

DataFile = Annotated[Path, typer.Argument(help="A data set of IonVolt (`ionvolt data import`).", metavar="DATA")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the model; a killed run goes on from there.")]
Ion = Annotated[str, typer.Option("--ion", "-i", help="Working ion.")]
Members = Annotated[int | None, typer.Option("--members", min=1, max=50, help="Networks in the ensemble.")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the training part.")]
Rate = Annotated[float | None, typer.Option("--learning-rate", help="Highest learning rate.")]
Patience = Annotated[int | None, typer.Option(min=0, help="Epochs without a better validation error; 0: no limit.")]
Seed = Annotated[int, typer.Option(help="Of the split, the weights and the order of the data.")]
SplitOption = Annotated[SplitKind, typer.Option("--split", help="random, or whole frameworks across all ions.")]
Clean = Annotated[
    list[str] | None, typer.Option("--clean", "--trim", help="Cleaning rule before the split; repeatable.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Networks trained at the same time.")]
AsJson = Annotated[bool, typer.Option("--json", help="The model's card on standard output.")]


def train(
    data: DataFile,
    ion: Ion,
    output: Output,
    members: Members = None,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    patience: Patience = None,
    seed: Seed = 0,
    split: SplitOption = "random",
    clean: Clean = None,
    hold_out_frameworks_of: Annotated[
        str | None,
        typer.Option(
            help="Ions whose test frameworks are kept out of this training, so that a transfer to them "
            "can be tested honestly: Mg,Ca or all."
        ),
    ] = None,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's own settings (SGD, MSE, batch 256).")] = False,
    jobs: Jobs = 1,
    replace: ReplaceOption = False,
    as_json: AsJson = False,
) -> None:
    """Train an ensemble of networks for one ion from scratch; the test part is used once, at the end."""
    require_data(data)
    from ionvolt.ions import parse_ions, working_ion

    symbol = working_ion(ion).symbol
    from ionvolt.training.cgcnn.runs import frameworks_of_tests, prepare
    from ionvolt.training.settings import PAPER, Settings

    rows, about = _data(data, clean)
    others = (
        [other.symbol for other in parse_ions(hold_out_frameworks_of) if other.symbol != symbol]
        if hold_out_frameworks_of
        else []
    )
    present = [other for other in others if other in set(rows.ions)]
    forbidden = frameworks_of_tests(rows, present, split, seed)
    parts = prepare(rows, symbol, kind=split, seed=seed, n_members=members or 3, forbidden=forbidden)
    if present:
        about["spared_test_frameworks_of"] = present
    settings = _settings(PAPER if paper else Settings(), seed, epochs, learning_rate, patience)
    _train(parts, symbol, settings, "scratch", None, output, about, jobs, replace, as_json)


def transfer(
    data: DataFile,
    ion: Ion,
    output: Output,
    base: Annotated[str, typer.Option("--from", help="The pre-trained model: a folder or a shipped name.")],
    layers: Annotated[
        Layers, typer.Option(help="head: the two fully connected layers, as in the paper; all: fine-tune everything.")
    ] = "head",
    update_batchnorm: Annotated[
        bool,
        typer.Option("--update-batchnorm", help="Let batch norms of frozen layers learn on, as the authors' code did."),
    ] = False,
    epochs: Epochs = None,
    learning_rate: Rate = None,
    patience: Patience = None,
    seed: Seed = 0,
    split: SplitOption = "random",
    clean: Clean = None,
    jobs: Jobs = 1,
    replace: ReplaceOption = False,
    as_json: AsJson = False,
) -> None:
    """Transfer a pre-trained model to another ion: embedding and convolutions stay, the last layers are trained."""
    require_data(data)
    import dataclasses

    from ionvolt.ions import working_ion

    symbol = working_ion(ion).symbol
    from ionvolt.models.registry import load_networks
    from ionvolt.training.cgcnn.runs import prepare
    from ionvolt.training.settings import FINE_TUNE, HEAD

    rows, about = _data(data, clean)
    pretrained = load_networks(base)
    parts = prepare(rows, symbol, kind=split, seed=seed, n_members=pretrained.n_members)
    settings = _settings(HEAD if layers == "head" else FINE_TUNE, seed, epochs, learning_rate, patience)
    if update_batchnorm:
        settings = dataclasses.replace(settings, batch_norm="train")
    about["pretrained"] = pretrained.card.name
    _train(parts, symbol, settings, layers, pretrained, output, about, jobs, replace, as_json)


def _data(file: Path, clean_rules: list[str] | None) -> tuple[Any, dict[str, Any]]:
    from ionvolt.datasets import clean, read_dataset

    data, removed = clean(read_dataset(file), clean_rules or [])
    snapshots = sorted({e.snapshot for e in data})
    return data, {"data": file.name, "snapshots": snapshots, "cleaning": removed}


def _settings(
    base: Settings, seed: int, epochs: int | None, learning_rate: float | None, patience: int | None
) -> Settings:
    from dataclasses import replace

    from ionvolt.errors import InputError

    try:
        return replace(
            base,
            seed=seed,
            epochs=base.epochs if epochs is None else epochs,
            learning_rate=base.learning_rate if learning_rate is None else learning_rate,
            patience=base.patience if patience is None else patience,
        )
    except ValueError as error:
        raise InputError("settings", str(error), "Give other values") from error


def _train(
    parts: EnsembleParts,
    symbol: str,
    settings: Settings,
    mode: Mode,
    pretrained: Ensemble | None,
    output: Path,
    about: dict[str, Any],
    jobs: int,
    replace: bool,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from ionvolt.cli.progress import Bar
    from ionvolt.evaluation.testing import as_ensemble, describe_and_test
    from ionvolt.graphs import build_graph
    from ionvolt.models.cgcnn.ensemble import save_ensemble
    from ionvolt.training.cgcnn.runs import run

    weights = pretrained.card.weights_sha256 if pretrained is not None else ""
    _claim(output, _identity(parts, settings, mode, about, weights), replace)
    graphs = [build_graph(host) for host in parts.rows.hosts]
    base = None
    if pretrained is not None:
        from ionvolt.models.cgcnn.conversion import network_of

        source = "Li" if "Li" in pretrained.ions else pretrained.ions[0]
        base = [network_of(pretrained, m, source) for m in range(pretrained.n_members)]
    n_members = len(parts.members)
    with Bar(f"{symbol}: {n_members} networks", total=n_members * settings.epochs) as bar:
        networks, histories = run(
            parts,
            settings,
            mode=mode,
            base=base,
            graphs=graphs,
            folder=output,
            jobs=jobs,
            progress=lambda m, record: bar.advance(
                f"{symbol} network {m + 1}/{n_members}: validation {record['validation_mae']:.3f} V"
            ),
        )
    seen = set(pretrained.card.training.get("frameworks", [])) if pretrained else None
    ensemble = describe_and_test(
        as_ensemble(networks, symbol, output.resolve().name),
        parts,
        symbol,
        histories,
        settings,
        graphs=graphs,
        mode=mode,
        about=about,
        pretraining_frameworks=seen,
    )
    save_ensemble(ensemble, output)
    if as_json:
        print(json_text(asdict(ensemble.card)))
        return
    _print_ensemble(ensemble, symbol, histories, output)


RUN_FILE = "run.json"
"""What is trained in a folder, so that the same command goes on and no other one writes over it."""


def _identity(parts: EnsembleParts, settings: Settings, mode: str, about: dict[str, Any], base: str) -> dict[str, Any]:
    """What makes this run the one that it is, as plain JSON types; ``base``: checksum of the weights begun with."""
    from dataclasses import asdict

    from ionvolt.store import fingerprint

    rows = [[e.snapshot, e.battery_id, e.average_voltage] for e in parts.rows]
    members = [[train.tolist(), validation.tolist()] for train, validation in parts.members]
    return {
        "mode": mode,
        "settings": asdict(settings),
        "about": about,
        "base": base,
        "rows": fingerprint([rows, members]),
    }


def _claim(output: Path, identity: dict[str, Any], replace: bool) -> None:
    """End where the folder holds a finished model of another run; the same run goes on, or is found finished."""
    import shutil

    from ionvolt.errors import InputError
    from ionvolt.store import write_json

    wanted = json.loads(json.dumps(identity))
    try:
        there = json.loads((output / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        there = None
    finished = (output / CARD_FILE).exists()
    if there != wanted and finished:
        if not replace:
            raise InputError(
                str(output), "a finished model of another run is there", "Give another folder, or --replace"
            )
        for old in (*output.glob("member-*"), output / CARD_FILE):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    write_json(output / RUN_FILE, wanted)


def _print_ensemble(ensemble: Ensemble, symbol: str, histories: list[History], output: Path) -> None:
    from ionvolt.evaluation.metrics import words_of_test
    from ionvolt.models.card import TEST

    card = ensemble.card
    facts = card.ion_training(symbol)
    validation = ", ".join(f"{h.best_mae:.3f}" for h in histories)
    print(folded(f"{output}: {len(histories)} networks for {symbol}; validation MAE {validation} V"))
    if t := card.values(TEST, symbol):
        words = (
            f"test ({card.training['split']} split, n = {t['n']} frameworks, {facts['n_test']} electrodes): "
            f"{words_of_test(t)}"
        )
        print(folded(words))
    overlap = facts.get("test_rows_of_pretraining_frameworks")
    if overlap:
        words = (
            f"note: the pre-training had seen the frameworks of {overlap} of {facts['n_test']} test electrodes, "
            f"so this error flatters; train it with --hold-out-frameworks-of {symbol} and the same seed and split to "
            "avoid that"
        )
        print(folded(words))
