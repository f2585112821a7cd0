"""Ordered electrodes made disordered, ordered again and predicted: does the interval hold the ordered one's voltage?

``python benchmarks/ordered_voltages.py DATA.parquet [--cases 50] [--part test] [--log RESULTS.jsonl]``
``python benchmarks/ordered_voltages.py --known``

DATA is a table of labelled electrodes (``ionvolt data import``). Electrodes of at most ``--atoms`` atoms are drawn, one
of a framework. In each, two elements on alike sites are mixed: two redox metals, or the working ion and a redox metal.
The crystal that remains is made as symmetric as it then can be, so that its bond lengths tell nothing about the order,
and is reduced to its primitive cell. ``ionvolt.ordering`` gets that cell and nothing else.

Frameworks of part ``tune`` served to choose the settings; those of part ``test`` did not. Every case is a line of the
log, and a log that is there is gone on with. The printed table is all there is to report.

``--known`` orders the disordered electrodes of ``tests/ordering/cells.py`` and predicts them beside measured voltages.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import spglib
import torch

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import working_ion
from ionvolt.models.registry import load_model
from ionvolt.ordered_prediction import predict_orderings
from ionvolt.ordering import OrderSettings, order
from ionvolt.ordering.average import average_cell
from ionvolt.ordering.rounding import filling
from ionvolt.ordering.search import count_arrangements
from ionvolt.physics.cache import Cache
from ionvolt.physics.interstitials import distances
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.prediction import predict_checked
from ionvolt.structures import read_disordered
from ionvolt.structures.chemistry import REDOX_ACTIVE
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.disorder import DisorderedCrystal

ANIONS = (7, 8, 9, 16, 17, 34, 35, 52, 53)
SYMPRECS = (0.3, 0.2, 0.1, 0.05)
"""Å: deviations from the higher symmetry of the mixed crystal that are averaged away, the largest that work."""

TUNE_SHARE = 5
"""One of so many frameworks belongs to part ``tune``."""


@dataclass(frozen=True, eq=False)
class Case:
    """An electrode made disordered.

    Attributes:
        electrode: The ordered one.
        kind: ``metals`` or ``ion and metal``.
        mixed: The two elements.
        disordered: What is ordered again.
    """

    electrode: Electrode
    kind: str
    mixed: tuple[str, str]
    disordered: DisorderedCrystal


def rank(text: str) -> int:
    return int(hashlib.sha256(f"ordering {text}".encode()).hexdigest()[:12], 16)


def cases(data: Path, part: str, atoms: int, max_atoms: int) -> Iterator[Case]:
    """One case of a framework, in an order that depends on nothing but the names; the kinds take turns."""
    rows = [e for e in read_dataset(data) if e.discharged is not None and len(e.discharged) <= atoms]
    rows.sort(key=lambda e: rank(f"{e.battery_id}:{e.working_ion}"))
    seen: set[str] = set()
    waiting: dict[str, list[Case]] = {"metals": [], "ion and metal": []}
    wanted = "metals"
    for row in rows:
        if row.framework in seen or (rank(row.framework) % TUNE_SHARE == 0) != (part == "tune"):
            continue
        case = mixed(row, max_atoms)
        if case is None:
            continue
        seen.add(row.framework)
        waiting[case.kind].append(case)
        while waiting[wanted]:
            yield waiting[wanted].pop(0)
            wanted = "metals" if wanted == "ion and metal" else "ion and metal"
    yield from (case for kind in waiting for case in waiting[kind])


def mixed(electrode: Electrode, max_atoms: int) -> Case | None:
    """The electrode with two elements mixed; None where no two sit on alike sites or there is but one way to order."""
    crystal = electrode.discharged
    assert crystal is not None
    ion = working_ion(electrode.working_ion).number
    around = coordination(crystal)
    metals = sorted(set(crystal.numbers.tolist()) & REDOX_ACTIVE)
    pairs = [("metals", pair) for pair in combinations(metals, 2)]
    pairs += [("ion and metal", (ion, metal)) for metal in metals]
    # Which of the possible pairs is mixed is drawn, too.
    for kind, (a, b) in sorted(pairs, key=lambda pair: rank(f"{electrode.battery_id} {pair}")):
        if not around.get(a, set()) & around.get(b, set()):
            continue
        disordered = average(crystal, a, b)
        if disordered is None:
            continue
        try:
            cell = average_cell(disordered)
        except InputError:
            continue
        most = max(1, int(max_atoms / cell.n_atoms))
        if count_arrangements(filling(cell, most).counts) < 10 * most:
            continue
        return Case(electrode, kind, (SYMBOLS[a], SYMBOLS[b]), disordered)
    return None


def coordination(crystal: Crystal) -> dict[int, set[int]]:
    """Numbers of nearest anions that the sites of each element have."""
    found: dict[int, set[int]] = {}
    anions = np.isin(crystal.numbers, ANIONS)
    if not anions.any():
        return found
    cell = crystal.to_pymatgen()
    for site, number in zip(cell, crystal.numbers.tolist(), strict=True):
        nearest = distances(crystal.lattice, site.frac_coords, crystal.frac_coords[anions]).min()
        near = [n for n in cell.get_neighbors(site, 1.3 * nearest) if n.specie.Z in ANIONS]
        found.setdefault(number, set()).add(len(near))
    return found


def average(crystal: Crystal, a: int, b: int) -> DisorderedCrystal | None:
    """The crystal with two elements mixed, as symmetric as it then can be, in its primitive cell."""
    numbers = np.where(crystal.numbers == b, a, crystal.numbers)
    share = float((crystal.numbers == a).sum() / ((crystal.numbers == a) | (crystal.numbers == b)).sum())
    cell = (crystal.lattice.tolist(), crystal.frac_coords.tolist(), numbers.tolist())
    for symprec in SYMPRECS:
        found = spglib.standardize_cell(cell, to_primitive=True, no_idealize=False, symprec=symprec)
        if found is None or len(crystal) % len(found[2]):
            continue
        lattice, places, kinds = (np.array(part) for part in found)
        before, after = crystal.volume / len(crystal), abs(np.linalg.det(lattice)) / len(kinds)
        if abs(after / before - 1) > 0.02:
            continue
        sites = tuple({a: share, b: 1 - share} if z == a else {int(z): 1.0} for z in kinds)
        return DisorderedCrystal(lattice, places, sites, crystal.source)
    return None


def run(case: Case, settings: OrderSettings, model: Any, cache: Cache) -> dict[str, Any]:
    """One line of the log."""
    electrode = case.electrode
    assert electrode.discharged is not None
    ion = electrode.working_ion
    line: dict[str, Any] = {
        "id": electrode.battery_id,
        "ion": ion,
        "formula": electrode.discharged.formula,
        "kind": case.kind,
        "mixed": "/".join(case.mixed),
        "label": electrode.average_voltage,
        "original": predict_checked([electrode.discharged], [ion], model=model)[0].voltage,
    }
    started, clock = time.process_time(), time.monotonic()
    try:
        orderings = order(case.disordered, settings, cache=cache)
        answer = predict_orderings(orderings, [ion], model=model)[0]
    except InputError as error:
        return line | {"error": str(error)}
    spent = {
        "seconds": round(time.process_time() - started, 1),
        "wall": round(time.monotonic() - clock, 1),
    }
    best = orderings.orderings[0]
    (original,) = load_sevennet().evaluate([electrode.discharged])
    above = best.energy / len(best.crystal) - original.energy / len(electrode.discharged)
    return (
        line
        | spent
        | {
            "above_original": round(1000 * above, 1),
            "atoms": len(orderings.orderings[0].crystal),
            "cells": orderings.cells,
            "found": orderings.found,
            "complete": orderings.complete,
            "voltage": answer.voltage,
            "lower": answer.voltage_lower,
            "upper": answer.voltage_upper,
            "spread": answer.spread,
            "in_domain": answer.in_domain,
            "weights": [round(weight, 4) for weight in answer.weights],
            "voltages": [round(voltage, 4) for voltage in answer.voltages],
            "kept_original": same(electrode.discharged, [one.crystal for one in orderings.orderings]),
        }
    )


def same(original: Crystal, orderings: list[Crystal]) -> bool:
    """Whether one of the orderings is the crystal that was disordered."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.3, stol=0.4, angle_tol=8)
    return any(matcher.fit(original.to_pymatgen(), one.to_pymatgen()) for one in orderings)


