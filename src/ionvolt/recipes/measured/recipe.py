"""The recipe of the models of measured voltages, one for each thing that can be known of an electrode."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.errors import DataError, ModelError
from ionvolt.evaluation.metrics import metrics
from ionvolt.experiment.cathodes import read_cathodes
from ionvolt.experiment.expected import (
    CANDIDATES,
    UNCERTAIN_SLOPE,
    HeldOut,
    MeasuredPoint,
    fit_measured,
    leave_one_framework_out,
    read_points,
    that_train,
)
from ionvolt.models.card import ModelCard, Record
from ionvolt.models.measured.estimate import FAMILY, FOLDERS, Way, read_measured, save_measured
from ionvolt.models.measured.regression import named
from ionvolt.recipes.interface import EVALUATE, FIT, ReportLine, Step
from ionvolt.recipes.job import DRAW_SEED, Job
from ionvolt.recipes.measured.report import figures, groups
from ionvolt.store import fingerprint, write_json

TABLES = ("cathodes.csv", "calculated.csv")
"""In the folder of the data: measured electrodes, and their calculated voltages."""

TEST = "leave one framework out"
TEST_WITHOUT = "leave one framework out without recalled rows"

WORDS: dict[Way, str] = {
    "ends with r2SCAN": "Both end members, energies of two functionals.",
    "ends": "Both end members, energies of PBE+U alone.",
    "discharged": "What predict answers from the discharged structure.",
    "host": "What predict answers from the host alone.",
}


@dataclass(frozen=True)
class MeasuredRecipe:
    """Ridge regressions on measured electrodes; the data are a folder with two tables, not a data set."""

    name: str = "measured"
    words: str = "what a cell shows, from a calculated voltage; DATA is a folder with cathodes.csv and calculated.csv"
    makes: tuple[str, ...] = tuple(f"{FAMILY}/{folder}" for folder in FOLDERS.values())
    steps: Sequence[Step] = (EVALUATE, FIT)

    def do(self, step: str, job: Job) -> None:
        """See ``Recipe``."""
        if step not in (EVALUATE.name, FIT.name):
            raise ValueError(f"{step}: no step of {self.name}")
        if job.selection.folds:
            raise DataError("every framework is a fold of its own here. Leave --folds out")
        for done, (way, folder) in enumerate(zip(FOLDERS, self.models(job), strict=True)):
            job.progress(done, len(FOLDERS), way)
            if step == EVALUATE.name:
                _evaluate(way, job)
            else:
                _fit(way, job, folder)
        job.progress(len(FOLDERS), len(FOLDERS), "")

    def report(self, job: Job) -> list[ReportLine]:
        """See ``Recipe``."""
        return [line for way in FOLDERS for line in _evaluate(way, job)["lines"]]

    def models(self, job: Job) -> list[Path]:
        """See ``Recipe``."""
        family = f"{self.name}-{job.label}" if job.label else FAMILY if _is_ours(job) else f"{self.name}-own"
        return [job.models_folder / family / folder for folder in FOLDERS.values()]

    def check(self, job: Job, folder: Path) -> None:
        """See ``Recipe``."""
        model = read_measured(folder)
        way = next(way for way, name in FOLDERS.items() if name == folder.name)
        if not all(np.isfinite(model.estimate(p.electrode).voltage) for p in _points(way, job)):
            raise ModelError(f"{folder}: it gives no voltage. Fit it again")


def _tables(job: Job) -> tuple[str, str]:
    try:
        cathodes, calculated = ((job.data / name).read_text(encoding="utf-8") for name in TABLES)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{job.data}: no folder with {' and '.join(TABLES)}. The package's own are examples") from error
    return cathodes, calculated


def _is_ours(job: Job) -> bool:
    ours = files("ionvolt.experiment")
    return _tables(job) == tuple((ours / name).read_text(encoding="utf-8") for name in TABLES)


def _points(way: Way, job: Job) -> list[MeasuredPoint]:
    """The points of a job that train."""
    cathodes, calculated = _tables(job)
    try:
        found = that_train(read_points(calculated, read_cathodes(cathodes), way))
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{job.data}: {error} is not as in the package's {' and '.join(TABLES)}") from error
    ions = job.selection.ions
    found = [p for p in found if not ions or p.cathode.ion in ions]
    names = sorted({p.cathode.name for p in found})
    if job.selection.rows is not None and job.selection.rows < len(names):
        names = np.random.default_rng(DRAW_SEED).choice(names, job.selection.rows, replace=False).tolist()
    found = [p for p in found if p.cathode.name in names]
    if len({p.framework for p in found}) < 2:
        raise DataError(f"{job.data}: fewer than two frameworks are known by {way}. Give more rows")
    return found


def _held_out(points: Sequence[MeasuredPoint], *, recalled: bool) -> list[HeldOut]:
    return leave_one_framework_out(points, that_train(points, recalled=recalled))


def _evaluate(way: Way, job: Job) -> dict[str, Any]:
    """Figures and report lines of a way; what stands in the folder for the same tables and rows is read."""
    points = _points(way, job)
    columns = [field.name for field in fields(ReportLine)]
    settings = [CANDIDATES, UNCERTAIN_SLOPE, [p.cathode.name for p in points], columns]
    mark = fingerprint([*_tables(job), repr(settings)])
    path = job.own_folder / "held-out" / f"{FOLDERS[way]}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if found.get("sha256") != mark:
        held = _held_out(points, recalled=True)
        without = _held_out(points, recalled=False)
        lines = [vars(_line(way, name, group)) for name, group in groups(held).items()]
        found = {"sha256": mark, TEST: figures(held), TEST_WITHOUT: figures(without), "lines": lines}
        write_json(path, found)
    return found | {"lines": [ReportLine(**line) for line in found["lines"]]}


def _line(way: Way, name: str, held: Sequence[HeldOut]) -> ReportLine:
    m = metrics(
        np.array([h.point.cathode.voltage for h in held], dtype=float),
        [h.estimate.voltage for h in held],
        [h.point.framework for h in held],
    )
    more: dict[str, Any] = dict(figures(held).get("all", {}))
    return ReportLine.of(way, name, len(held), m, more)


def _fit(way: Way, job: Job, folder: Path) -> None:
    points = _points(way, job)
    figures_of = _evaluate(way, job)
    model, chosen = fit_measured(points)
    ions = Counter(p.cathode.ion for p in points if not p.part)
    recalled = sum(p.cathode.checked == "recalled" and not p.part for p in points)
    card = ModelCard(
        name=folder.relative_to(job.models_folder).as_posix(),
        kind="measured",
        ions=list(ions),
        description="What a cell with the ion's metal is expected to show: the calculated voltage, moved by what "
        f"{sum(ions.values())} measured electrodes teach about its errors. {WORDS[way]}",
        training={
            "chosen": chosen,
            "candidates": list(CANDIDATES),
            "weights": {k: round(v, 3) for k, v in named(model.regression).items() if abs(v) >= 0.0005},
            "cathodes": [p.cathode.name for p in points if not p.part],
            "ions": {ion: {"n_rows": n} for ion, n in ions.items()},
        },
        evaluation=[
            Record(test, subset="" if group == "all" else group, values=values)
            for test in (TEST, TEST_WITHOUT)
            for group, values in figures_of[test].items()
        ],
        limits=[
            "An equilibrium voltage: no kinetics, no polarisation, no co-insertion of solvent or protons.",
            "Few electrodes: of many classes there are one or two.",
            f"{recalled} of the {sum(ions.values())} measured voltages were entered from memory; the table marks them.",
        ],
        attribution="Measured voltages from the literature, see experiment/cathodes.csv; energies by SevenNet.",
    )
    save_measured(type(model)(**{**vars(model), "card": card}), folder)
