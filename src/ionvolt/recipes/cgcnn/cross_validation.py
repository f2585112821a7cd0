"""The recipe on held-out parts.

For each cleaning, split and seed, an ensemble is trained on Li *without any framework of any ion's test part*,
transferred to every other ion and tested once, beside the mean predictor, the Li model applied as it is, and networks
trained from scratch on the ion alone or fine-tuned as a whole. Each split is a unit with a file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, clean
from ionvolt.errors import DataError
from ionvolt.evaluation.testing import as_ensemble
from ionvolt.graphs import CrystalGraph, build_graph
from ionvolt.ions import WORKING_IONS
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.recipes.cgcnn.settings import CgcnnSettings, HeldOutTest
from ionvolt.recipes.job import Job
from ionvolt.store import fingerprint, unclaimed, write_json
from ionvolt.training.cgcnn.networks import pooled_vectors, train_ensemble, transfer_heads
from ionvolt.training.cgcnn.runs import EnsembleParts, frameworks_of_tests, prepare
from ionvolt.training.settings import Settings
from ionvolt.typing import LogCallback, MemberCallback

HELD_OUT = "held-out"
"""Folder."""
FORMAT = 1
"""Of the files; raised when the work changes, so that it is done again."""
MODELS = ("mean", "li_model", "scratch", "fine_tuned", "transfer", "network", "network_first_member")
"""What is measured, by name; ``network`` is Li's own model, ``transfer`` that of the other ions."""


@dataclass(frozen=True)
class Unit:
    """A split."""

    test: HeldOutTest
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.test.cleaning}-{self.test.split}-{self.seed}"


@dataclass(frozen=True)
class IonPredictions:
    """Test predictions for an ion.

    Attributes:
        ids: Keys of the tested electrodes.
        frameworks: Their frameworks.
        target: Labels, V.
        n_train: Rows that the first member learned from.
        spread: Standard deviation over the members, V.
        predicted: By model (``MODELS`` and first members), V.
        more: Further numbers and words of the test.
    """

    ids: list[str]
    frameworks: list[str]
    target: list[float]
    n_train: int
    spread: list[float]
    predicted: dict[str, list[float]]
    more: dict[str, int] = field(default_factory=dict)

    @property
    def answer(self) -> list[float]:
        """What the recipe's own model says, V."""
        return self.predicted["transfer" if "transfer" in self.predicted else "network"]

    def to_dict(self) -> dict[str, Any]:
        """As it is stored."""
        known = {name: getattr(self, name) for name in ("ids", "frameworks", "target", "n_train", "spread")}
        return known | self.predicted | self.more

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> IonPredictions:
        """What is stored."""
        known = {name: content[name] for name in ("ids", "frameworks", "target", "n_train", "spread")}
        others = {name: value for name, value in content.items() if name not in known}
        predicted = {name: value for name, value in others.items() if isinstance(value, list)}
        return cls(**known, predicted=predicted, more={n: v for n, v in others.items() if isinstance(v, int)})


class Graphs:
    """Crystal graphs of hosts, each built once."""

    def __init__(self) -> None:
        self._known: dict[str, CrystalGraph] = {}

    def of(self, data: ElectrodeSet) -> list[CrystalGraph]:
        """One graph for each row."""
        for key, electrode in zip(data.keys, data, strict=True):
            if key not in self._known:
                self._known[key] = build_graph(electrode.host)
        return [self._known[key] for key in data.keys]