def report(lines: list[dict[str, Any]]) -> None:
    answered = [line for line in lines if "error" not in line]
    print(f"{len(lines)} cases, {len(answered)} answered")
    for line in lines:
        if "error" in line:
            print(f"  {line['id']}: {line['error']}")
    print(
        f"{'cases':<16}{'n':>4}{'original in':>13}{'label in':>10}{'MAE original':>14}{'MAE label':>11}"
        f"{'half-width':>12}{'spread':>8}{'kept it':>9}{'or lower':>10}{'atoms':>7}{'CPU s':>7}"
    )
    for kind in ("all", "metals", "ion and metal", "in domain"):
        some = [one for one in answered if kind in ("all", one["kind"]) or (kind == "in domain" and one["in_domain"])]
        if not some:
            continue
        lower = np.mean([one["kept_original"] or one["above_original"] < 0 for one in some])
        column = {name: np.array([one[name] for one in some], dtype=float) for name in (
            "original", "label", "voltage", "lower", "upper", "spread", "kept_original", "atoms", "seconds"
        )}  # fmt: skip
        inside = [
            np.mean((column["lower"] <= v) & (v <= column["upper"])) for v in (column["original"], column["label"])
        ]
        errors = [np.mean(np.abs(column["voltage"] - v)) for v in (column["original"], column["label"])]
        half = np.median(column["upper"] - column["lower"]) / 2
        print(
            f"{kind:<16}{len(some):>4}{100 * inside[0]:>11.0f} %{100 * inside[1]:>8.0f} %{errors[0]:>12.3f} V"
            f"{errors[1]:>9.3f} V{half:>10.3f} V{np.mean(column['spread']):>8.3f}"
            f"{100 * column['kept_original'].mean():>7.0f} %{100 * lower:>8.0f} %"
            f"{np.median(column['atoms']):>7.0f}{np.median(column['seconds']):>7.1f}"
        )


