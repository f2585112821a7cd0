"""Intervals of computed electrodes whose ends were not both given, calibrated on frameworks that were held out.

Two ways in: ``relaxed`` (the ion is taken out of the discharged structure, both ends are relaxed) and ``inserted``
(ions are put into the charged host, both ends are relaxed). The learners of each fold answer for the computed ends of
its electrodes, whose frameworks they have not seen, and the errors against the labels make the widths: they hold what
the relaxations, the guessed filling and the correction do wrong together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.evaluation.metrics import share_within
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import FULL_EXTRACTION_THRESHOLD
from ionvolt.models.mlip.delta_model import ROUTES, VARIANTS, DeltaModel, Route, Variant, load_delta, save_delta
from ionvolt.models.uncertainty.conformal import Conformal, calibrate
from ionvolt.physics.average import compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import PotentialPair, load_potentials
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip import full_extraction
from ionvolt.recipes.mlip.calibration import (
    HeldOut,
    cross_fitted_widths,
    difficulty,
    held_out,
    intervals,
    with_intervals,
)
from ionvolt.recipes.mlip.cross_validation import answer_pairs, read_answers
from ionvolt.recipes.mlip.features import write_each
from ionvolt.recipes.mlip.relaxed import (
    RelaxedEnds,
    held_out_relaxed,
    in_words,
    read_ends,
    read_relaxed,
    to_arrays,
)
from ionvolt.recipes.mlip.rows import Table
from ionvolt.recipes.mlip.settings import MlipSettings
from ionvolt.typing import Indices, ProgressCallback

INSERTED = "inserted_ends"
"""Folder."""

ORDER_SEED = 2
"""Of the order of the rows."""

MOST_ATOMS = 28
"""Atoms of a host that is filled: a large one takes a minute."""

FEWEST = 20
"""Held-out electrodes from which on a way is calibrated by itself."""


def compute_inserted(
    data: ElectrodeSet,
    rows: Indices,
    folder: Path,
    progress: ProgressCallback,
    minutes: float | None,
    cache: Cache | None = None,
) -> None:
    """Fill hosts and relax both ends, in a random order, until time is up; what stands in files is not repeated."""
    chosen = np.random.default_rng(ORDER_SEED).permutation(len(data))
    small = [row for row in chosen[np.isin(chosen, rows)].tolist() if len(data[row].host) <= MOST_ATOMS]
    files = {inserted_file(folder, row): data[row] for row in small}
    potentials, cache = load_potentials(), Cache(None) if cache is None else cache
    write_each(
        files,
        lambda electrode: inserted_arrays(electrode, potentials, cache),
        in_words,
        progress,
        "hosts filled",
        minutes,
    )


def inserted_arrays(electrode: Electrode, potentials: PotentialPair, cache: Cache) -> dict[str, Any]:
    """Fill an electrode's host and relax both ends.

    Raises:
        InputError: The potentials cannot compute it, or the host has no room.
    """
    began = time.process_time()
    found = compute(None, electrode.host, WORKING_IONS[electrode.working_ion], potentials, cache)
    return to_arrays(found) | {"seconds": time.process_time() - began}


def inserted_file(folder: Path, row: int) -> Path:
    """Where the ends of a row stand whose host was filled."""
    return folder / INSERTED / f"{row:05d}.npz"


def read_inserted(table: Table, folder: Path) -> dict[int, RelaxedEnds]:
    """The filled hosts that are there; see ``relaxed.read_ends``."""
    return read_ends(table, partial(inserted_file, folder))


def held_out_route(table: Table, settings: MlipSettings, job: Job, route: Route) -> HeldOut | None:
    """Held-out answers of a way in; None where too few ends were computed."""
    ends = read_relaxed(table, job.folder) if route == "relaxed" else read_inserted(table, job.folder)
    both = table.parts["both"]
    ends = {row: found for row, found in ends.items() if row in set(both.rows.tolist())}
    if route == "relaxed":  # where full extraction is unlikely, another variant answers
        extraction = full_extraction.extraction_rows(table)
        probabilities = full_extraction.held_out_probabilities(extraction, table, settings)
        place = {row: i for i, row in enumerate(both.rows.tolist())}
        ends = {row: found for row, found in ends.items() if probabilities[place[row]] >= FULL_EXTRACTION_THRESHOLD}
    if len(ends) < FEWEST:
        return None
    if route == "relaxed":
        return held_out_relaxed(table, ends, settings, job)
    rows = np.array(sorted(ends), dtype=np.int64)
    answers = answer_pairs(table, settings, job, rows, [ends[row].pair for row in rows.tolist()])
    return held_out(answers, table.data, "both", settings)


def held_out_routes(table: Table, settings: MlipSettings, job: Job) -> dict[Route, HeldOut | None]:
    """Held-out answers of every way in."""
    return {route: held_out_route(table, settings, job, route) for route in ROUTES}


@dataclass(frozen=True)
class RouteReport:
    """What a card says of a way in; voltages in V.

    Attributes:
        n: Held-out electrodes.
        mae: Mean absolute error.
        median: Median absolute error.
        within_01: Share of errors below 0.1 V.
        coverage_90: Share of labels in the 90 % interval, each calibrated on the other folds.
        mean_width: Mean width of these intervals.
        coverage_before: Share in the intervals of two given ends.
    """

    n: int
    mae: float
    median: float
    within_01: float
    coverage_90: float
    mean_width: float
    coverage_before: float


def report_route(held: HeldOut, given: Conformal) -> RouteReport:
    """How good the answers are, and whether their intervals hold."""
    error, widths = np.abs(held.errors), cross_fitted_widths(held)
    before = given.half_widths(difficulty(held), held.ions)
    return RouteReport(
        n=len(error),
        mae=round(float(error.mean()), 4),
        median=round(float(np.median(error)), 4),
        within_01=round(share_within(error, 0.1), 3),
        coverage_90=round(float((error <= widths).mean()), 3),
        mean_width=round(float(2 * widths.mean()), 3),
        coverage_before=round(float((error <= before).mean()), 3),
    )


def calibrate_routes(model: DeltaModel, held: Mapping[Route, HeldOut | None]) -> DeltaModel:
    """Give a model the intervals of each way that was computed often enough, and its card their figures."""
    reports = {}
    for route in ROUTES:
        found = held.get(route)
        if found is None:
            continue
        model.routes[route] = calibrate(difficulty(found), found.ions, found.errors)
        report = report_route(found, model.correctors["both"].domain.conformal)
        reports[route] = {name: getattr(report, name) for name in report.__dataclass_fields__}
    model.card.training["routes"] = reports
    return model


@dataclass(frozen=True)
class IntervalReport:
    """What a card says of the intervals of given ends; widths in V.

    Attributes:
        split: What was held out.
        n: Held-out electrodes.
        coverage_90: Share of labels in the 90 % interval, each calibrated on the other folds.
        mean_width: Mean width of these intervals.
        coverage_of_framework_intervals: Share in intervals that were calibrated on held-out frameworks.
    """

    split: str
    n: int
    coverage_90: float
    mean_width: float
    coverage_of_framework_intervals: float


def report_intervals(model: DeltaModel, data: ElectrodeSet, settings: MlipSettings, job: Job) -> dict[Variant, HeldOut]:
    """Tell in a model's card how well the intervals of given ends hold.

    Returns:
        The held-out answers that make them, of the variants whose answers are there.
    """
    told, found = {}, {}
    for variant in VARIANTS:
        test = settings.widths_from(variant)
        try:
            answers = read_answers(settings, test, job), read_answers(settings, settings.calibrating(variant), job)
        except DataError:
            continue
        held, frameworks = (held_out(some, data, variant, settings) for some in answers)
        widths, error = cross_fitted_widths(held), np.abs(held.errors)
        before = intervals(frameworks).half_widths(difficulty(held), held.ions)
        report = IntervalReport(
            split=f"{test.split} {settings.n_folds}-fold, seed {test.seed}",
            n=len(error),
            coverage_90=round(float((error <= widths).mean()), 3),
            mean_width=round(float(2 * widths.mean()), 3),
            coverage_of_framework_intervals=round(float((error <= before).mean()), 3),
        )
        told[variant], found[variant] = asdict(report), held
    model.card.training["intervals"] = told
    return found


def recalibrate(folder: Path, output: Path, table: Table, settings: MlipSettings, job: Job) -> DeltaModel:
    """A fitted Δ-model with the intervals that held-out answers ask for; its answers stay as they are.

    Args:
        folder: The model.
        output: Where the same with the new intervals is written.
        table: Rows and features of the recipe.
        settings: Settings of the recipe.
        job: Whose learners and computed ends are there.
    """
    model = load_delta(folder)
    for variant, held in report_intervals(model, table.data, settings, job).items():
        corrector = model.correctors[variant]
        corrector.domain = with_intervals(corrector.domain, held)
    model = calibrate_routes(model, held_out_routes(table, settings, job))
    save_delta(model, output)
    return model
