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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from foundation_models import answers
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.datasets.splits import framework_folds
from ionvolt.descriptors import features
from ionvolt.evaluation.learners import Trained, recipes
from ionvolt.evaluation.metrics import metrics
from ionvolt.evaluation.protocol import Protocol
from ionvolt.graphs import build_graph, collate
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.interface import Query
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL, PAPER_MODEL, load_model
from ionvolt.models.uncertainty.domain import ensemble_mean
from ionvolt.physics.potentials.sevennet import load_sevennet
from model_page import write_between

ROOT = Path(__file__).parent.parent
SEED, FOLDS = 1, 5
TRAINED = (
    "mean",
    "svr-all",
    "kernel-ridge-all",
    "extra-trees-all",
    "extra-trees",
    "cgcnn-scratch",
    "cgcnn-transfer",
    "cgcnn-joint",
    "cgcnn-imitator",
)
PARTS = ("recipes", "shipped", "potential")
WORDS = {
    "mean": "mean voltage of the ion",
    "svr-all": "SVR, 341 features, all ions",
    "kernel-ridge-all": "kernel ridge, 341 features, all ions",
    "extra-trees-all": "extra trees, 341 features, all ions",
    "extra-trees": "extra trees, 341 features, the ion alone",
    "cgcnn-scratch": "CGCNN, from scratch on the ion",
    "cgcnn-transfer": "CGCNN, transferred from Li (the paper's way)",
    "cgcnn-joint": "CGCNN, one for all ions",
    "cgcnn-imitator": "CGCNN, one for all ions, pre-trained on a potential's atom vectors",
}


NEEDS = ("host", "host and formula", "discharged", "both ends")
"""What a model must be told, the order of the table."""


@dataclass
class Entry:
    """A model's held-out voltages, NaN where it has none, and its cost."""

    words: str
    needs: str
    voltages: NDArray[np.float64]
    cost: str = ""
    note: str = ""


def trained(data: ElectrodeSet, path: Path, output: Path, names: list[str]) -> list[Entry]:
    costs = learner_costs(data)
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
        kind = "network" if name.startswith("cgcnn") else "features" if name != "mean" else ""
        entries.append(Entry(WORDS[name], "host", voltages, costs.get(kind, "")))
    return entries


def timed(work: Callable[[], object], n: int) -> str:
    """CPU time of one of n structures on one core, the second time that the work is done."""
    work()
    began = time.process_time()
    work()
    milliseconds = 1000 * (time.process_time() - began) / n
    return f"{milliseconds:.0f} ms" if milliseconds < 950 else f"{milliseconds / 1000:.1f} s"


def some_of(data: ElectrodeSet) -> ElectrodeSet:
    """Electrodes by which costs are measured: hosts of some thirty atoms."""
    return data[[i for i, e in enumerate(data) if 28 <= len(e.host) <= 32][:12]]


def learner_costs(data: ElectrodeSet) -> dict[str, str]:
    some = some_of(data)
    ensemble = load_model(PAPER_MODEL)
    assert isinstance(ensemble, Ensemble)

    def one_network() -> None:
        for host in some.hosts:
            ensemble.trunks[0](collate([build_graph(host)]))

    with torch.no_grad():
        return {"features": timed(lambda: features(some.hosts), len(some)), "network": timed(one_network, len(some))}


def potential_costs(data: ElectrodeSet) -> dict[str, str]:
    some = some_of(data)
    delta, foundation = load_model(DELTA_MODEL), load_model(FOUNDATION_MODEL)
    both = [Query(e.working_ion, e.host, "both", e.discharged) for e in some]
    full = [e.discharged for e in some if e.discharged is not None]
    stripped = [remove_ion(e.discharged, WORKING_IONS[e.working_ion]) for e in some if e.discharged is not None]
    removed = [Query(e.working_ion, host, "discharged", e.discharged) for e, host in zip(some, stripped, strict=True)]
    hosts = [Query(e.working_ion, e.host) for e in some]
    energies = load_sevennet()
    return {
        "host": timed(lambda: foundation.estimate(hosts), len(some)),
        "both": timed(lambda: delta.estimate(both), len(some)),
        "discharged": timed(lambda: delta.estimate(removed), len(some)),
        "energies": timed(lambda: energies.evaluate([*full, *some.hosts]), len(some)),
    }


def as_it_is(data: ElectrodeSet) -> Entry:
    learner, rows = Trained(load_model(PAPER_MODEL)), np.arange(len(data))
    began = time.process_time()
    voltages = learner.fit_predict(data, rows[:0], rows[:0], rows, seed=0, progress=lambda words: None)
    cost = f"{1000 * (time.process_time() - began) / len(data):.0f} ms"
    return Entry(f"`{PAPER_MODEL}` as shipped", "host", voltages, cost, "has seen most hosts")


