"""Electrodes that the potential makes: another ion in the place of a known electrode's, relaxed, with its voltage.

Labels of K, Rb, Cs, Al and Y are few, and most frameworks are labelled for one ion. An ion of few labels takes the
places of the known one, as many as carry its charge; the potentials relax the crystal, and its energy with that of the
given host makes the label. The support vectors of hosts take them as rows of less weight, and never those of a
framework that is tested.

``exchanged/`` holds a file for each: the label and the ion tried in the host, as for the electrodes of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.mlip.trial_features import TrialFeatures
from ionvolt.models.tensors import under
from ionvolt.physics.exchange import in_the_places
from ionvolt.physics.potentials.pair import PotentialPair, load_potentials
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.recipes.mlip.features import Arrays, read, trial_arrays, trials_of, write_each
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal
from ionvolt.typing import Indices, ProgressCallback

EXCHANGED = "exchanged"
"""Folder."""

ORDER_SEED = 3
"""Of the order of electrodes, and of the ions that take the place of theirs."""

FEW = 100
"""Labels below which an ion is put in the places of others: more rows of the others do not help (folds of seed 0)."""

MOST_ATOMS = 50
"""Atoms of a discharged cell: a large one takes a minute."""

RELAX = RelaxSettings(max_steps=60)

GROWTH = (0.8, 1.35)
"""Volume after over volume before the exchange, beyond which it is not the same framework any more."""

VOLTAGES = (-3.0, 8.0)
"""V, beyond which a label is taken for a failure."""


@dataclass(frozen=True)
class Exchange:
    """An electrode whose ion gives way to another.

    Attributes:
        row: Its number within the cleaned data.
        ion: Symbol of the ion that takes the place.
    """

    row: int
    ion: str


@dataclass(frozen=True, eq=False)
class ExchangedRow:
    """What is learned from an exchange.

    Attributes:
        exchange: Which it is.
        voltage: Its label, V.
        alone: The ion tried in the host.
        informed: The same with as many ions as the label means.
    """

    exchange: Exchange
    voltage: float
    alone: TrialFeatures
    informed: TrialFeatures


def exchanges(data: ElectrodeSet, most: int) -> list[Exchange]:
    """The first exchanges, in a random order, to ions of which the data have electrodes, but few.

    Args:
        data: The whole cleaned data.
        most: How many are wanted.
    """
    rng = np.random.default_rng(ORDER_SEED)
    ions = list(WORKING_IONS)
    few = {ion for ion, n in zip(*np.unique(data.ions, return_counts=True), strict=True) if n < FEW}
    drawn = [rng.permutation(len(ions)) for _ in range(len(data))]
    rows = rng.permutation(len(data)).tolist()
    found: list[Exchange] = []
    for turn in range(len(ions)):
        for row in rows:
            one = Exchange(row, ions[drawn[row][turn]])
            if len(found) < most and one.ion in few and _possible(data[row], one.ion):
                found.append(one)
    return found


def _possible(electrode: Electrode, ion: str) -> bool:
    full, own = electrode.discharged, WORKING_IONS[electrode.working_ion]
    held = {own.number, WORKING_IONS[ion].number} & set(electrode.host.numbers.tolist())
    return full is not None and len(full) <= MOST_ATOMS and ion != own.symbol and not held


def exchange_file(folder: Path, exchange: Exchange) -> Path:
    """Where an exchange stands."""
    return folder / EXCHANGED / f"{exchange.row:05d}-{exchange.ion}.npz"


def compute_exchanges(data: ElectrodeSet, rows: Indices, most: int, folder: Path, progress: ProgressCallback) -> None:
    """Exchange ions of some rows; what stands in files is not repeated.

    Args:
        data: The whole cleaned data.
        rows: The rows that take part.
        most: How many exchanges the whole data have.
        folder: Where the files are.
        progress: Told of every file.
    """
    chosen = set(rows.tolist())
    asked = {exchange_file(folder, one): one for one in exchanges(data, most) if one.row in chosen}
    potentials = load_potentials()
    write_each(
        asked,
        lambda one: exchange_arrays(data[one.row], one.ion, potentials),
        lambda one, arrays: f"{one.ion} in {data[one.row].formula_discharge}",
        progress,
        "ions exchanged",
    )


def exchange_arrays(electrode: Electrode, symbol: str, potentials: PotentialPair) -> Arrays:
    """An exchange as arrays.

    Raises:
        InputError: The potentials cannot compute it, it falls apart, or its host has no room for the ion.
    """
    made = exchanged_electrode(electrode, symbol, potentials)
    arrays: Arrays = {"voltage": np.array(made.average_voltage)}
    for name, informed in (("alone", False), ("informed", True)):
        arrays |= {f"{name}.{key}": array for key, array in trial_arrays(made, informed).items()}
    return arrays


def exchanged_electrode(electrode: Electrode, symbol: str, potentials: PotentialPair) -> Electrode:
    """An electrode with another ion, relaxed, and the voltage that follows.

    Raises:
        InputError: The potentials cannot compute it, its relaxation does not end, or volume or voltage lie beyond
            ``GROWTH`` or ``VOLTAGES``.
    """
    assert electrode.discharged is not None
    ion = WORKING_IONS[symbol]
    start = exchanged_cell(electrode.discharged, electrode.working_ion, symbol)
    found = relax(start, potentials.relaxer, RELAX)
    full, empty = (potentials.energy_model.evaluate([c])[0].energy for c in (found.crystal, electrode.host))
    matched = balance(start, electrode.host, ion)
    voltage = average_voltage(full, empty, matched, metal_energy(ion, potentials.version), ion)
    kept = found.converged and GROWTH[0] < found.volume_ratio < GROWTH[1] and VOLTAGES[0] < voltage < VOLTAGES[1]
    if not kept:
        facts = f"volume {found.volume_ratio:.2f} times that before, {voltage:.2f} V, {found.stopped_by}"
        raise refusal(start.source, f"no label with {symbol}: {facts}", "Nothing is to be done")
    return replace(electrode, working_ion=symbol, discharged=found.crystal, average_voltage=voltage)


def exchanged_cell(discharged: Crystal, own: str, symbol: str) -> Crystal:
    """A discharged crystal with another ion in the places of its own, not relaxed.

    As many go in as carry the charge, at least one, and at most as many as there were; those that leave are far apart.
    """
    before, after = WORKING_IONS[own], WORKING_IONS[symbol]
    n = int((discharged.numbers == before.number).sum())
    return in_the_places(discharged, own, after, min(n, max(1, n * before.charge // after.charge)))


def read_exchanges(
    data: ElectrodeSet, rows: Indices, most: int, folder: Path, hosts: Mapping[str, CrystalFeatures]
) -> list[ExchangedRow]:
    """The exchanges of some rows; those that were refused are not among them.

    Args:
        data: The whole cleaned data.
        rows: The rows that take part.
        most: How many exchanges the whole data have.
        folder: Where the files are.
        hosts: Features of the charged hosts, by id.

    Raises:
        DataError: One has not been computed.
    """
    chosen, found = set(rows.tolist()), []
    for one in exchanges(data, most):
        if one.row in chosen:
            arrays = read(exchange_file(folder, one), step="exchanges")
            host = hosts.get(data[one.row].id_charge)
            if "refused" in arrays or host is None:
                continue
            alone, informed = (trials_of(under(arrays, f"{name}."), host, one.ion) for name in ("alone", "informed"))
            found.append(ExchangedRow(one, float(arrays["voltage"]), alone, informed))
    return found
