"""Held-out answers: every electrode by learners that have not seen its framework (or, in a random split, itself).

Each fold of each test is a unit with two files in ``held-out/``: the answers, and the fitted learners, which can be
asked later about other pictures of the same electrodes (relaxed ones, say) without having seen their frameworks.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.datasets.splits import chemical_system_folds, framework_folds, random_folds
from ionvolt.errors import DataError
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.tensors import under
from ionvolt.models.uncertainty.domain import ensemble_mean, nearest, standardise
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.learners import Learners, PairLearners, Voltages, fit_learners, learners_from
from ionvolt.recipes.mlip.rows import PartRows, Table
from ionvolt.recipes.mlip.settings import CASES, Case, CrossValidation, MlipSettings, Part
from ionvolt.store import fingerprint, read_arrays, unclaimed, write_arrays
from ionvolt.typing import Array, Indices, LogCallback

HELD_OUT = "held-out"
"""Folder."""
FORMAT = 3
"""Of the files; raised when the work changes, so that it is done again."""

FOLDS = {"framework": framework_folds, "random": random_folds, "chemical-system": chemical_system_folds}
"""How rows are dealt out, by the name of the split."""


@dataclass(frozen=True)
class Unit:
    """A fold of a test."""

    test: CrossValidation
    fold: int

    @property
    def name(self) -> str:
        """Begins the names of its files."""
        return f"{self.test.name}-{self.fold}"


@dataclass(frozen=True, eq=False)
class FoldAnswers:
    """What learners that were fitted without a fold say of it.

    Attributes:
        fold: Its number.
        rows: Numbers of the tested rows in the data, those that the part holds, shape (n,).
        physics: Voltage of the potential's energies (of hosts: of the trial), V, shape (n,).
        distance: From the nearest host that was learned from, shape (n,).
        voltages: By case and learner, V.
    """

    fold: int
    rows: Indices
    physics: Array
    distance: Array
    voltages: dict[Case, Voltages]


def folds(data: ElectrodeSet, test: CrossValidation, n_folds: int) -> list[Indices]:
    """Tested rows of every fold."""
    return FOLDS[test.split](data, n_folds, test.seed)


def parts_of(rows: PartRows, test_rows: Indices) -> tuple[Indices, Indices]:
    """Places within a part to learn from, and to test."""
    tested = rows.places(test_rows)
    return np.setdiff1d(np.arange(len(rows)), tested), tested


def evaluate(table: Table, settings: MlipSettings, job: Job) -> None:
    """Answer every fold of every test of the table's parts; what stands in files is not repeated.

    Raises:
        DataError: Another run is at some of the units.
    """
    units = [
        Unit(test, fold)
        for test in settings.tests
        for fold in range(settings.n_folds)
        if test.part in table.parts and job.selection.has_fold(fold)
    ]
    marks = {unit: mark(table, settings, unit) for unit in units}
    files = {answers_file(job.own_folder, unit): unit for unit in units}
    for path, unit in files.items():
        if path.exists() and not is_done(path, marks[unit]):
            path.unlink()  # other settings, rows or features
    done = sum(path.exists() for path in files)
    job.progress(done, len(units), "held-out answers")
    for path in unclaimed(files):
        unit = files[path]
        found = answer(table, settings, unit, job, partial(_log, job, done, len(units), unit))
        write_arrays(path, to_arrays(found) | {"mark": np.array(marks[unit])}, compressed=False)
        done += 1
        _log(job, done, len(units), unit, in_words(found, table.data.voltages, settings))
    missing = [path.name for path in files if not path.exists()]
    if missing:
        raise DataError(f"{job.own_folder / HELD_OUT}: another run is at {', '.join(missing)}. Wait for it, call again")


def _log(job: Job, done: int, total: int, unit: Unit, words: str) -> None:
    job.progress(done, total, f"{unit.name}: {words}")


def answer(table: Table, settings: MlipSettings, unit: Unit, job: Job, log: LogCallback) -> FoldAnswers:
    """Fit learners without a fold, keep them, and let them answer for it."""
    rows = table.parts[unit.test.part]
    train, tested = parts_of(rows, folds(table.data, unit.test, settings.n_folds)[unit.fold])
    seeds = [100 * unit.test.seed + m for m in range(unit.test.members)]
    unfinished = job.own_folder / HELD_OUT / f"{unit.name}.networks"
    informed = unit.test == settings.calibrating(unit.test.part)
    learners = fit_learners(rows, train, settings, seeds, informed=informed, folder=unfinished, log=log)
    write_arrays(learners_file(job.own_folder, unit), learners.arrays() | {"train": rows.rows[train]}, compressed=False)
    shutil.rmtree(unfinished, ignore_errors=True)
    return FoldAnswers(
        unit.fold,
        rows.rows[tested],
        np.array([rows.pairs[i].physics for i in tested]),
        distances([rows.hosts[i] for i in train], [rows.hosts[i] for i in tested]),
        learners.answers(rows, tested),
    )


def distances(learned: Sequence[CrystalFeatures], asked: Sequence[CrystalFeatures]) -> Array:
    """From each host that is asked for to the nearest one that was learned from, as ``ApplicabilityDomain`` has it."""
    known = np.stack([host.fingerprint for host in learned])
    mean, scale = known.mean(0), known.std(0) + 1e-6
    features = np.stack([host.fingerprint for host in asked])
    return nearest(features, mean, scale, standardise(known, mean, scale))


def read_answers(settings: MlipSettings, test: CrossValidation, job: Job) -> list[FoldAnswers]:
    """The answers of all chosen folds of a test.

    Raises:
        DataError: A fold is missing.
    """
    found = []
    for fold in range(settings.n_folds):
        if job.selection.has_fold(fold):
            path = answers_file(job.own_folder, Unit(test, fold))
            arrays = read_arrays(path)
            if arrays is None:
                raise DataError(f"{path}: this fold has not been answered. Run `ionvolt recipe evaluate` first")
            found.append(from_arrays(fold, arrays, test.part))
    return found


def read_learners(settings: MlipSettings, unit: Unit, job: Job) -> tuple[Learners, Indices]:
    """The learners that were fitted without a fold, and the rows of the data that they learned from.

    Raises:
        DataError: They are not there.
    """
    path = learners_file(job.own_folder, unit)
    arrays = read_arrays(path)
    if arrays is None:
        raise DataError(f"{path}: the learners of this fold are not there. Run `ionvolt recipe evaluate` first")
    try:
        return learners_from(arrays, unit.test.part, settings), arrays["train"].astype(np.int64)
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path}: no learners of this recipe ({error}). Delete it and evaluate again") from error


def answer_pairs(
    table: Table,
    settings: MlipSettings,
    job: Job,
    rows: Indices,
    pairs: Sequence[EndMemberPair],
) -> list[FoldAnswers]:
    """What each fold's learners of both ends, which have not seen their frameworks, say of other pictures of these.

    Args:
        table: The rows and features on which the folds were made.
        settings: Settings of the recipe.
        job: Whose learners are there.
        rows: Numbers of rows of the table; one may stand there several times.
        pairs: The end members that are asked about, one for each row.

    Raises:
        DataError: Learners are missing.
    """
    found = []
    test, own = settings.calibrating("both"), table.parts["both"]
    for fold, tested in enumerate(folds(table.data, test, settings.n_folds)):
        asked = np.flatnonzero(np.isin(rows, tested))
        if not len(asked) or not job.selection.has_fold(fold):
            continue
        learners, train = read_learners(settings, Unit(test, fold), job)
        assert isinstance(learners, PairLearners)
        some = [pairs[i] for i in asked.tolist()]
        learned = [own.hosts[i] for i in own.places(train)]
        found.append(
            FoldAnswers(
                fold,
                rows[asked],
                np.array([pair.physics for pair in some]),
                distances(learned, [pair.charged for pair in some]),
                {"both": learners.voltages(some, np.empty((len(some), 0)))},
            )
        )
    return found


def answers_file(folder: Path, unit: Unit) -> Path:
    """Where a unit's answers stand."""
    return folder / HELD_OUT / f"{unit.name}.npz"


