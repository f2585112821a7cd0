"""How far labels that the potential makes are from those of the data, where both are known.

    python benchmarks/exchange_labels.py mp2025.parquet --electrodes 200

The recipe ``mlip`` puts other ions in the places of the known ones, relaxes, and learns from the voltages. Here the
known ion itself takes its place, so that the label of the data tells how good such a voltage is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ionvolt.datasets import clean, read_dataset
from ionvolt.errors import InputError
from ionvolt.evaluation.metrics import metrics
from ionvolt.ions import WORKING_IONS
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.recipes.mlip.exchanges import MOST_ATOMS, exchanged_electrode
from ionvolt.recipes.mlip.settings import MlipSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--electrodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data, _ = clean(read_dataset(arguments.data), MlipSettings().clean)
    potentials = load_potentials()
    labels: list[float] = []
    found: list[float] = []
    frameworks: list[str] = []
    refused = 0
    for row in np.random.default_rng(arguments.seed).permutation(len(data)).tolist():
        e = data[row]
        held = (e.host.numbers == WORKING_IONS[e.working_ion].number).any()
        if e.discharged is None or held or len(e.discharged) > MOST_ATOMS:
            continue
        if len(found) + refused == arguments.electrodes:
            break
        try:
            found.append(exchanged_electrode(e, e.working_ion, potentials).average_voltage)
        except InputError:
            refused += 1
            continue
        labels.append(e.average_voltage)
        frameworks.append(e.framework)
    target, voltages = np.array(labels), np.array(found)
    m = metrics(target, voltages, np.array(frameworks))
    print(f"{len(found)} electrodes, {refused} refused; {m.within_01:.0%} within 0.1 V")
    print(f"mean absolute difference {m.mae:.3f} V ({m.mae_low:.3f}-{m.mae_high:.3f}), median {m.median:.3f} V")
    print(f"mean difference {(voltages - target).mean():+.3f} V")


if __name__ == "__main__":
    main()
