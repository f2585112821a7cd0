"""The discharged structure alone, as ``ionvolt compute`` takes it: ion removed, both ends relaxed.

``relaxed/`` holds a file for each electrode whose ends were relaxed, by its number within the cleaned data. The rows
come in a random order, so that those which are done are a fair sample. The learners of each fold answer for the relaxed
ends of its electrodes, whose frameworks they have not seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import FULL_EXTRACTION_THRESHOLD
from ionvolt.models.mlip.delta_model import pair_of_computed
from ionvolt.models.mlip.delta_network import EndMemberPair
from ionvolt.models.mlip.latent_features import WIDE_SIZE, CrystalFeatures
from ionvolt.physics.average import AverageVoltage, compute
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.pair import PotentialPair, load_potentials
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip import full_extraction
from ionvolt.recipes.mlip.calibration import HeldOut, held_out
from ionvolt.recipes.mlip.cross_validation import answer_pairs, read_answers
from ionvolt.recipes.mlip.features import read, write_each
from ionvolt.recipes.mlip.rows import Table
from ionvolt.recipes.mlip.settings import MlipSettings
from ionvolt.typing import Array, Indices, ProgressCallback

RELAXED = "relaxed"
"""Folder."""

ORDER_SEED = 1
"""Of the order of the rows."""


@dataclass(frozen=True, eq=False)
class RelaxedEnds:
    """Both relaxed ends of an electrode.

    Attributes:
        pair: What the learners see.
        seconds: CPU time of all of it.
        converged: Whether all relaxations converged.
    """

    pair: EndMemberPair
    seconds: float
    converged: bool


def relaxed_file(folder: Path, row: int) -> Path:
    """Where the relaxed ends of a row stand."""
    return folder / RELAXED / f"{row:05d}.npz"


def compute_relaxed(
    data: ElectrodeSet,
    rows: Indices,
    folder: Path,
    progress: ProgressCallback,
    minutes: float | None,
    cache: Cache | None = None,
) -> None:
    """Relax the ends of some rows, in a random order, until time is up; what stands in files is not repeated."""
    chosen = np.random.default_rng(ORDER_SEED).permutation(len(data))
    files = {relaxed_file(folder, row): data[row] for row in chosen[np.isin(chosen, rows)].tolist()}
    potentials, cache = load_potentials(), Cache(default_folder()) if cache is None else cache
    write_each(
        files,
        lambda electrode: relaxed_arrays(electrode, potentials, cache),
        in_words,
        progress,
        "ends relaxed",
        minutes,
    )


def relaxed_arrays(electrode: Electrode, potentials: PotentialPair, cache: Cache) -> dict[str, Any]:
    """Relax an electrode's ends, both from its discharged structure.

    Raises:
        InputError: The potentials cannot compute it.
    """
    began = time.process_time()
    found = compute(electrode.discharged, None, WORKING_IONS[electrode.working_ion], potentials, cache)
    return to_arrays(found) | {"seconds": time.process_time() - began}


def to_arrays(found: AverageVoltage) -> dict[str, Any]:
    """Computed ends as they are stored."""
    pair = pair_of_computed(found)
    full, empty = pair.discharged, pair.charged
    return {
        "full": full.atoms,
        "empty": empty.atoms,
        "pooled": empty.pooled,
        "pooled_full": full.pooled,
        "volumes": [full.volume, empty.volume],
        "energies": [full.energy, empty.energy],
        "physics": pair.physics,
        "cells": [pair.discharged_cells, pair.charged_cells, pair.n_ions],
        "converged": bool(found.converged),
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]], ion: str) -> RelaxedEnds:
    """Computed ends from what is stored."""
    volumes, energies = arrays["volumes"], arrays["energies"]
    pooled_full = arrays.get("pooled_full", arrays["pooled"])  # which no learner of pairs looks at
    full = CrystalFeatures(float(energies[0]), arrays["full"], pooled_full, float(volumes[0]))
    empty = CrystalFeatures(float(energies[1]), arrays["empty"], arrays["pooled"], float(volumes[1]))
    discharged_cells, charged_cells, n_ions = arrays["cells"].tolist()
    pair = EndMemberPair(full, empty, discharged_cells, charged_cells, n_ions, ion, float(arrays["physics"]))
    return RelaxedEnds(pair, float(arrays["seconds"]), bool(arrays["converged"]))


def in_words(electrode: Electrode, arrays: Mapping[str, Any]) -> str:
    """What was found, in a line."""
    if "refused" in arrays:
        return str(arrays["refused"])
    return f"{float(arrays['physics']):.2f} V, label {electrode.average_voltage:.2f}, {arrays['seconds']:.1f} s"


def read_relaxed(table: Table, folder: Path) -> dict[int, RelaxedEnds]:
    """The relaxed ends that are there; see ``read_ends``."""
    return read_ends(table, partial(relaxed_file, folder))


def read_ends(table: Table, file: Callable[[int], Path]) -> dict[int, RelaxedEnds]:
    """The computed ends that are there, by the row of the table; those that were refused are not among them.

    Args:
        table: The rows.
        file: Where the ends of a row stand, by its number within the cleaned data.

    Raises:
        DataError: A file is of an earlier version.
    """
    found = {}
    for row, number in enumerate(table.numbers.tolist()):
        path = file(number)
        if path.exists():
            arrays = read(path)
            if "refused" not in arrays:
                if arrays["full"].shape[1] != WIDE_SIZE:
                    raise DataError(f"{path}: written by an earlier version. Delete it and compute the ends again")
                found[row] = from_arrays(arrays, table.data[row].working_ion)
    return found


def held_out_relaxed(table: Table, ends: Mapping[int, RelaxedEnds], settings: MlipSettings, job: Job) -> HeldOut:
    """The answers of each fold's learners of both ends for the relaxed ends of its electrodes."""
    rows = np.array(sorted(ends), dtype=np.int64)
    answers = answer_pairs(table, settings, job, rows, [ends[row].pair for row in rows.tolist()])
    return held_out(answers, table.data, "both", settings)