def evaluate(data: ElectrodeSet, settings: CgcnnSettings, job: Job) -> None:
    """Test every split; what stands in files is not repeated.

    Args:
        data: The rows that take part, not yet cleaned.
        settings: Settings of the recipe.
        job: Where to keep it; its folds pick seeds.

    Raises:
        DataError: Another run is at some of the units.
    """
    units = [Unit(test, seed) for test in settings.tests for seed in test.seeds if job.selection.has_fold(seed)]
    files = {unit_file(job.own_folder, unit): unit for unit in units}
    cleaned = {test.cleaning: clean(data, test.rules)[0] for test in settings.tests}
    for path, unit in files.items():
        if path.exists() and not is_done(path, mark(cleaned[unit.test.cleaning], settings, unit)):
            path.unlink()  # other settings or rows
    graphs, done = Graphs(), sum(path.exists() for path in files)
    job.progress(done, len(files), "held-out parts")
    for path in unclaimed(files):
        unit = files[path]
        rows = cleaned[unit.test.cleaning]

        def log(words: str, unit: Unit = unit, done: int = done) -> None:
            job.progress(done, len(files), f"{unit.name}: {words}")

        unfinished = job.own_folder / HELD_OUT / f"{unit.name}.networks"
        record = predict_unit(rows, unit, settings, graphs, unfinished, job.jobs, log)
        content: dict[str, Any] = {ion: tested.to_dict() for ion, tested in record.items()}
        write_json(path, {"mark": mark(rows, settings, unit), "ions": content}, indent=None)
        shutil.rmtree(unfinished, ignore_errors=True)
        done += 1
        job.progress(done, len(files), f"{unit.name}: {in_words(record)}")
    missing = [path.name for path in files if not path.exists()]
    if missing:
        raise DataError(f"{job.own_folder / HELD_OUT}: another run is at {', '.join(missing)}. Wait for it, call again")


def predict_unit(
    data: ElectrodeSet,
    unit: Unit,
    settings: CgcnnSettings,
    graphs: Graphs,
    folder: Path,
    jobs: int,
    log: LogCallback,
) -> dict[str, IonPredictions]:
    """One seed of one split: every ion's test predictions by every model.

    Args:
        data: Cleaned.
        unit: The split that is trained and tested.
        settings: Settings of the recipe.
        graphs: That are known.
        folder: Where unfinished networks are kept; a killed run goes on from there.
        jobs: Networks trained at the same time.
        log: Told what is being done.
    """
    test, seed = unit.test, unit.seed
    others = [ion for ion in ions_of(data) if ion != "Li"]
    forbidden = frameworks_of_tests(data, others, test.split, seed)
    li = prepare(data, "Li", kind=test.split, seed=seed, n_members=test.members, forbidden=forbidden)
    li_graphs = graphs.of(li.rows)
    networks, _ = train_ensemble(
        li_graphs,
        li.rows.voltages,
        li.members,
        replace(settings.li, seed=100 * seed),
        folder=folder / "Li",
        jobs=jobs,
        progress=epoch_log(log, "Li", settings.li),
    )
    record: dict[str, IonPredictions] = {}
    if len(li.split.test):
        tested_graphs = [li_graphs[i] for i in li.split.test]
        answers = as_ensemble(networks, "Li", "li").voltages(tested_graphs, ["Li"])[0]
        record["Li"] = predictions_of(li, answers, "network", {}, {"excluded_frameworks": len(forbidden)})
    for ion in others:
        try:
            parts = prepare(data, ion, kind=test.split, seed=seed, n_members=test.members)
        except DataError:
            continue  # too few electrodes to learn from
        if len(parts.split.test):
            log(ion)
            record[ion] = predict_transferred(
                parts, networks, graphs.of(parts.rows), unit, settings, folder / ion, jobs
            )
    return record


def predict_transferred(
    parts: EnsembleParts,
    networks: Sequence[CGCNN],
    graphs: Sequence[CrystalGraph],
    unit: Unit,
    settings: CgcnnSettings,
    folder: Path,
    jobs: int,
) -> IonPredictions:
    """Test predictions for an ion to which the Li networks are transferred, and of what is compared with them."""
    test, seed, rows = parts.split.test, unit.seed, parts.rows
    pooled = [pooled_vectors(network.trunk, graphs) for network in networks]
    heads, _ = transfer_heads(
        networks,
        graphs,
        rows.voltages,
        parts.members,
        replace(settings.head, seed=100 * seed),
        pooled=pooled,
        jobs=jobs,
    )
    with torch.no_grad():
        transfer = np.array([head(p[test]).numpy() for head, p in zip(heads, pooled, strict=True)])
        as_it_is = np.array([n.head(p[test]).numpy() for n, p in zip(networks, pooled, strict=True)])
    compared = {"li_model": as_it_is.mean(0).tolist()}
    first = parts.members[:1]
    if unit.test.scratch:
        how = replace(settings.scratch, seed=100 * seed)
        alone, _ = train_ensemble(graphs, rows.voltages, first, how, folder=folder / "scratch")
        compared["scratch"] = mean_of(alone, graphs, test)
    if seed in unit.test.seeds[: unit.test.fine_tuned_seeds]:
        how = replace(settings.fine_tune, seed=100 * seed)
        tuned, _ = train_ensemble(graphs, rows.voltages, first, how, initial=networks[:1], folder=folder / "fine-tuned")
        compared["fine_tuned"] = mean_of(tuned, graphs, test)
    return predictions_of(parts, transfer, "transfer", compared)


