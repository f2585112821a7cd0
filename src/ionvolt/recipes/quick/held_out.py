"""Held-out answers of the quick model, fold by fold; what is there for the same rows and settings is read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.datasets.splits import Kind
from ionvolt.errors import DataError
from ionvolt.models.classical.quick import Answers, answers_of, ion_numbers
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.calibration import HeldOut
from ionvolt.recipes.mlip.cross_validation import FOLDS
from ionvolt.recipes.quick.settings import QuickSettings
from ionvolt.store import fingerprint, read_arrays, write_arrays
from ionvolt.training.laplacian import element_data, fit_laplacian
from ionvolt.typing import Array, Indices

HELD_OUT = "held-out"
"""Folder."""
FORMAT = 1
"""Raised when the work changes, so that it is done again."""


def feature_rows(data: ElectrodeSet) -> Array:
    """Features of all electrodes, shape (n, len(HOST_AND_ION_FEATURES))."""
    return element_data().rows(data.hosts, data.ions.tolist())


def evaluate(data: ElectrodeSet, settings: QuickSettings, job: Job) -> None:
    """Answer every fold of every test; what stands in files is not repeated."""
    units = [
        (test, fold) for test in settings.tests for fold in range(settings.n_folds) if job.selection.has_fold(fold)
    ]
    job.progress(0, len(units), f"features of {len(data)} hosts")
    rows = feature_rows(data)
    for done, (test, fold) in enumerate(units, start=1):
        path = file_of(job, test, fold)
        tested = FOLDS[test[0]](data, settings.n_folds, test[1])[fold]
        mark = _mark(rows, data.voltages, tested, settings)
        found = read_arrays(path)
        if found is None or str(found["mark"]) != mark:
            train = np.setdiff1d(np.arange(len(data)), tested)
            machine = fit_laplacian(rows[train], data.voltages[train], settings.machine)
            arrays = {"rows": tested, "mark": np.array(mark), **vars(answers_of(machine, rows[tested]))}
            write_arrays(path, arrays, compressed=False)
        job.progress(done, len(units), path.stem)


def held_out(data: ElectrodeSet, settings: QuickSettings, test: tuple[Kind, int], job: Job) -> HeldOut:
    """The answers of all chosen folds of a test.

    Raises:
        DataError: A fold is missing.
    """
    parts = []
    for fold in range(settings.n_folds):
        if job.selection.has_fold(fold):
            found = read_arrays(file_of(job, test, fold))
            if found is None:
                raise DataError(
                    f"{file_of(job, test, fold)}: this fold has not been answered. Run `ionvolt recipe evaluate` first"
                )
            parts.append((fold, found))
    rows: Indices = np.concatenate([found["rows"] for _, found in parts])
    answers = Answers(
        **{name: np.concatenate([found[name] for _, found in parts]) for name in ("voltage", "spread", "distance")}
    )
    return HeldOut(
        rows=rows,
        fold=np.concatenate([np.full(len(found["rows"]), fold) for fold, found in parts]),
        ions=ion_numbers(data.ions[rows].tolist()),
        frameworks=data.frameworks[rows],
        target=data.voltages[rows],
        voltage=answers.voltage,
        spread=answers.spread,
        distance=answers.distance,
        disagreement=answers.voltage - data.voltages.mean(),
    )


def file_of(job: Job, test: tuple[Kind, int], fold: int) -> Path:
    """Where a fold's answers stand."""
    return job.own_folder / HELD_OUT / f"{test[0]}-{test[1]}-{fold}.npz"


def _mark(rows: Array, voltages: Array, tested: Indices, settings: QuickSettings) -> str:
    """What makes a unit this one: settings, features, labels, and which rows are tested."""
    return fingerprint([FORMAT, asdict(settings.machine)], rows, voltages, tested)