@dataclass(frozen=True, eq=False)
class RelaxedTest:
    """What can be said of an electrode of which the discharged structure is known, in several ways, held out.

    Attributes:
        rows: Numbers of rows of the table, shape (n,).
        voltages: V, by the way in words, each of shape (n,); NaN where a way gives none.
        fully_extracted: Rows whose label is that of giving up all ions.
        seconds: Median CPU time of relaxing and evaluating, s.
        mean_seconds: Mean of the same.
    """

    rows: Indices
    voltages: dict[str, Array]
    fully_extracted: NDArray[np.bool_]
    seconds: float
    mean_seconds: float


COMPUTE, RELAXED_DELTA, PREDICT = "`ionvolt compute`", "Δ-model, both ends relaxed", "`ionvolt predict`"
MEAN, PHYSICS = "mean of these", "SevenNet, relaxed by CHGNet, nothing trained"
BOTH_GIVEN = "SevenNet, both ends given"


def relaxed_test(table: Table, settings: MlipSettings, job: Job) -> RelaxedTest | None:
    """Compare the ways; None where no ends have been relaxed."""
    ends = read_relaxed(table, job.folder)
    both = table.parts["both"]
    ends = {row: found for row, found in ends.items() if row in set(both.rows.tolist())}
    if not ends:
        return None
    held = held_out_relaxed(table, ends, settings, job)
    order = np.argsort(held.rows)
    rows, relaxed = held.rows[order], held.voltage[order]
    predicted = np.full(len(table.data), np.nan)  # without its ions a host may hold isolated atoms
    answers = read_answers(settings, settings.calibrating("discharged"), job)
    found = held_out(answers, table.data, "discharged", settings)
    predicted[found.rows] = found.voltage
    predicted = predicted[rows]
    extraction = full_extraction.extraction_rows(table)
    probabilities = full_extraction.held_out_probabilities(extraction, table, settings)
    place = np.searchsorted(both.rows, rows)
    partly = probabilities[place] < FULL_EXTRACTION_THRESHOLD
    seconds = np.array([ends[row].seconds for row in rows.tolist()])
    return RelaxedTest(
        rows,
        {
            COMPUTE: np.where(partly & np.isfinite(predicted), predicted, relaxed),
            RELAXED_DELTA: relaxed,
            PREDICT: predicted,
            MEAN: 0.5 * (relaxed + predicted),
            PHYSICS: np.array([ends[row].pair.physics for row in rows.tolist()]),
            BOTH_GIVEN: np.array([both.pairs[i].physics for i in place]),
        },
        extraction.fully_extracted[place],
        float(np.median(seconds)),
        float(seconds.mean()),
    )