def published(data: ElectrodeSet, folder: Path) -> list[Entry]:
    """The authors' checkpoints, converted by ``ionvolt models import`` into a folder for each ion."""
    voltages, rows = np.full(len(data), np.nan), np.arange(len(data))
    for own in sorted(folder.glob("*/card.json")):
        ion = own.parent.name
        of_ion = np.flatnonzero(data.ions == ion)
        learner = Trained(load_model(own.parent))
        voltages[of_ion] = learner.fit_predict(data, rows[:0], rows[:0], of_ion, seed=0, progress=lambda words: None)
    if not np.isfinite(voltages).any():
        return []
    return [Entry("the authors' published checkpoints", "host", voltages, "", "have seen most hosts; not Rb, Cs")]


def on_potential(data: ElectrodeSet, folder: Path) -> list[Entry]:
    entries = []
    costs = potential_costs(data)
    for part, prefix, words, needs in (
        ("host", "host.", "foundation", "host"),
        ("host", "composition.", "foundation, discharged formula known", "host and formula"),
        ("discharged", "", "Δ-model, charged host made by removing the ion", "discharged"),
        ("both", "", "Δ-model", "both ends"),
    ):
        voltages, physics = np.full(len(data), np.nan), np.full(len(data), np.nan)
        for fold in range(FOLDS):
            file = folder / f"{part}-framework-{SEED}-{fold}.npz"
            with np.load(file) as found:
                voltages[found["rows"]] = ensemble_mean(*answers(dict(found), part, prefix))
                if part != "host":
                    physics[found["rows"]] = found["physics"]
        if part == "both":
            entries.append(
                Entry("SevenNet energies, single points, nothing trained", "both ends", physics, costs["energies"])
            )
        if part == "discharged":
            words_physics = "SevenNet energies, ion removed, unrelaxed, nothing trained"
            entries.append(Entry(words_physics, "discharged", physics, costs["energies"]))
        entries.append(Entry(f"**{words}**", needs, voltages, costs[part]))
        if part == "discharged":
            entries += relaxed(len(data), folder)
    return entries


def relaxed(n: int, folder: Path) -> list[Entry]:
    """Rows whose both ends were relaxed by ``discharged_relaxed.py``, where there are any."""
    file = folder / "relaxed.npz"
    if not file.exists():
        return []
    entries = []
    with np.load(file) as found:
        note, cost = f"{len(found['rows'])} random rows", f"{float(found['seconds']):.0f} s"
        for key, words in (
            (
                "SevenNet, relaxed by CHGNet, nothing trained",
                "SevenNet energies, ion removed, both ends relaxed by CHGNet, nothing trained",
            ),
            ("Δ-model, relaxed", "Δ-model, ion removed, both ends relaxed"),
            ("`ionvolt compute`", "**`ionvolt compute`**: relaxed, or unrelaxed where it is seldom emptied"),
            ("SevenNet, both ends given", "SevenNet energies, both ends given, on the same rows"),
        ):
            voltages = np.full(n, np.nan)
            voltages[found["rows"]] = found[key]
            given = "given" in key
            entries.append(Entry(words, "both ends" if given else "discharged", voltages, "" if given else cost, note))
    return entries


def page(data: ElectrodeSet, entries: list[Entry], before: str) -> str:
    """The table: what was computed now, and those rows of the table before that were not."""
    target, ions, frameworks = data.voltages, data.ions, data.frameworks
    lines = [
        "| model | needs | all ions | " + " | ".join(WORKING_IONS) + " | cost |",
        "|---|---|---|" + "---|" * (len(WORKING_IONS) + 1),
    ]
    rows = {cells[0]: cells for line in before.splitlines()[2:-1] if (cells := line.strip("| ").split(" | "))}
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
        rows[cells[0]] = [*cells, e.cost]
    ordered = sorted(rows.values(), key=lambda cells: (NEEDS.index(cells[1]), -float(cells[2].split()[0])))
    lines += [f"| {' | '.join(cells)} |" for cells in ordered]
    counts = " | ".join(str(int((ions == ion).sum())) for ion in WORKING_IONS)
    lines.append(f"| *electrodes* | | *{len(data)}* | {counts} | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/leaderboard"))
    parser.add_argument("--foundation", type=Path, default=Path("runs/foundation"))
    parser.add_argument("--published", type=Path, default=Path("runs/published"), help="converted checkpoints")
    parser.add_argument("--models", nargs="*", default=list(TRAINED), help="recipes to train; what is done is kept")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS, help="rows to renew; others stay")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    data, _ = clean(read_dataset(arguments.data), ["abs7"])
    assert sum(len(fold) for fold in framework_folds(data, FOLDS, SEED)) == len(data)
    entries: list[Entry] = []
    if "recipes" in arguments.parts:
        entries += trained(data, arguments.data, arguments.output, arguments.models)
    if "shipped" in arguments.parts:
        entries += [*published(data, arguments.published), as_it_is(data)]
    if "potential" in arguments.parts:
        entries += on_potential(data, arguments.foundation)
    path = ROOT / "docs/leaderboard.md"
    before = path.read_text(encoding="utf-8").partition("<!-- leaderboard -->\n")[2].partition("\n<!-- end")[0]
    text = page(data, entries, before)
    write_between(path, "leaderboard", text)
    print(text)


if __name__ == "__main__":
    main()
