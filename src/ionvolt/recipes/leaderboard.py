"""Every model on the same splits: framework-grouped cross-validation over all ions of a data set.

What ``ionvolt evaluate`` can train is trained here, resumable; the models on the potential come from the held-out
answers of their recipe, whose folds are the same. Trained networks of another snapshot are applied as they are: their
hosts, or twins of them, stand in the test folds, so that their figures flatter and stand apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, read_dataset
from ionvolt.descriptors import features
from ionvolt.errors import DataError
from ionvolt.evaluation.learners import Trained, recipes
from ionvolt.evaluation.metrics import Metrics, metrics
from ionvolt.evaluation.protocol import Protocol
from ionvolt.graphs import build_graph, collate
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.cgcnn.conversion import network_of
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.interface import Query
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL, PAPER_MODEL, QUICK_MODEL, load_model
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.calibration import held_out
from ionvolt.recipes.mlip.cross_validation import read_answers
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.recipes.mlip.relaxed import BOTH_GIVEN, COMPUTE, PHYSICS, RELAXED_DELTA, relaxed_test
from ionvolt.recipes.mlip.settings import Case, MlipSettings, Part
from ionvolt.typing import Array, ProgressCallback, no_log

Needs = Literal["host", "host and formula", "discharged", "both ends"]
NEEDS: tuple[Needs, ...] = ("host", "host and formula", "discharged", "both ends")
"""What a model must be told, in the order of the table."""

WORDS = {
    "mean": "mean voltage of the ion",
    "svr-all": "SVR, 341 features, all ions",
    "kernel-ridge-all": "kernel ridge, 341 features, all ions",
    "extra-trees-all": "extra trees, 341 features, all ions",
    "extra-trees": "extra trees, 341 features, the ion alone",
    "cgcnn-scratch": "CGCNN, from scratch on the ion",
    "cgcnn-transfer": "CGCNN, transferred from Li (the paper's way)",
    "cgcnn-joint": "CGCNN, one for all ions",
    "cgcnn-distilled": "CGCNN, one for all ions, pre-trained on a potential's atom vectors",
    "quick": "**quick**",
}
"""What is trained here."""

TIMED_ATOMS, TIMED = (28, 32), 12
"""Sizes of hosts by which costs are measured, and how many of them."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A model in the table.

    Attributes:
        words: The row in words.
        needs: What it must be told.
        voltages: Held-out voltages, V, shape (n,); NaN where it has none.
        cost: Cost of an answer, in words.
        note: Reservations.
    """

    words: str
    needs: Needs
    voltages: Array
    cost: str = ""
    note: str = ""

    def errors(self, data: ElectrodeSet) -> Metrics:
        """Errors of the rows that it answers, with intervals over frameworks."""
        have = np.isfinite(self.voltages)
        return metrics(data.voltages[have], self.voltages[have], data.frameworks[have])

    def by_ion(self, data: ElectrodeSet) -> dict[str, float]:
        """Mean absolute errors, V, of the ions for which it has an answer."""
        have = np.isfinite(self.voltages)
        found = {}
        for ion in WORKING_IONS:
            own = have & (data.ions == ion)
            if own.any():
                found[ion] = float(np.abs(self.voltages - data.voltages)[own].mean())
        return found


def leaderboard_protocol(settings: MlipSettings) -> Protocol:
    """The folds of the recipe on the potential, for all others.

    Raises:
        DataError: These are no framework folds.
    """
    split, seed = settings.calibration
    if split != "framework":
        raise DataError("the leaderboard stands on framework folds. Calibrate the recipe on such")
    return Protocol("framework", (), (seed,), settings.n_folds, settings.clean)


def trained(
    data: ElectrodeSet,
    file: Path,
    output: Path,
    names: Sequence[str],
    settings: MlipSettings,
    progress: ProgressCallback,
) -> list[Entry]:
    """What ``ionvolt evaluate`` trains.

    Args:
        data: Cleaned.
        file: From which it was read.
        output: Keeps the predictions; what is there is not repeated.
        names: Names of the learners (``WORDS``).
        settings: Whose folds count.
        progress: Told of progress.
    """
    costs = learner_costs(data)
    known = recipes()
    results = leaderboard_protocol(settings).run(
        [known[name] for name in names], read_dataset(file), path=output / "evaluate.parquet", progress=progress
    )
    place = {key: i for i, key in enumerate(zip([e.battery_id for e in data], data.ions.tolist(), strict=True))}
    model, ids, ions = results.column("model"), results.column("battery_id"), results.column("ion")
    predicted = results.column("predicted")
    entries = []
    for name in names:
        voltages = np.full(len(data), np.nan)
        for i in np.flatnonzero(model == name):
            voltages[place[str(ids[i]), str(ions[i])]] = predicted[i]
        kind = {"quick": "quick", "mean": ""}.get(name, "network" if name.startswith("cgcnn") else "features")
        entries.append(Entry(WORDS[name], "host", voltages, costs.get(kind, "")))
    return entries


def as_it_is(data: ElectrodeSet) -> Entry:
    """The shipped model of the paper's kind."""
    began = time.process_time()
    voltages = voltages_as_it_is(data, PAPER_MODEL, np.arange(len(data)))
    cost = f"{1000 * (time.process_time() - began) / len(data):.0f} ms"
    return Entry(f"`{PAPER_MODEL}` as shipped", "host", voltages, cost, "has seen most hosts")


def published(data: ElectrodeSet, folder: Path) -> list[Entry]:
    """The authors' checkpoints, converted by ``ionvolt models import`` into a folder for each ion."""
    voltages = np.full(len(data), np.nan)
    for own in sorted(folder.glob("*/card.json")):
        rows = np.flatnonzero(data.ions == own.parent.name)
        voltages[rows] = voltages_as_it_is(data, own.parent, rows)
    if not np.isfinite(voltages).any():
        return []
    return [Entry("the authors' published checkpoints", "host", voltages, "", "have seen most hosts; not Rb, Cs")]


