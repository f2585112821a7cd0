"""CHGNet on its package's own layers against IonVolt's without PyTorch: time and the same numbers, in one run.

``python benchmarks/chgnet_layers.py [--repeats N]``

Processor seconds of one thread for V2O5, LiFePO4 and a supercell; both take turns. The package's layers get IonVolt's
graphs and take first derivatives only. Ends with status 1 if energies differ by more than 1e-5 eV an atom or forces by
more than 1e-3 of the largest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import ionvolt
from ionvolt.physics.potentials.chgnet import CHGNetPotential
from ionvolt.structures import Crystal, read_file
from ionvolt.testing.potentials import shaken

CELLS = (("V2O5", (1, 1, 1)), ("LiFePO4", (1, 1, 1)), ("LiFePO4", (1, 2, 2)))
TOLERANCE, SHARE = 1e-5, 1e-3


def crystals() -> list[Crystal]:
    """Atoms are pushed off their sites: where forces are nothing, their differences are noise."""
    folder = Path(ionvolt.__file__).parent / "examples"
    cells = [(read_file(folder / f"{name}.cif").to_pymatgen(), repeat) for name, repeat in CELLS]
    return [shaken(Crystal.from_pymatgen(cell.make_supercell(repeat, in_place=False))) for cell, repeat in cells]


ASKED: dict[str, Callable[[CHGNetPotential, Crystal], object]] = {
    "evaluate": lambda potential, crystal: potential.evaluate([crystal]),
    "forces": lambda potential, crystal: potential.forces(crystal),
}


def seconds(ask: Callable[[CHGNetPotential, Crystal], object], potential: CHGNetPotential, crystal: Crystal) -> float:
    began = time.process_time()
    ask(potential, crystal)
    return time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9, help="turns of each program (default 9)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    own, package = CHGNetPotential(), CHGNetPotential()
    package.compiled = None
    worst = [0.0, 0.0]
    print("| atoms | | package's layers, ms | IonVolt, ms | times faster |")
    print("|---|---|---|---|---|")
    for crystal in crystals():
        theirs, ours = package.forces(crystal), own.forces(crystal)
        worst[0] = max(worst[0], abs(theirs.energy - ours.energy) / len(crystal))
        worst[1] = max(worst[1], float(np.abs(theirs.forces - ours.forces).max() / np.abs(theirs.forces).max()))
        for name, ask in ASKED.items():
            turns = [[seconds(ask, each, crystal) for each in (package, own)] for _ in range(options.repeats + 1)][1:]
            before, after = (1000 * min(times) for times in zip(*turns, strict=True))
            ratio = statistics.median(one / other for one, other in turns)
            print(f"| {len(crystal)} | {name} | {before:.1f} | {after:.1f} | {ratio:.1f} |", flush=True)
    print(f"\nEnergies differ by {worst[0]:.1e} eV an atom at most, forces by {worst[1]:.1e} of the largest.")
    return 0 if worst[0] < TOLERANCE and worst[1] < SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
