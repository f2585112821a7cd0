"""What steps of relaxation do for voltages of the potential alone: of hosts made by taking the ion out, and of trials.

    python benchmarks/settling.py mp2025.parquet --electrodes 200

Voltages are those of SevenNet's energies, nothing trained, against the labels. *Discharged*: the discharged structure
as it stands, and the host that is left of it after so many steps. *Tried*: the host as it stands, and with the ion put
in after so many steps, as many ions as the host's electrons take or as the electrode's formula says. ``predict`` takes
``settling.STEPS`` steps, and ``trial_insertion.LARGE_STEPS`` for K, Rb and Cs.

    python benchmarks/settling.py mp2025.parquet --shaken 70

Answers of the default model, which has learned from these electrodes as they are: from hosts and from discharged
structures of up to ``MOST_ATOMS`` atoms as they are, and with all atoms moved at random and the cell scaled, where such
a crystal is taken as it stands and where it is settled first (``settling.at_ease``).
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet, clean, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip import settled_host, trial_features
from ionvolt.models.mlip.settled_host import settled_ends
from ionvolt.models.mlip.trial_features import featurise_trials
from ionvolt.physics import trial_insertion
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.settling import AT_REST, GivenForces
from ionvolt.prediction import as_model, predict_checked
from ionvolt.recipes.mlip.settings import MlipSettings
from ionvolt.structures.crystal import Crystal

STEPS = (0, 1, 2, 3, 4, 5)

MOST_ATOMS = 24
MOVED, SCALED = (0.06, 0.10, 0.15, 0.20), (0.97, 1.0, 1.03)
"""Å along each axis, and of the cell: one of each for every shaken crystal."""
FORCES = (0, 2, 3, 6, 12, np.inf)
"""eV/Å: rows of the tables of shaken crystals."""


def discharged(mover: Callable[[], Potential], electrode: Electrode, steps: int) -> float:
    """Voltage of a discharged structure and its settled host."""
    assert electrode.discharged is not None
    ion, energy_model = WORKING_IONS[electrode.working_ion], load_sevennet()
    host = remove_ion(electrode.discharged, ion)
    matched = balance(electrode.discharged, host, ion)
    full, empty = energy_model.evaluate(settled_ends(host, electrode.discharged, steps, mover()))
    return average_voltage(full.energy, empty.energy, matched, metal_energy(ion, VERSION), ion)


def tried(informed: bool, electrode: Electrode, steps: int) -> float:
    """Voltage of a host and of the ion tried in it."""
    n_ions = None
    if informed and electrode.discharged is not None:
        matched = balance(electrode.discharged, electrode.host, WORKING_IONS[electrode.working_ion])
        n_ions = matched.n_ions / matched.charged_cells
    with patch.object(trial_insertion, "STEPS", steps), patch.object(trial_insertion, "LARGE_STEPS", steps):
        (trial,) = featurise_trials([electrode.host], [electrode.working_ion], [n_ions])
    return trial.pair.physics


KINDS: dict[str, Callable[[Electrode, int], float]] = {
    "discharged, SevenNet's forces": partial(discharged, load_sevennet),
    "discharged, CHGNet's forces": partial(discharged, load_chgnet),
    "tried, as electrons allow": partial(tried, False),
    "tried, as the formula says": partial(tried, True),
}


def shaken(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """A crystal with its atoms moved at random, in a scaled cell."""
    moved = rng.normal(0, rng.choice(MOVED), (len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
    return replace(crystal, lattice=crystal.lattice * rng.choice(SCALED), frac_coords=crystal.frac_coords + moved)


def of_shaken(discharged: bool, data: ElectrodeSet, wanted: int, seed: int) -> None:
    """Print how far answers from shaken hosts or discharged structures are off, by the largest force."""
    rng, model = np.random.default_rng(seed), as_model(None)
    rows: list[list[float]] = []

    def error(crystal: Crystal, electrode: Electrode) -> float:
        (answer,) = predict_checked([crystal], electrode.working_ion, model=model, check_relaxation=False)
        return abs(answer.voltage - electrode.average_voltage)

    for row in rng.permutation(len(data)).tolist():
        electrode = data[row]
        crystal = electrode.discharged if discharged else electrode.host
        if len(rows) == wanted:
            break
        if crystal is None or len(crystal) > MOST_ATOMS:
            continue
        other = shaken(crystal, rng)
        try:
            found = [as_it_stands(other).max_force, error(crystal, electrode)]
            with patch.object(
                settled_host if discharged else trial_features, "at_ease", lambda one, _: (one, as_it_stands(one))
            ):
                found.append(error(other, electrode))
            trial_features._LATEST.clear()
            rows.append([*found, error(other, electrode)])
        except InputError:
            continue
    table = np.array(rows)
    words = "discharged structure" if discharged else "host"
    print(f"| largest force, eV/Å | n | the {words} as it is | shaken, as it stands | shaken and settled |")
    print("|---|---|---|---|---|")
    for low, high in pairwise(FORCES):
        some = table[(table[:, 0] > low) & (table[:, 0] <= high)]
        if len(some):
            cells = " | ".join(f"{value:.3f}" for value in some[:, 1:].mean(0))
            print(f"| {low:g} to {high:g} | {len(some)} | {cells} |")


def as_it_stands(crystal: Crystal) -> GivenForces:
    """Forces of a crystal that is taken as it stands."""
    return GivenForces.of(crystal, load_sevennet())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--electrodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--shaken", type=int, metavar="N", help="answers from so many shaken crystals of each kind, nothing else"
    )
    arguments = parser.parse_args()
    data, _ = clean(read_dataset(arguments.data), MlipSettings().clean)
    if arguments.shaken:
        for given in (False, True):
            of_shaken(given, data, arguments.shaken, arguments.seed)
        return
    errors: dict[str, list[list[float]]] = {name: [] for name in KINDS}
    seconds: defaultdict[tuple[str, int], float] = defaultdict(float)
    for row in np.random.default_rng(arguments.seed).permutation(len(data)).tolist():
        if len(errors[next(iter(KINDS))]) == arguments.electrodes:
            break
        electrode, found = data[row], defaultdict[str, list[float]](list)
        if electrode.discharged is None:
            continue
        try:
            for name, voltage in KINDS.items():
                for steps in STEPS:
                    began = time.perf_counter()
                    found[name].append(abs(voltage(electrode, steps) - electrode.average_voltage))
                    seconds[name, steps] += time.perf_counter() - began
        except InputError:
            continue
        for name, some in found.items():
            errors[name].append(some)
    n = len(errors[next(iter(KINDS))])
    print(
        f"{n} electrodes; forces of what is given count from {AT_REST:g} eV/Å on. Mean (median) error, V; last: s each"
    )
    print(f"| | {' | '.join(f'{steps} steps' for steps in STEPS)} | s |")
    print("|---" * (len(STEPS) + 2) + "|")
    for name, rows in errors.items():
        table = np.array(rows)
        cells = [f"{table[:, k].mean():.3f} ({np.median(table[:, k]):.3f})" for k in range(len(STEPS))]
        print(f"| {name} | {' | '.join(cells)} | {seconds[name, STEPS[-1]] / n:.2f} |")


if __name__ == "__main__":
    main()
