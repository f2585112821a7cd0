"""SevenNet as its package computes it against IonVolt's compiled messages: time, memory, the same energies, in one run.

``python benchmarks/potential.py [--repeats N]``

Energies alone, then forces and stresses, on one thread, of LiFePO4 and its supercells; both programs take turns. Peaks
of memory are those of a process of its own for each. Ends with status 1 if energies differ by more than 1e-5 eV an
atom or forces by more than 1e-3 eV/Å.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

import ionvolt
from ionvolt.physics.potentials import sevennet_convolution as equivariant_convolution
from ionvolt.physics.potentials.sevennet import SevenNetPotential
from ionvolt.structures import Crystal, read_file

CELLS = ((1, 1, 1), (2, 2, 1), (3, 3, 2))
TOLERANCE = 1e-5
FORCE_TOLERANCE = 1e-3


def potential(program: str) -> SevenNetPotential:
    """Either as IonVolt evaluates it, or as the package does."""
    kept, module = equivariant_convolution.PiecewiseConvolution, cast(Any, equivariant_convolution)
    if program == "package":
        module.PiecewiseConvolution = lambda whole: whole
    try:
        loaded = SevenNetPotential()
        _ = loaded.package  # built when it is first asked for
    finally:
        module.PiecewiseConvolution = kept
    if program == "package":
        loaded.compiled = None
    return loaded


def crystals() -> list[Crystal]:
    cell = read_file(Path(ionvolt.__file__).parent / "examples" / "LiFePO4.cif").to_pymatgen()
    return [Crystal.from_pymatgen(cell.make_supercell(repeat, in_place=False)) for repeat in CELLS]


def peak(program: str, number: int) -> float:
    """Megabytes that one evaluation takes on top of the loaded network, in a process of its own."""
    command = [sys.executable, __file__, "--child", program, str(number)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def child(program: str, number: int) -> None:
    network = potential(program)
    network.evaluate(crystals()[:1])
    large = crystals()[number]
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = peak_kilobytes()
    network.evaluate([large])
    print(json.dumps((peak_kilobytes() - before) / 1000))


def peak_kilobytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="turns of each program (default 3)")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    if options.child:
        child(options.child[0], int(options.child[1]))
        return 0
    programs = {name: potential(name) for name in ("package", "IonVolt")}
    worst = 0.0
    print("| atoms | package, s | IonVolt, s | times faster | package, MB more | IonVolt, MB more |")
    print("|---|---|---|---|---|---|")
    for number, crystal in enumerate(crystals()):
        works = {name: partial(network.evaluate, [crystal]) for name, network in programs.items()}
        (package, own), answers = take_turns(works, options.repeats)
        energies = [answer[0].energy / len(crystal) for answer in answers]
        worst = max(worst, abs(energies[0] - energies[1]))
        memory = " | ".join(f"{peak(name, number):.0f}" for name in programs)
        print(f"| {len(crystal)} | {package:.2f} | {own:.2f} | {package / own:.1f} | {memory} |", flush=True)
    print(f"\nEnergies differ by {worst:.1e} eV an atom at most.\n")
    largest = compare_forces(programs, options.repeats)
    print(f"\nForces differ by {largest:.1e} eV/Å at most.")
    return 0 if worst < TOLERANCE and largest < FORCE_TOLERANCE else 1


def take_turns(works: Mapping[str, Callable[[], Any]], repeats: int) -> tuple[list[float], list[Any]]:
    """Median seconds of processor of each, a first turn aside, and what each gives."""
    times: dict[str, list[float]] = {name: [] for name in works}
    answers = {}
    for turn in range(repeats + 1):
        for name, work in works.items():
            began = time.process_time()
            answers[name] = work()
            if turn:
                times[name].append(time.process_time() - began)
    return [statistics.median(some) for some in times.values()], list(answers.values())


def compare_forces(programs: dict[str, SevenNetPotential], repeats: int) -> float:
    """Print a table of times; returns the largest difference, eV/Å."""
    largest = 0.0
    print("| atoms | forces and stress: package, s | IonVolt, s | times faster | energies alone, IonVolt, s |")
    print("|---|---|---|---|---|")
    for crystal in crystals()[:2]:
        works: dict[str, Callable[[], Any]]
        works = {name: partial(network.forces, crystal) for name, network in programs.items()}
        works["energies"] = partial(programs["IonVolt"].evaluate, [crystal])
        (package, own, energies), (theirs, ours, _) = take_turns(works, repeats)
        largest = max(largest, float(np.abs(theirs.forces - ours.forces).max()))
        print(f"| {len(crystal)} | {package:.2f} | {own:.3f} | {package / own:.1f} | {energies:.3f} |", flush=True)
    return largest


if __name__ == "__main__":
    sys.exit(main())
