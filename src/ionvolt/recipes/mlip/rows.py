"""A data set as this recipe learns from it: features of the potential, row by row, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError, InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.crystal_machine import known_of
from ionvolt.models.mlip.delta_model import pair_of
from ionvolt.models.mlip.delta_network import IONS, EndMemberPair
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.mlip.trial_features import TrialFeatures
from ionvolt.physics.reaction import balance
from ionvolt.recipes.mlip.features import (
    feature_files,
    read_settled,
    read_structure_features,
    read_trials,
    require_ids,
    settled_file,
    structures,
    trial_file,
)
from ionvolt.recipes.mlip.settings import Part
from ionvolt.store import fingerprint
from ionvolt.training.laplacian import element_data
from ionvolt.typing import Array, Indices


@dataclass(frozen=True, eq=False)
class PartRows:
    """Electrodes as the learners of a part see them.

    Attributes:
        part: What is learned from.
        rows: Numbers of the electrodes within ``Table.data``, sorted, shape (n,).
        pairs: Their end members, or their hosts with the ion tried in them.
        target: V, shape (n,).
        trials: What the support vectors see of hosts, too; empty for the other parts.
        informed: The same with as many ions tried as go in.
        known: What element tables and geometry say of hosts, shape (n, len(HOST_AND_ION_FEATURES)); where both
            ends are given nothing, shape (n, 0).
    """

    part: Part
    rows: Indices
    pairs: list[EndMemberPair]
    target: Array
    trials: list[TrialFeatures]
    informed: list[TrialFeatures]
    known: Array

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """What the learners read of all rows, by its bytes, 64 digits."""
        pairs = [*self.pairs, *(trial.pair for trial in self.informed)]
        ends = (end for pair in pairs for end in (pair.discharged, pair.charged))
        read = [array for end in ends for array in (end.atoms, end.pooled)]
        read += [trial.features for trial in (*self.trials, *self.informed)]
        physics = np.array([pair.physics for pair in pairs])
        return fingerprint(self.part, self.rows, self.target, physics, self.known, *read)

    @property
    def ions(self) -> NDArray[np.int64]:
        """Index of each row's ion in ``IONS``."""
        return np.array([IONS.index(pair.ion) for pair in self.pairs], dtype=np.int64)

    @property
    def hosts(self) -> list[CrystalFeatures]:
        """The charged hosts, whose distances are measured."""
        return [pair.charged for pair in self.pairs]

    def places(self, rows: Indices) -> Indices:
        """Places within this part of those of some rows of the data that it holds."""
        return np.flatnonzero(np.isin(self.rows, rows))


@dataclass(frozen=True, eq=False)
class Table:
    """All that training and evaluation need.

    Attributes:
        data: The electrodes that take part.
        numbers: Their numbers within the whole cleaned data, shape (n,).
        parts: What is learned from, by part.
    """

    data: ElectrodeSet
    numbers: Indices
    parts: dict[Part, PartRows]


def read_table(data: ElectrodeSet, numbers: Indices, folder: Path, parts: Sequence[Part], a_file: int) -> Table:
    """Read the features of some rows.

    Args:
        data: The whole cleaned data.
        numbers: The rows that take part.
        folder: Where the features are.
        parts: Which parts are wanted.
        a_file: Structures whose features stand in one file.

    Raises:
        DataError: Features are missing.
    """
    some = data[numbers]
    require_ids(some)
    features = read_structure_features(feature_files(data, numbers, a_file, folder), structures(data))
    found: dict[Part, PartRows] = {}
    for part in parts:
        if part == "charged":
            found[part] = _host_rows(some, numbers, features, folder)
        else:
            found[part] = _pair_rows(some, numbers, part, features, folder)
        if not len(found[part]):
            raise DataError(
                f"{folder}: features of no electrode are there that `{part}` could learn from. "
                "Compute them first: ionvolt recipe run … --only features"
            )
    return Table(some, numbers, found)


def _pair_rows(
    data: ElectrodeSet, numbers: Indices, part: Part, features: dict[str, CrystalFeatures], folder: Path
) -> PartRows:
    rows, pairs, hosts = [], [], []
    for row, e in enumerate(data):
        if e.discharged is None:
            continue
        ion = WORKING_IONS[e.working_ion]
        try:
            host = e.host if part == "both" else remove_ion(e.discharged, ion)
            matched = balance(e.discharged, host, ion)
        except InputError:  # end members that differ by more than the ion
            continue
        full, empty = features.get(e.id_discharge or ""), features.get(e.id_charge)
        if part == "discharged" and full is not None:
            both = read_settled(settled_file(folder, int(numbers[row])), full.narrow, host.numbers)
            full, empty = both or (None, None)
        if full is None or empty is None:
            continue
        rows.append(row)
        pairs.append(pair_of(full, empty, matched, ion.symbol))
        hosts.append(host)
    chosen = np.array(rows, dtype=np.int64)
    ions = [pair.ion for pair in pairs]
    known = np.empty((len(chosen), 0)) if part == "both" else known_of(hosts, ions, element_data())
    return PartRows(part, chosen, pairs, data.voltages[chosen], [], [], known)


def _host_rows(data: ElectrodeSet, numbers: Indices, features: dict[str, CrystalFeatures], folder: Path) -> PartRows:
    rows, trials, informed = [], [], []
    for row, e in enumerate(data):
        if e.discharged is None:
            continue
        number, seen = int(numbers[row]), features.get(e.id_charge)
        host = None if seen is None else seen.narrow
        found = read_trials(trial_file(folder, number), host, e.working_ion)
        told = read_trials(trial_file(folder, number, informed=True), host, e.working_ion)
        if found is None or told is None:
            continue
        rows.append(row)
        trials.append(found)
        informed.append(told)
    chosen = np.array(rows, dtype=np.int64)
    known = known_of([data[row].host for row in rows], data.ions[chosen].tolist(), element_data())
    return PartRows("charged", chosen, [trial.pair for trial in trials], data.voltages[chosen], trials, informed, known)
