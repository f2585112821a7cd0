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

from ionvolt.datasets import read_dataset
from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.recipes.mlip.potential_alone import by_ion, chosen_rows, compute_rows


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
    a = parser.parse_args()
    rows = chosen_rows(read_dataset(a.data).electrodes, a.rows, a.atoms, a.seed)
    found = compute_rows(
        rows,
        a.start,
        load_potentials(a.potential),
        Cache(a.cache),
        RelaxOptions(a.relax),
        lambda done, total, words: print(f"{done}/{total} {words}", file=sys.stderr, flush=True),
    )
    print("| ion | electrodes | MAE (V) | bias (V) |\n|---|---|---|---|")
    for name, m in by_ion(found).items():
        print(f"| {name} | {m.n} | {m.mae:.3f} ({m.mae_low:.3f}–{m.mae_high:.3f}) | {m.bias:+.3f} |")
    seconds = [row.computed.seconds for row in found]
    unfinished = sum(row.computed.converged is False for row in found)
    print(f"\n{np.mean(seconds):.2f} s an electrode (median {np.median(seconds):.2f}), {unfinished} not converged")


if __name__ == "__main__":
    main()
