"""Relaxations of discharged electrodes with IonVolt's optimiser and with ASE's BFGS, in one run.

``python benchmarks/relaxation.py [--electrodes N] [--most-atoms N] [--seed N]``

Both relax atoms and cell as ``compute`` does, with CHGNet: the discharged end and the host that is left when its ion is
taken out, of electrodes drawn at random from the shared data. Counted are calls of the forces and processor seconds of
one thread, in all and outside the forces. SevenNet's energies of the ends make a voltage each. The last two columns say
how far a voltage still moves when its ends are relaxed on, for 60 steps or to a tenth of the usual forces. Where these
two limits are apart, the optimisers ended in different minima. Ends with status 1 where all electrodes together take
more than half of the seconds.
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from host_answer import shared_data
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, WorkingIon, remove_ion
from ionvolt.physics.potentials.chgnet import CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.interface import Forces
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_energy
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.structures import as_crystal
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

TOLERANCE = 0.01
"""V within which two voltages are one."""

BEFORE, NOW = RelaxSettings(timeout=None, optimiser="bfgs"), RelaxSettings(timeout=None)
TO_THE_END = RelaxSettings(fmax=0.01, max_steps=60, timeout=None)


@dataclass(frozen=True)
class Electrode:
    """A discharged electrode in its primitive cell, its ion and its voltage in the data."""

    discharged: Crystal
    ion: WorkingIon
    label: float

    def voltage(self, ends: Sequence[Crystal]) -> float:
        """Of the discharged and the charged end, V."""
        discharged, charged = ends
        full, empty = (output.energy for output in load_sevennet().evaluate(ends))
        return average_voltage(
            full, empty, balance(discharged, charged, self.ion), metal_energy(self.ion, VERSION), self.ion
        )


def electrodes(count: int, most_atoms: int, seed: int) -> list[Electrode]:
    """Random ones whose ends CHGNet can compute."""
    folder = shared_data()
    with (folder / "electrodes_mp2025.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(seed).shuffle(rows)
    with gzip.open(folder / "structures.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = {entry["id"]: entry["cif"] for entry in map(json.loads, lines)}
    found: list[Electrode] = []
    for row in rows:
        ion = WORKING_IONS[row["working_ion"]]
        try:
            crystal = primitive_cell(as_crystal(texts.pop(row["id_discharge"], "")))
            if len(crystal) <= most_atoms:
                for end in (crystal, remove_ion(crystal, ion)):
                    load_chgnet().forces(end)
                found.append(Electrode(crystal, ion, float(row["average_voltage"])))
        except InputError:
            continue
        if len(found) == count:
            break
    return found


class Counted:
    """CHGNet's forces, counted and timed."""

    def __init__(self) -> None:
        self.potential: CHGNetPotential = load_chgnet()
        self.version, self.evaluate = self.potential.version, self.potential.evaluate
        self.calls, self.seconds = 0, 0.0

    def forces(self, crystal: Crystal) -> Forces:
        """See ``Potential``."""
        began = time.process_time()
        try:
            return self.potential.forces(crystal)
        finally:
            self.calls += 1
            self.seconds += time.process_time() - began


@dataclass(frozen=True)
class Cost:
    """Of both ends: calls of the forces, processor seconds in all and outside the forces; where they ended."""

    calls: int
    seconds: float
    outside: float
    ends: list[Crystal]
    converged: bool


def relaxed(starts: list[Crystal], settings: RelaxSettings) -> Cost:
    """Both ends relaxed."""
    counted, began = Counted(), time.process_time()
    found = [relax(start, counted, settings) for start in starts]
    took = time.process_time() - began
    converged = all(one.converged for one in found)
    return Cost(counted.calls, took, took - counted.seconds, [one.crystal for one in found], converged)


