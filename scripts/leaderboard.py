"""Every model on the same splits: writes docs/leaderboard.md.

    python scripts/leaderboard.py runs/mp2025.parquet -o runs/leaderboard [--foundation runs/foundation]

Framework-grouped 5-fold cross-validation over all ions of mp2025 with |V| < 7 V, seed 1. What ``ionvolt evaluate`` can
train is trained here, resumable; the models on the universal potential come from ``foundation_models.py evaluate``,
whose folds are the same. Trained networks of the 2020 snapshot are applied as they are: their hosts, or twins of them,
stand in the test folds, so that their figures flatter and stand apart.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.datasets.splits import framework_folds
from ionvolt.electrode import WORKING_IONS
from ionvolt.evaluation.learners import Trained, recipes
from ionvolt.evaluation.metrics import metrics
from ionvolt.evaluation.protocol import Protocol
from ionvolt.models.registry import PAPER_MODEL, load_model

ROOT = Path(__file__).parent.parent
SEED, FOLDS = 1, 5
TRAINED = ("mean", "svr-all", "kernel-ridge-all", "extra-trees-all", "extra-trees", "cgcnn-scratch", "cgcnn-transfer")
WORDS = {
    "mean": "mean voltage of the ion",
    "svr-all": "SVR, 341 features, all ions",
    "kernel-ridge-all": "kernel ridge, 341 features, all ions",
    "extra-trees-all": "extra trees, 341 features, all ions",
    "extra-trees": "extra trees, 341 features, the ion alone",
    "cgcnn-scratch": "CGCNN, from scratch on the ion",
    "cgcnn-transfer": "CGCNN, transferred from Li (the paper's way)",
}


@dataclass
class Entry:
    """A model's held-out voltages, NaN where it has none, and its cost."""

    words: str
    needs: str
    voltages: NDArray[np.float64]
    cost: str = ""
    note: str = ""


def trained(data: ElectrodeSet, path: Path, output: Path, names: list[str]) -> list[Entry]:
    protocol = Protocol("framework", (), (SEED,), FOLDS, ("abs7",))
    known = recipes()
    results = protocol.run(
        [known[name] for name in names], read_dataset(path), path=output / "evaluate.parquet",
        progress=lambda done, total, words: print(f"{done}/{total} {words}", flush=True),
    )  # fmt: skip
    place = {key: i for i, key in enumerate(zip([e.battery_id for e in data], data.ions.tolist(), strict=True))}
    model, ids, ions = results.column("model"), results.column("battery_id"), results.column("ion")
    predicted = results.column("predicted")
    entries = []
    for name in names:
        voltages = np.full(len(data), np.nan)
        for i in np.flatnonzero(model == name):
            voltages[place[str(ids[i]), str(ions[i])]] = predicted[i]
        entries.append(Entry(WORDS[name], "host", voltages))
    return entries


def as_it_is(data: ElectrodeSet) -> Entry:
    learner, rows = Trained(load_model(PAPER_MODEL)), np.arange(len(data))
    began = time.time()
    voltages = learner.fit_predict(data, rows[:0], rows[:0], rows, seed=0, progress=lambda words: None)
    cost = f"{1000 * (time.time() - began) / len(data):.0f} ms"
    return Entry(f"`{PAPER_MODEL}` as shipped", "host", voltages, cost, "has seen most hosts")


def on_potential(data: ElectrodeSet, folder: Path) -> list[Entry]:
    entries = []
    for part, prefix, words, needs, cost in (
        ("host", "host.", "foundation", "host", "0.1 s"),
        ("host", "composition.", "foundation, discharged formula known", "host and formula", "0.1 s"),
        ("discharged", "", "Δ-model, charged host made by removing the ion", "discharged", "0.2 s"),
        ("both", "", "Δ-model", "both ends", "0.2 s"),
    ):
        voltages, physics = np.full(len(data), np.nan), np.full(len(data), np.nan)
        for fold in range(FOLDS):
            file = folder / f"{part}-framework-{SEED}-{fold}.npz"
            with np.load(file) as found:
                learned = 0.5 * (found[f"{prefix}members"].mean(0) + found[f"{prefix}kernel"])
                start = found["physics"] if part != "host" else 0.0
                voltages[found["rows"]] = learned + start
                if part != "host":
                    physics[found["rows"]] = found["physics"]
        if part == "both":
            entries.append(Entry("CHGNet energies, single points, nothing trained", "both ends", physics, "0.1 s"))
        if part == "discharged":
            words_physics = "CHGNet energies, ion removed, unrelaxed, nothing trained"
            entries.append(Entry(words_physics, "discharged", physics, "0.1 s"))
        entries.append(Entry(f"**{words}**", needs, voltages, cost))
    return entries


def page(data: ElectrodeSet, entries: list[Entry]) -> str:
    target, ions, frameworks = data.voltages, data.ions, data.frameworks
    lines = [
        "| model | needs | all ions | " + " | ".join(WORKING_IONS) + " | cost |",
        "|---|---|---|" + "---|" * (len(WORKING_IONS) + 1),
    ]
    for e in entries:
        have = np.isfinite(e.voltages)
        m = metrics(target[have], e.voltages[have], frameworks[have])
        cells = [
            e.words + (f" ({e.note})" if e.note else ""),
            e.needs,
            f"{m.mae:.3f} ({m.mae_low:.3f}–{m.mae_high:.3f})",
        ]
        for ion in WORKING_IONS:
            own = have & (ions == ion)
            cells.append(f"{np.abs(e.voltages - target)[own].mean():.2f}" if own.any() else "–")
        lines.append("| " + " | ".join([*cells, e.cost]) + " |")
    counts = " | ".join(str(int((ions == ion).sum())) for ion in WORKING_IONS)
    lines.append(f"| *electrodes* | | *{len(data)}* | {counts} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/leaderboard"))
    parser.add_argument("--foundation", type=Path, default=Path("runs/foundation"))
    parser.add_argument("--models", nargs="*", default=list(TRAINED), help="recipes to train; what is done is kept")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    data, _ = clean(read_dataset(arguments.data), ["abs7"])
    assert sum(len(fold) for fold in framework_folds(data, FOLDS, SEED)) == len(data)
    entries = trained(data, arguments.data, arguments.output, arguments.models)
    entries += [as_it_is(data), *on_potential(data, arguments.foundation)]
    from model_page import write_between

    write_between(ROOT / "docs/leaderboard.md", "leaderboard", page(data, entries))
    print(page(data, entries))


if __name__ == "__main__":
    main()
