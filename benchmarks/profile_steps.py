"""How far the steps of a voltage profile are off, and how wide their intervals have to be.

    python benchmarks/profile_steps.py ELECTRODES.csv PHASES.parquet --log DIR [--own 30] [--minutes 60]

Electrodes of the Materials Project that were computed at several fillings. ``given``: the phases of each step as they
are, energies by the potential that answers. ``own``: the whole of ``ionvolt compute --profile`` from the discharged
structure of small ones; each of its steps stands beside the average that the Materials Project has for the same range
of filling. Every electrode is a line of a log, and a log that is there is gone on with.

The half width is quantile × √(a² + (b / n)²) with n the electrons of the step for each atom of the frame
(``physics.profile``): a and b were read off the given phases, the quantile is that of own profiles. Coverage and width
are those of frameworks that the quantile has not seen (leave one out).
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, WorkingIon
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import PotentialPair, load_potentials
from ionvolt.physics.profile import STEP_FLOOR, STEP_SLOPE, Step, voltage_profile
from ionvolt.physics.reaction import average_voltage, balance
from ionvolt.physics.references import metal_reference
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures.crystal import Crystal

MOST_ATOMS = 22
"""Atoms of a discharged cell whose own profile is computed."""

MOST_IONS = 4
"""Ions in it."""


class Phases:
    """Crystals of a table by their name: columns id, lattice, numbers, frac_coords."""

    def __init__(self, path: Path) -> None:
        self.table = pq.read_table(path)
        self.place = {name: row for row, name in enumerate(self.table["id"].to_pylist())}

    def __getitem__(self, name: str) -> Crystal:
        row = self.table.slice(self.place[name], 1).to_pylist()[0]
        lattice = np.array(row["lattice"], dtype=np.float64).reshape(3, 3)
        return Crystal(lattice, np.array(row["numbers"]), np.array(row["frac_coords"]).reshape(-1, 3), source=name)


def multi_step(path: Path, phases: Phases) -> list[dict[str, Any]]:
    """Electrodes of several steps whose phases are all there, the fewest atoms first."""
    csv.field_size_limit(10**8)
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            steps = json.loads(row["steps"])
            names = {name for step in steps for name in (step["id_charge"], step["id_discharge"])}
            if len(steps) > 1 and names <= phases.place.keys():
                found.append({**row, "steps": steps, "n_atoms": len(phases[row["id_discharge"]])})
    return sorted(found, key=lambda row: (row["n_atoms"], row["battery_id"]))


def per_frame(crystal: Crystal, ion: WorkingIon) -> float:
    """Ions for each atom of the frame."""
    n_ions = crystal.composition.get(ion.symbol, 0)
    return n_ions / (len(crystal) - n_ions)


def given(row: dict[str, Any], phases: Phases, potentials: PotentialPair, cache: Cache) -> list[dict[str, Any]]:
    """Voltages of the phases as they are, beside the labels."""
    ion = WORKING_IONS[row["working_ion"]]
    names = sorted({name for step in row["steps"] for name in (step["id_charge"], step["id_discharge"])})
    crystals = {name: phases[name] for name in names}
    outputs = potentials.energy_model.evaluate([crystals[name] for name in names])
    energies = {name: output.energy for name, output in zip(names, outputs, strict=True)}
    metal = metal_reference(ion, potentials.energy_model, cache)[0]
    found = []
    for step in row["steps"]:
        discharged, charged = crystals[step["id_discharge"]], crystals[step["id_charge"]]
        reaction = balance(discharged, charged, ion)
        voltage = average_voltage(energies[step["id_discharge"]], energies[step["id_charge"]], reaction, metal, ion)
        moved = (per_frame(discharged, ion) - per_frame(charged, ion)) * ion.charge
        found.append({"voltage": voltage, "label": step["average_voltage"], "electrons": moved})
    return found


def label_between(row: dict[str, Any], phases: Phases, ion: WorkingIon, low: float, high: float) -> float | None:
    """The Materials Project's average between two fillings (ions for each atom of the frame), V; None beyond them."""
    total = covered = 0.0
    for step in row["steps"]:
        begin, end = (per_frame(phases[step[name]], ion) for name in ("id_charge", "id_discharge"))
        part = min(high, end) - max(low, begin)
        if part > 0:
            total, covered = total + part * step["average_voltage"], covered + part
    return total / covered if covered > 0.999 * (high - low) else None


