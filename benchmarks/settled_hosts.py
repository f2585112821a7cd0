"""What steps of relaxation do for the voltage of a host that is made by taking the ion out, and what they cost.

    python benchmarks/settled_hosts.py mp2025.parquet --electrodes 200

Voltages are those of SevenNet's energies alone, of the discharged structure as it stands and of the host after so many
steps with SevenNet's or CHGNet's forces, against the labels. ``predict`` takes ``settling.STEPS`` steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, clean, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.settled_host import settled_host
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.settling import AT_REST
from ionvolt.recipes.mlip.settings import MlipSettings

STEPS = (0, 1, 2, 3, 4)


def voltages(electrode: Electrode, mover: Potential) -> tuple[list[float], float]:
    """Voltages after each number of ``STEPS``, and seconds of the last."""
    assert electrode.discharged is not None
    ion, energy_model = WORKING_IONS[electrode.working_ion], load_sevennet()
    host = remove_ion(electrode.discharged, ion)
    matched = balance(electrode.discharged, host, ion)
    metal, (full,) = metal_energy(ion, VERSION), energy_model.evaluate([electrode.discharged])
    found, seconds = [], 0.0
    for steps in STEPS:
        began = time.perf_counter()
        settled = settled_host(host, electrode.discharged, steps, mover)
        seconds = time.perf_counter() - began
        (empty,) = energy_model.evaluate([settled])
        found.append(average_voltage(full.energy, empty.energy, matched, metal, ion))
    return found, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--electrodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data, _ = clean(read_dataset(arguments.data), MlipSettings().clean)
    movers: dict[str, Potential] = {"SevenNet": load_sevennet(), "CHGNet": load_chgnet()}
    labels: list[float] = []
    found: dict[str, list[list[float]]] = {name: [] for name in movers}
    seconds = dict.fromkeys(movers, 0.0)
    for row in np.random.default_rng(arguments.seed).permutation(len(data)).tolist():
        if len(labels) == arguments.electrodes:
            break
        if data[row].discharged is None:
            continue
        try:
            answers = {name: voltages(data[row], mover) for name, mover in movers.items()}
        except InputError:
            continue
        labels.append(data[row].average_voltage)
        for name, (some, took) in answers.items():
            found[name].append(some)
            seconds[name] += took
    print(f"{len(labels)} electrodes; forces count as none at the discharged end's from {AT_REST:g} eV/Å on")
    print("| forces of | steps | mean error, V | median, V |")
    print("|---|---|---|---|")
    for name in movers:
        errors = np.abs(np.array(found[name]) - np.array(labels)[:, None])
        for k, steps in enumerate(STEPS):
            print(f"| {name} | {steps} | {errors[:, k].mean():.3f} | {np.median(errors[:, k]):.3f} |")
    ratio = seconds["CHGNet"] / seconds["SevenNet"]
    each = seconds["SevenNet"] / len(labels)
    print(f"{STEPS[-1]} steps: {each:.2f} s an electrode; CHGNet takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()