def learners_file(folder: Path, unit: Unit) -> Path:
    """Where the learners stand that answered."""
    return folder / HELD_OUT / f"{unit.name}.learners.npz"


def mark(table: Table, settings: MlipSettings, unit: Unit) -> str:
    """What makes a unit this one: settings, rows, labels, and all that the learners read of them."""
    rows = table.parts[unit.test.part]
    train, tested = parts_of(rows, folds(table.data, unit.test, settings.n_folds)[unit.fold])
    facts = [FORMAT, settings.of_part(unit.test.part), unit.test.seed, unit.test.members, rows.digest]
    return fingerprint(facts, table.numbers, train, tested)


def is_done(path: Path, wanted: str) -> bool:
    """Whether a file holds the answers of just this unit."""
    arrays = read_arrays(path)
    return arrays is not None and "mark" in arrays and str(arrays["mark"]) == wanted


def to_arrays(answers: FoldAnswers) -> dict[str, NDArray[np.generic]]:
    """Answers as they are stored."""
    found: dict[str, NDArray[np.generic]] = {
        "rows": answers.rows,
        "physics": answers.physics,
        "distance": answers.distance,
    }
    for case, voltages in answers.voltages.items():
        found |= {f"{case}.{name}": values for name, values in voltages.items()}
    return found


def from_arrays(fold: int, arrays: dict[str, NDArray[np.generic]], part: Part) -> FoldAnswers:
    """Answers from what is stored."""
    voltages: dict[Case, Voltages] = {
        case: {name: values.astype(np.float64) for name, values in found.items()}
        for case in CASES[part]
        if (found := under(arrays, f"{case}."))
    }
    rows, physics, distance = arrays["rows"], arrays["physics"], arrays["distance"]
    return FoldAnswers(fold, rows.astype(np.int64), physics.astype(np.float64), distance.astype(np.float64), voltages)


def in_words(answers: FoldAnswers, target: Array, settings: MlipSettings) -> str:
    """The errors of each learner and of the shipped ones together."""
    texts = []
    for case, voltages in answers.voltages.items():
        shown = {name: np.atleast_2d(values).mean(0) for name, values in voltages.items()}
        shown["together"] = ensemble_mean(*shipped(voltages, settings, case))
        errors = (f"{name} {np.abs(values - target[answers.rows]).mean():.3f}" for name, values in shown.items())
        texts.append(f"{case} {', '.join(errors)} V")
    return "; ".join(texts)


def shipped(voltages: Voltages, settings: MlipSettings, case: Case) -> list[Array]:
    """What the shipped learners of a case say, V: members of the networks, shape (n_members, n), then the others."""
    return [voltages[name] for name in settings.shipped[case]]