def own(row: dict[str, Any], phases: Phases, potentials: PotentialPair, cache: Cache) -> list[dict[str, Any]]:
    """Steps of our own profile beside the labels of the same ranges."""
    ion = WORKING_IONS[row["working_ion"]]
    discharged = phases[row["id_discharge"]]
    profile = voltage_profile(discharged, ion, potentials, RelaxSettings(), cache)

    def compare(step: Step) -> dict[str, Any] | None:
        assert step.charged is not None
        assert step.discharged is not None
        low, high = per_frame(step.charged, ion), per_frame(step.discharged, ion)
        label = label_between(row, phases, ion, low, high)
        moved = (high - low) * ion.charge
        return None if label is None else {"voltage": step.voltage, "label": label, "electrons": moved}

    return [found for found in map(compare, profile.steps) if found]


def logged(
    path: Path, rows: Iterable[dict[str, Any]], answer: Callable[[dict[str, Any]], list[dict[str, Any]]], until: float
) -> list[dict[str, Any]]:
    """Answers of the rows; those in the log are read, others are asked for and added to it until time is up."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = {line["id"]: line for line in map(json.loads, lines)}
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            if row["battery_id"] in found or time.monotonic() > until:
                continue
            line = {"id": row["battery_id"], "framework": row["framework"], "ion": row["working_ion"]}
            began = time.process_time()
            try:
                line |= {"steps": answer(row)}
            except InputError as error:
                line |= {"steps": [], "refused": str(error)}
            found[row["battery_id"]] = line | {"seconds": time.process_time() - began}
            print(json.dumps(found[row["battery_id"]]), file=file, flush=True)
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("electrodes", type=Path)
    parser.add_argument("phases", type=Path)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--own", type=int, default=30, help="own profiles")
    parser.add_argument("--minutes", type=float, default=60.0)
    asked = parser.parse_args()
    asked.log.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * asked.minutes
    phases = Phases(asked.phases)
    rows = multi_step(asked.electrodes, phases)
    potentials, cache = load_potentials(), Cache(asked.log / "cache")
    of_given = logged(asked.log / "given.jsonl", rows, lambda row: given(row, phases, potentials, cache), until)
    small = [row for row in rows if row["n_atoms"] <= MOST_ATOMS and n_ions(row, phases) <= MOST_IONS]
    chosen = [small[k] for k in np.random.default_rng(0).permutation(len(small))[: asked.own]]
    of_own = logged(asked.log / "own.jsonl", chosen, lambda row: own(row, phases, potentials, cache), until)
    report(of_given, of_own)
    if of_own:
        report_intervals(of_own)


def quantile_of(ratios: NDArray[np.float64]) -> float:
    """The split-conformal quantile for 90 %."""
    return float(np.sort(ratios)[min(len(ratios), int(np.ceil((len(ratios) + 1) * 0.9))) - 1])


def report_intervals(of_own: list[dict[str, Any]]) -> None:
    rows = [(line["framework"], step) for line in of_own for step in line["steps"]]
    off = np.array([abs(step["voltage"] - step["label"]) for _, step in rows])
    unit = np.array([np.hypot(STEP_FLOOR, STEP_SLOPE / step["electrons"]) for _, step in rows])
    frameworks = np.array([framework for framework, _ in rows])
    widths = np.zeros(len(rows))
    for framework in np.unique(frameworks):
        out = frameworks == framework
        widths[out] = 2 * quantile_of(off[~out] / unit[~out]) * unit[out]
    print(
        f"quantile {quantile_of(off / unit):.2f}; frameworks left out: {np.mean(off <= widths / 2):.0%} within, "
        f"mean width {widths.mean():.2f} V, median {np.median(widths):.2f} V, {len(np.unique(frameworks))} frameworks"
    )


def n_ions(row: dict[str, Any], phases: Phases) -> int:
    return phases[row["id_discharge"]].composition.get(row["working_ion"], 0)


def report(of_given: list[dict[str, Any]], of_own: list[dict[str, Any]]) -> None:
    for name, found in (("given", of_given), ("own", of_own)):
        steps = [step for line in found for step in line["steps"]]
        if not steps:
            continue
        off = np.array([abs(step["voltage"] - step["label"]) for step in steps])
        print(
            f"{name}: {len(found)} electrodes, {len(steps)} steps, MAE {off.mean():.3f} V, "
            f"median {np.median(off):.3f} V, within 0.1 V {np.mean(off <= 0.1):.0%}, "
            f"90 % within {np.quantile(off, 0.9):.2f} V"
        )


if __name__ == "__main__":
    main()