@dataclass(frozen=True)
class Row:
    """What is printed of an electrode: before and now."""

    costs: tuple[Cost, Cost]
    voltages: tuple[float, float]
    limits: tuple[float, float]
    errors: tuple[float, float]

    @property
    def apart(self) -> float:
        """By how much the two voltages differ, V."""
        return abs(self.voltages[1] - self.voltages[0])

    @property
    def one_minimum(self) -> bool:
        """Whether both end in one voltage when they are relaxed on."""
        return abs(self.limits[1] - self.limits[0]) < TOLERANCE

    def left(self, k: int) -> float:
        """By how much a voltage still moves when its ends are relaxed on, V."""
        return self.limits[k] - self.voltages[k]


def measured(electrode: Electrode) -> Row:
    """An electrode relaxed both ways, and on from there."""
    starts = [electrode.discharged, remove_ion(electrode.discharged, electrode.ion)]
    before, now = relaxed(starts, BEFORE), relaxed(starts, NOW)
    voltages = electrode.voltage(before.ends), electrode.voltage(now.ends)
    limits = [electrode.voltage(relaxed(cost.ends, TO_THE_END).ends) for cost in (before, now)]
    errors = [abs(voltage - electrode.label) for voltage in voltages]
    return Row((before, now), voltages, (limits[0], limits[1]), (errors[0], errors[1]))


def times_faster(rows: list[Row]) -> float:
    """Processor seconds of all before over those now."""
    before, now = (sum(row.costs[k].seconds for row in rows) for k in (0, 1))
    return before / now


def summary(rows: list[Row]) -> Iterator[str]:
    """All electrodes in one table, and how far apart the voltages are."""
    yield "| all together | BFGS | now | ratio | median of the ratios |\n|---|---|---|---|---|"
    for name, words in (("calls", "calls of the forces"), ("seconds", "s"), ("outside", "s outside the forces")):
        pairs = [[float(getattr(cost, name)) for cost in row.costs] for row in rows]
        before, now = (sum(pair[k] for pair in pairs) for k in (0, 1))
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        yield f"| {words} | {before:.6g} | {now:.6g} | {before / now:.2f} | {ratio:.2f} |"
    for words, some in (("all", rows), ("one minimum", [row for row in rows if row.one_minimum])):
        yield f"\n| {words}: {len(some)} electrodes | BFGS | now |\n|---|---|---|"
        sizes: list[tuple[str, Callable[[Row, int], float]]] = [
            ("left after 60 more steps, V", lambda row, k: abs(row.left(k))),
            ("error against the labels, V", lambda row, k: row.errors[k]),
        ]
        for name, size in sizes:
            for kind in (statistics.median, statistics.mean):
                before, now = (kind(size(row, k) for row in some) for k in (0, 1))
                yield f"| {name}, {kind.__name__} | {before:.4f} | {now:.4f} |"
        yield f"| converged | {' | '.join(str(sum(row.costs[k].converged for row in some)) for k in (0, 1))} |"
        apart = [row.apart for row in some]
        within = ", ".join(f"{sum(one < limit for one in apart)} within {limit:g} V" for limit in (0.01, 0.03, 0.1))
        shift = statistics.median(row.voltages[1] - row.voltages[0] for row in some)
        yield (
            f"\nVoltages apart by {statistics.median(apart):.4f} V in the median, {statistics.mean(apart):.4f} V in "
            f"the mean, {max(apart):.4f} V at most; {within}. Now higher by {shift:+.4f} V in the median."
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--electrodes", type=int, default=50)
    parser.add_argument("--most-atoms", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    print("| electrode | ion | calls | s | times faster | V, BFGS | apart, V | left, BFGS, V | left, now, V |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for electrode in electrodes(options.electrodes, options.most_atoms, options.seed):
        row = measured(electrode)
        rows.append(row)
        before, now = row.costs
        cells = [
            f"{electrode.discharged.formula}, {len(electrode.discharged)} atoms",
            electrode.ion.symbol,
            f"{before.calls}, {now.calls}",
            f"{before.seconds:.2f}, {now.seconds:.2f}",
            f"{before.seconds / now.seconds:.1f}",
            f"{row.voltages[0]:.3f}",
            *(f"{moved:+.4f}" for moved in (row.voltages[1] - row.voltages[0], row.left(0), row.left(1))),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    print("", *summary(rows), sep="\n")
    return 0 if times_faster(rows) >= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
