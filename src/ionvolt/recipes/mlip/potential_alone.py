"""Voltages of the potential alone, without any training, beside the labels of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.datasets import Electrode
from ionvolt.errors import InputError
from ionvolt.evaluation.metrics import Metrics, metrics
from ionvolt.ions import WORKING_IONS, EndMembers
from ionvolt.physics.average import AverageVoltage, RelaxOptions, compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.typing import ProgressCallback

HIGHEST_V = 7.0
"""Rows with a larger voltage, of either sign, are left out."""


@dataclass(frozen=True, eq=False)
class ComputedRow:
    """An electrode and what the potential says of it."""

    electrode: Electrode
    computed: AverageVoltage


def chosen_rows(data: Sequence[Electrode], n_rows: int | None, n_atoms: int | None, seed: int) -> list[Electrode]:
    """Electrodes whose ends are known.

    Args:
        data: All rows.
        n_rows: As many, drawn at random; None: all.
        n_atoms: Largest number of atoms in the discharged cell of these rows; None: any.
        seed: Seed of the draw.
    """
    rows = [row for row in data if row.discharged and abs(row.average_voltage) < HIGHEST_V]
    if n_rows:
        rows = [rows[k] for k in np.random.default_rng(seed).choice(len(rows), min(n_rows, len(rows)), replace=False)]
    return [row for row in rows if not n_atoms or (row.discharged and len(row.discharged) <= n_atoms)]


def compute_rows(
    rows: Sequence[Electrode],
    given: EndMembers,
    potentials: PotentialPair,
    cache: Cache,
    options: RelaxOptions,
    progress: ProgressCallback,
) -> list[ComputedRow]:
    """Compute rows; what the potential refuses is told and left out.

    Args:
        rows: Electrodes.
        given: Which of their end members are given; the other is made.
        potentials: For relaxing and for energies.
        cache: Where results are remembered.
        options: How end members are treated.
        progress: Told of every row.
    """
    found = []
    for done, row in enumerate(rows, start=1):
        discharged = None if given == "charged" else row.discharged
        charged = None if given == "discharged" else row.host
        words = row.battery_id
        try:
            computed = compute(discharged, charged, WORKING_IONS[row.working_ion], potentials, cache, options)
            found.append(ComputedRow(row, computed))
        except InputError as error:
            words = f"{row.battery_id}: {error}"
        progress(done, len(rows), words)
    return found


def by_ion(found: Sequence[ComputedRow]) -> dict[str, Metrics]:
    """Errors for each ion, for all rows, and for those whose charged end is free of the ion."""
    groups = {ion: [row for row in found if row.electrode.working_ion == ion] for ion in WORKING_IONS}
    groups["all"] = list(found)
    groups["all whose charged end is free of the ion"] = [
        row for row in found if row.electrode.working_ion not in row.electrode.host.composition
    ]
    return {name: errors(rows) for name, rows in groups.items() if rows}


def errors(rows: Sequence[ComputedRow]) -> Metrics:
    """Errors of some rows."""
    return metrics([row.electrode.average_voltage for row in rows], [row.computed.voltage for row in rows])
