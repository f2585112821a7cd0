"""Relaxations of discharged electrodes as IonVolt does them, and on CHGNet's and ASE's own, in one run.

``python benchmarks/relaxation.py [--electrodes N] [--most-atoms N]``

Both relax atoms and cell as ``compute`` does, from the discharged structures of the shared data, the discharged end and
the host that is left when its ion is taken out; processor seconds of one thread. Their SevenNet energies then give a
voltage each, which must not differ by more than 0.01 V: else the status is 1.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from host_answer import shared_data, with_packages_layers
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, WorkingIon, remove_ion
from ionvolt.physics.potentials.calculator import QuietCellFilter
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

TOLERANCE = 0.01


def electrodes(count: int, most_atoms: int) -> list[tuple[Crystal, WorkingIon]]:
    """Discharged structures in their primitive cells."""
    folder = shared_data()
    with (folder / "electrodes_mp2025.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ions = {row["id_discharge"]: row["working_ion"] for row in random.Random(1).sample(rows, 20 * count)}
    found: list[tuple[Crystal, WorkingIon]] = []
    with gzip.open(folder / "structures.jsonl.gz", "rt", encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            if entry["id"] not in ions or len(found) == count:
                continue
            try:
                crystal = primitive_cell(as_crystal(entry["cif"]))
            except InputError:
                continue
            if len(crystal) <= most_atoms:
                found.append((crystal, WORKING_IONS[ions[entry["id"]]]))
    return found


def relaxed(crystal: Crystal, ion: WorkingIon) -> tuple[float, float, int]:
    """Voltage, processor seconds of both relaxations, and their steps."""
    settings = RelaxSettings(timeout=None)
    began = time.process_time()
    full, empty = (relax(one, load_chgnet(), settings) for one in (crystal, remove_ion(crystal, ion)))
    took = time.process_time() - began
    ends = full.crystal, empty.crystal
    e_full, e_empty = (output.energy for output in load_sevennet().evaluate(ends))
    reaction = balance(*ends, ion)
    return average_voltage(e_full, e_empty, reaction, metal_energy(ion, VERSION), ion), took, full.steps + empty.steps


@contextmanager
def asked_anew() -> Iterator[None]:
    """ASE's filter of the cell without its memory."""
    kept = QuietCellFilter._once
    QuietCellFilter._once = lambda self, name, compute: compute()  # type: ignore[method-assign]
    try:
        yield
    finally:
        QuietCellFilter._once = kept  # type: ignore[method-assign]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--electrodes", type=int, default=8)
    parser.add_argument("--most-atoms", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    print("| electrode | ion | steps, packages and IonVolt | packages, s | IonVolt, s | times faster | apart, V |")
    print("|---|---|---|---|---|---|---|")
    ratios, worst = [], 0.0
    for crystal, ion in electrodes(options.electrodes, options.most_atoms):
        load_chgnet().forces(crystal)
        with with_packages_layers(), asked_anew():
            before = relaxed(crystal, ion)
        own = relaxed(crystal, ion)
        ratios.append(before[1] / own[1])
        apart = abs(before[0] - own[0])
        worst = max(worst, apart)
        print(
            f"| {crystal.formula}, {len(crystal)} atoms | {ion.symbol} | {before[2]}, {own[2]} | {before[1]:.1f} "
            f"| {own[1]:.1f} | {ratios[-1]:.1f} | {apart:.4f} |",
            flush=True,
        )
    print(f"\n{statistics.median(ratios):.1f} times faster in the median; voltages differ by {worst:.4f} V at most")
    return 0 if worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