def predictions_of(
    parts: EnsembleParts,
    members: NDArray[np.floating[Any]],
    name: str,
    compared: dict[str, list[float]],
    more: dict[str, int] | None = None,
) -> IonPredictions:
    """The test rows of a split and what is said of them.

    Args:
        parts: Rows and split.
        members: What the members say, V, shape (n_members, n_test).
        name: Name of the model.
        compared: What others say, V.
        more: Further numbers and words of the test.
    """
    rows, test = parts.rows, parts.split.test
    train = np.unique(np.concatenate([np.concatenate(pair) for pair in parts.members]))
    keys = rows.keys
    return IonPredictions(
        [keys[i] for i in test],
        rows.frameworks[test].tolist(),
        rows.voltages[test].tolist(),
        len(parts.members[0][0]),
        members.std(0, ddof=1 if len(members) > 1 else 0).tolist(),
        {
            "mean": [float(rows.voltages[train].mean())] * len(test),
            name: members.mean(0).tolist(),
            f"{name}_first_member": members[0].tolist(),
            **compared,
        },
        more or {},
    )


def mean_of(networks: Sequence[CGCNN], graphs: Sequence[CrystalGraph], test: NDArray[np.int64]) -> list[float]:
    """The mean of networks over their test rows, V."""
    voltages = as_ensemble(networks, "Li", "").voltages([graphs[i] for i in test], ["Li"])[0]
    return [float(v) for v in voltages.mean(0)]


def epoch_log(log: LogCallback, ion: str, settings: Settings) -> MemberCallback:
    """Tells of the epochs of an ion's networks."""

    def show(member: int, record: dict[str, float]) -> None:
        log(f"{ion} network {member + 1}: epoch {int(record['epoch']) + 1} of {settings.epochs}")

    return show


def ions_of(data: ElectrodeSet) -> list[str]:
    """Working ions of the data, in the usual order."""
    present = set(data.ions.tolist())
    return [ion for ion in WORKING_IONS if ion in present]


def unit_file(folder: Path, unit: Unit) -> Path:
    """Where a unit's predictions stand."""
    return folder / HELD_OUT / f"{unit.name}.json"


def read_unit(path: Path) -> dict[str, IonPredictions] | None:
    """A unit's predictions by ion; None where they are not there.

    Raises:
        DataError: It is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {ion: IonPredictions.from_dict(record) for ion, record in content["ions"].items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: no predictions of this recipe ({error}). Delete it and evaluate again") from error


def is_done(path: Path, wanted: str) -> bool:
    """Whether a file holds the predictions of just this unit."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["mark"] == wanted)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def mark(data: ElectrodeSet, settings: CgcnnSettings, unit: Unit) -> str:
    """What makes a unit this one: settings and rows."""
    trained = [repr(s) for s in (settings.li, settings.head, settings.scratch, settings.fine_tune)]
    test = unit.test
    compared = [test.scratch, unit.seed in test.seeds[: test.fine_tuned_seeds]]
    return fingerprint([FORMAT, test.name, unit.seed, test.members, compared, trained, data.keys], data.voltages)


def in_words(record: dict[str, IonPredictions]) -> str:
    """Mean absolute errors by ion."""
    errors = {ion: np.abs(np.array(tested.answer) - tested.target).mean() for ion, tested in record.items()}
    return ", ".join(f"{ion} {error:.3f}" for ion, error in errors.items()) + " V"