MEASURED = {
    "NMC811": ("Li", 3.8),
    "LiNi0.5Mn1.5O4": ("Li", 4.7),
    "Li1.2Mn0.4Ti0.4O2": ("Li", 3.4),
    "Na0.67MnO2": ("Na", 2.7),
    "Na3V2(PO4)2F3": ("Na", 3.9),
    "LiFe0.5Mn0.5PO4": ("Li", 3.8),
}
"""Mean voltages of charge and discharge over the usual range, V: round figures, for orientation."""


def known(settings: OrderSettings) -> None:
    """Order and predict the textbook cells."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from ordering.cells import ALL

    model = load_model()
    print(f"{'electrode':<20}{'atoms':>6}{'distinct':>9}{'V':>7}{'interval':>14}{'spread':>8}{'measured':>9} CPU s")
    for name, text in ALL.items():
        started = time.process_time()
        found = order(read_disordered(text, name), settings)
        ordering = time.process_time() - started
        row = f"{name:<20}{len(found.orderings[0].crystal):>6}{found.found:>8}{' ' if found.complete else '+'}"
        if name in MEASURED:
            ion, volts = MEASURED[name]
            answer = predict_orderings(found, [ion], model=model)[0]
            row += f"{answer.voltage:>7.2f}{answer.voltage_lower:>9.2f}–{answer.voltage_upper:.2f}"
            row += f"{answer.spread:>8.2f}{volts:>9.1f}"
        print(f"{row:<72}{ordering:>7.0f}", flush=True)
        weights = ", ".join(f"{one.weight:.2f}" for one in found.orderings)
        print("; ".join([f"    weights {weights}", *found.notes]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--known", action="store_true", help="the textbook cells instead")
    parser.add_argument("--cases", type=int, default=50)
    parser.add_argument("--part", choices=("tune", "test"), default="test")
    parser.add_argument("--atoms", type=int, default=20, help="of the ordered electrodes")
    parser.add_argument("--max-atoms", type=int, default=OrderSettings.max_atoms)
    parser.add_argument("--keep", type=int, default=OrderSettings.keep)
    parser.add_argument("--candidates", type=int, default=OrderSettings.candidates)
    parser.add_argument("--no-relax", action="store_true")
    parser.add_argument("--log", type=Path, default=None)
    parser.add_argument("--cache", type=Path, default=None, help="of energies and relaxations; times mean nothing then")
    parser.add_argument("--list", action="store_true", help="only name the cases")
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = OrderSettings(given.max_atoms, given.keep, given.candidates, not given.no_relax)
    if given.known:
        known(settings)
        return
    lines = (
        [json.loads(text) for text in given.log.read_text().splitlines()] if given.log and given.log.exists() else []
    )
    done = {line["id"] for line in lines}
    model = None
    for count, case in enumerate(cases(given.data, given.part, given.atoms, given.max_atoms)):
        if count == given.cases:
            break
        if given.list:
            size = average_cell(case.disordered).n_atoms
            print(case.electrode.battery_id, case.electrode.discharged.formula, case.kind, *case.mixed, size)  # type: ignore[union-attr]
            continue
        if case.electrode.battery_id in done:
            continue
        model = model or load_model()
        lines.append(run(case, settings, model, Cache(given.cache)))
        print(json.dumps(lines[-1]), flush=True)
        if given.log:
            with given.log.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    if not given.list:
        report(lines)


if __name__ == "__main__":
    main()
