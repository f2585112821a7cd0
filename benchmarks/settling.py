"""What steps of relaxation do for voltages of the potential alone: of hosts made by taking the ion out, and of trials.

    python benchmarks/settling.py mp2025.parquet --electrodes 200

Voltages are those of SevenNet's energies, nothing trained, against the labels. *Discharged*: the discharged structure
as it stands, and the host that is left of it after so many steps. *Tried*: the host as it stands, and with the ion put
in after so many steps, as many ions as the host's electrons take or as the electrode's formula says. ``predict`` takes
``settling.STEPS`` steps, and ``trial_insertion.LARGE_STEPS`` for K, Rb and Cs.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ionvolt.datasets import Electrode, clean, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.settled_host import settled_host
from ionvolt.models.mlip.trial_features import featurise_trials
from ionvolt.physics import trial_insertion
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.settling import AT_REST
from ionvolt.recipes.mlip.settings import MlipSettings

STEPS = (0, 1, 2, 3, 4, 5)


def discharged(mover: Callable[[], Potential], electrode: Electrode, steps: int) -> float:
    """Voltage of a discharged structure and its settled host."""
    assert electrode.discharged is not None
    ion, energy_model = WORKING_IONS[electrode.working_ion], load_sevennet()
    host = remove_ion(electrode.discharged, ion)
    matched = balance(electrode.discharged, host, ion)
    settled = settled_host(host, electrode.discharged, steps, mover())
    full, empty = energy_model.evaluate([electrode.discharged, settled])
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--electrodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data, _ = clean(read_dataset(arguments.data), MlipSettings().clean)
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