def voltages_as_it_is(data: ElectrodeSet, model: str | Path, rows: NDArray[np.int64]) -> Array:
    """What a trained model says of some rows, V."""
    learner = Trained(load_model(model))
    return learner.fit_predict(data, rows[:0], rows[:0], rows, seed=0, log=no_log)


def on_potential(recipe: MlipRecipe, job: Job) -> list[Entry]:
    """The models on the potential, and the potential alone, from what their recipe has kept."""
    data, settings = recipe.data(job), recipe.settings
    costs = potential_costs(data)
    cases: list[tuple[Part, Case, str, Needs]] = [
        ("charged", "charged", "**foundation**", "host"),
        ("charged", "composition", "**foundation, discharged formula known**", "host and formula"),
        ("discharged", "discharged", "**Δ-model, charged host made by removing the ion**", "discharged"),
        ("both", "both", "**Δ-model**", "both ends"),
    ]
    alone: dict[Part, str] = {
        "discharged": "SevenNet energies, ion removed, relaxed for three steps, nothing trained",
        "both": "SevenNet energies, single points, nothing trained",
    }
    entries = []
    for part, case, words, needs in cases:
        held = held_out(read_answers(settings, settings.calibrating(part), job), data, case, settings)
        if held.physics is not None:
            cost = costs["energies" if part == "both" else part]  # else the host is relaxed for some steps, too
            entries.append(Entry(alone[part], needs, over(data, held.rows, held.physics), cost))
        entries.append(Entry(words, needs, over(data, held.rows, held.voltage), costs[part]))
    return entries + relaxed(recipe, job)


def relaxed(recipe: MlipRecipe, job: Job) -> list[Entry]:
    """Rows whose both ends were relaxed by the recipe's step, where there are any."""
    table = recipe.table(job)
    test = relaxed_test(table, recipe.settings, job)
    if test is None:
        return []
    note, cost = f"{len(test.rows)} random rows", in_words(test.seconds)
    ways: list[tuple[str, str, Needs]] = [
        (PHYSICS, "SevenNet energies, ion removed, both ends relaxed by CHGNet, nothing trained", "discharged"),
        (RELAXED_DELTA, "Δ-model, ion removed, both ends relaxed", "discharged"),
        (COMPUTE, "**`ionvolt compute`**: relaxed, or as `predict` where full extraction is unlikely", "discharged"),
        (BOTH_GIVEN, "SevenNet energies, both ends given, on the same rows", "both ends"),
    ]
    return [
        Entry(
            words, needs, over(table.data, test.rows, test.voltages[way]), cost if needs == "discharged" else "", note
        )
        for way, words, needs in ways
    ]


def over(data: ElectrodeSet, rows: NDArray[np.int64], voltages: Array) -> Array:
    """Voltages of some rows among all, NaN for the others."""
    found = np.full(len(data), np.nan)
    found[rows] = voltages
    return found


def timed(work: Callable[[], object], n: int) -> str:
    """CPU time of one of n structures on one core, the second time that the work is done."""
    work()
    began = time.process_time()
    work()
    return in_words((time.process_time() - began) / n)


def in_words(seconds: float) -> str:
    """A cost, in milliseconds where it is below a second."""
    return f"{1000 * seconds:.0f} ms" if seconds < 0.95 else f"{seconds:.1f} s"


def some_of(data: ElectrodeSet) -> ElectrodeSet:
    """Electrodes by which costs are measured: hosts of some thirty atoms."""
    low, high = TIMED_ATOMS
    return data[[i for i, e in enumerate(data) if low <= len(e.host) <= high and e.discharged is not None][:TIMED]]


def learner_costs(data: ElectrodeSet) -> dict[str, str]:
    """Of features, of a network, and of the quick model, each time of crystals that nothing is known of."""
    some, ensemble, quick = some_of(data), load_model(PAPER_MODEL), load_model(QUICK_MODEL)
    assert isinstance(ensemble, Ensemble)
    trunk = network_of(ensemble, 0, "Li").trunk

    def one_network() -> None:
        for host in some.hosts:
            trunk(collate([build_graph(host)]))

    with torch.no_grad():
        return {
            "features": timed(lambda: features(some.hosts), len(some)),
            "network": timed(one_network, len(some)),
            "quick": timed(lambda: quick.estimate([Query(e.working_ion, replace(e.host)) for e in some]), len(some)),
        }


def potential_costs(data: ElectrodeSet) -> dict[str, str]:
    """Of the models on the potential, by part, and of its energies."""
    some = some_of(data)
    delta, foundation = load_model(DELTA_MODEL), load_model(FOUNDATION_MODEL)
    both = [Query(e.working_ion, e.host, "both", e.discharged) for e in some]
    full = [e.discharged for e in some if e.discharged is not None]
    stripped = [remove_ion(e.discharged, WORKING_IONS[e.working_ion]) for e in some if e.discharged is not None]
    removed = [Query(e.working_ion, host, "discharged", e.discharged) for e, host in zip(some, stripped, strict=True)]
    hosts = [Query(e.working_ion, e.host) for e in some]
    energies = load_sevennet()
    return {
        "charged": timed(lambda: foundation.estimate(hosts), len(some)),
        "both": timed(lambda: delta.estimate(both), len(some)),
        "discharged": timed(lambda: delta.estimate(removed), len(some)),
        "energies": timed(lambda: energies.evaluate([*full, *some.hosts]), len(some)),
    }
