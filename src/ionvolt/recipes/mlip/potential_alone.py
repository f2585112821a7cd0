"""Voltages of the potential alone, without any training, beside the labels of a data set.

    python scripts/physics_voltages.py mp2025.parquet
    python scripts/physics_voltages.py mp2025.parquet --start discharged --rows 100 --atoms 32

The first takes both end members as they are, the second the discharged ones alone: ion removed, both relaxed;
``--start charged`` takes the hosts alone: ions inserted, both relaxed. Rows with a voltage of 7 V or more, or without
their discharged structure, are left out. ``--rows`` draws so many at random. The table goes to standard output; what
was computed is remembered and not repeated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.errors import InputError
from ionvolt.evaluation.metrics import metrics
from ionvolt.ions import WORKING_IONS
from ionvolt.physics.average import AverageVoltage, RelaxOptions, compute
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import VERSION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--start", choices=["both", "discharged", "charged"], default="both", help="what is given")
    parser.add_argument("--rows", type=int, help="as many rows, drawn at random")
    parser.add_argument("--atoms", type=int, help="of these, the rows with up to so many atoms in the discharged cell")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--potential", default=VERSION, help="whose energies count, as for `ionvolt compute`")
    parser.add_argument("--relax", action=argparse.BooleanOptionalAction, help="both structures [default: as compute]")
    parser.add_argument("--cache", type=Path, default=default_folder())
    arguments = parser.parse_args()
    rows = [row for row in read_dataset(arguments.data).electrodes if row.discharged and abs(row.average_voltage) < 7]
    if arguments.rows:
        drawn = np.random.default_rng(arguments.seed).choice(len(rows), arguments.rows, replace=False)
        rows = [rows[k] for k in drawn]
    if arguments.atoms:
        rows = [row for row in rows if row.discharged and len(row.discharged) <= arguments.atoms]
    potentials, cache = load_potentials(arguments.potential), Cache(arguments.cache)
    options = RelaxOptions(arguments.relax)
    found: list[tuple[Electrode, AverageVoltage]] = []
    for k, row in enumerate(rows, start=1):
        discharged = None if arguments.start == "charged" else row.discharged
        charged = None if arguments.start == "discharged" else row.host
        ion = WORKING_IONS[row.working_ion]
        try:
            computed = compute(discharged, charged, ion, potentials, cache, options)
            found.append((row, computed))
        except InputError as error:
            print(f"{row.battery_id}: {error}", file=sys.stderr)
        if k % 20 == 0:
            print(f"{k} of {len(rows)}", file=sys.stderr, flush=True)
    print_table(found)


def print_table(found: list[tuple[Electrode, AverageVoltage]]) -> None:
    print("| ion | electrodes | MAE (V) | bias (V) |\n|---|---|---|---|")
    for ion in WORKING_IONS:
        print_row(ion, [pair for pair in found if pair[0].working_ion == ion])
    print_row("all", found)
    emptied = [(row, computed) for row, computed in found if row.working_ion not in row.host.composition]
    print_row("all whose charged end is free of the ion", emptied)
    seconds = [computed.seconds for _, computed in found]
    unfinished = sum(computed.converged is False for _, computed in found)
    print(f"\n{np.mean(seconds):.2f} s an electrode (median {np.median(seconds):.2f}), {unfinished} not converged")


def print_row(name: str, pairs: list[tuple[Electrode, AverageVoltage]]) -> None:
    if not pairs:
        return
    of = metrics([row.average_voltage for row, _ in pairs], [computed.voltage for _, computed in pairs])
    print(f"| {name} | {of.n} | {of.mae:.3f} ({of.mae_low:.3f}–{of.mae_high:.3f}) | {of.bias:+.3f} |")


if __name__ == "__main__":
    main()
