"""Does a second potential tell which answers from both ends are far off?

    python benchmarks/second_potential.py mp2025.parquet -o runs/mlip

CHGNet's voltages of both ends stand beside SevenNet's, whose features the recipe ``mlip`` has computed in the folder.
Where labels are off because a potential is, two potentials disagree; where the label is another state's, they agree.
Printed are the mean absolute errors, the correlation of SevenNet's error with the disagreement, and the share of the
8 % worst rows among those where the potentials disagree most, so many that half of the worst are among them. Ten
minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.recipes.mlip.report import precision_at_half_recall
from ionvolt.structures.crystal import Crystal


def energy(crystal: Crystal) -> float:
    """CHGNet's energy, eV; nan where it refuses the crystal."""
    try:
        return load_chgnet().evaluate([crystal])[0].energy
    except InputError:
        return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/mlip"), help="folder of the recipe mlip")
    parser.add_argument("--rows", type=int, help="only so many, drawn at random")
    arguments = parser.parse_args()
    table = MlipRecipe().table(Job(arguments.data, arguments.output), ("both",))
    part = table.parts["both"]
    places = np.random.default_rng(0).permutation(len(part))[: arguments.rows]
    sevennet = np.array([part.pairs[i].physics for i in places])
    target, ions = part.target[places], part.ions[places]
    other = np.empty(len(places))
    for k, place in enumerate(places.tolist()):
        pair, electrode = part.pairs[place], table.data[int(part.rows[place])]
        assert electrode.discharged is not None
        gained = pair.charged_cells * energy(electrode.host) - pair.discharged_cells * energy(electrode.discharged)
        other[k] = gained / (pair.n_ions * WORKING_IONS[pair.ion].charge)
        if k % 500 == 0:
            print(f"{k}/{len(places)}", file=sys.stderr, flush=True)
    for ion in np.unique(ions):  # the metal's energy, and whatever else is an ion's own
        other[ions == ion] -= np.nanmedian((other - target)[ions == ion])
    have = np.isfinite(other)
    error, apart = (sevennet - target)[have], (sevennet - other)[have]
    print(f"n = {have.sum()}")
    of_sevennet, of_chgnet = (float(np.abs(off).mean()) for off in (error, (other - target)[have]))
    print(f"mean absolute error: SevenNet {of_sevennet:.3f} V, CHGNet {of_chgnet:.3f} V")
    print(f"correlation of SevenNet's error with SevenNet less CHGNet: {np.corrcoef(error, apart)[0, 1]:.2f}")
    print(f"worst 8 %: precision at half recall {precision_at_half_recall(np.abs(error), np.abs(apart)):.0%}")


if __name__ == "__main__":
    main()
