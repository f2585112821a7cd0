"""Whether inputs that are not relaxed are told: 200 of them made from electrodes of the Materials Project.

    python benchmarks/unrelaxed_inputs.py mp2025.parquet            # prints a table; --rows, --seed, --log

From discharged electrodes drawn at random: another ion in the same cell (charge for charge), the cell scaled by 0.90 to
0.95 or 1.06 to 1.12, or one atom moved by 0.6 to 1.2 Å. Beside each stands one that is bent a little (the cell scaled
by at most 4 %, one atom moved by at most 0.5 Å, or all by some 0.1 Å), which may be flagged or not. An input counts as
flagged where it is refused or leaves the domain. Beside them stand the electrodes as they are: false flags are those
that forces, pressure, bond valences or distances raise (other reasons, such as a far chemistry, are counted apart).
Coverage is that of the 90 % interval, for unflagged inputs whose right voltage is known: those of scaled and moved ones
are the labels of their electrodes.
The shipped models have learned from these electrodes as they are, but not from the bent ones.

Every electrode is a line of the log, and a log that is there is gone on with.

``--hosts`` does the last for charged hosts: as they are, and bent a little in three ways, without and with the
discharged formula.

``--widening`` takes electrodes that the table does not hold, bends each a little in three ways, and prints by how much
intervals have to grow with the strain (``physics.equilibrium.WIDENING``), from one half of them, and what then is
covered in the other.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ionvolt.datasets import Electrode, read_dataset
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import Predictor
from ionvolt.physics.equilibrium import USUAL_STRAIN, equilibrium
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.prediction import Prediction, as_model, predict_each
from ionvolt.structures import Crystal, as_crystal

SWAPS = {
    "Li": "Na",
    "Na": "K",
    "K": "Li",
    "Mg": "Ca",
    "Ca": "Mg",
    "Zn": "Ca",
    "Rb": "Li",
    "Cs": "Li",
    "Al": "Y",
    "Y": "Al",
}
AS_IT_IS, BENT = "as it is", "bent a little"
UNRELAXED = ("is not relaxed", "Å apart", "g/cm^3", "beyond what any electrode")


@dataclass(frozen=True)
class Case:
    """An input: the structure, its ion, what was done to it, and its right voltage where that is known, V.

    It is a charged host where ``host`` says so; ``formula`` is what is told of the discharged composition.
    """

    crystal: Crystal
    ion: str
    kind: str
    voltage: float | None
    host: bool = False
    formula: str | None = None


def cases(electrode: Electrode, rng: np.random.Generator) -> list[Case]:
    """The electrode as it is, and bent in one way."""
    full, ion, label = electrode.discharged, electrode.working_ion, electrode.average_voltage
    assert full is not None
    found = [Case(full, ion, AS_IT_IS, label)]
    kind = ("swapped", "scaled", "moved")[rng.integers(3)]
    if kind == "swapped":
        other = SWAPS[ion]
        numbers = np.where(full.numbers == WORKING_IONS[ion].number, WORKING_IONS[other].number, full.numbers)
        found.append(Case(replace(full, numbers=numbers), other, kind, None))
    elif kind == "scaled":
        factor = rng.uniform(0.90, 0.95) if rng.random() < 0.5 else rng.uniform(1.06, 1.12)
        found.append(Case(replace(full, lattice=full.lattice * factor), ion, kind, label))
    else:
        found.append(Case(moved(full, 0.6, 1.2, rng), ion, kind, label))
    little = rng.integers(3)
    return [*found, Case(slightly_bent(full, rng)[little], ion, BENT, label)]


def cases_of_host(electrode: Electrode, rng: np.random.Generator) -> list[Case]:
    """The charged host as it is and bent a little, without and with the discharged formula."""
    found = []
    for kind, crystal in zip(
        (AS_IT_IS, *[BENT] * 3), (electrode.host, *slightly_bent(electrode.host, rng)), strict=True
    ):
        for formula in (None, electrode.formula_discharge):
            words = kind + (", formula known" if formula else "")
            found.append(Case(crystal, electrode.working_ion, words, electrode.average_voltage, True, formula))
    return found


def slightly_bent(full: Crystal, rng: np.random.Generator) -> list[Crystal]:
    """The crystal in another cell, with one atom elsewhere, and with all of them moved a little."""
    factor = 1 + rng.uniform(0.005, 0.04) * rng.choice([-1, 1])
    one = moved(full, 0.05, 0.5, rng)
    shifts = rng.normal(size=full.frac_coords.shape) * rng.uniform(0.01, 0.1) @ np.linalg.inv(full.lattice)
    return [replace(full, lattice=full.lattice * factor), one, replace(full, frac_coords=full.frac_coords + shifts)]


def widening(electrodes: list[Electrode], seed: int, model: Predictor) -> None:
    """Print by how much intervals grow with the strain, and what they cover: each half of the rows by the other."""
    rows: list[tuple[float, ...]] = []
    for count, electrode in enumerate(electrodes):
        full, ion = electrode.discharged, WORKING_IONS[electrode.working_ion]
        assert full is not None
        rng = np.random.default_rng((seed, count))
        crystals = [full, *slightly_bent(full, rng)]
        answers = predict_each(crystals, [ion.symbol], model=model, check_relaxation=False)
        if isinstance(answers[0], InputError):
            continue
        for crystal, answer in zip(crystals[1:], answers[1:], strict=True):
            if isinstance(answer, InputError) or answer.voltage_lower is None:
                continue
            strain = equilibrium(as_crystal(crystal), load_chgnet()).strain
            half, error = answer.voltage - answer.voltage_lower, abs(answer.voltage - electrode.average_voltage)
            shift = abs(answer.voltage - answers[0].voltage)
            rows.append((count % 2, strain, shift, half, error, bool(answer.in_domain and strain <= 1)))
        print(f"{count + 1}/{len(electrodes)}", file=sys.stderr, flush=True)
    part, strain, shift, half, error, kept = np.array(rows).T
    for tried in (0, 1):
        fitted = (part != tried) & (strain <= 1) & (strain > USUAL_STRAIN + 0.05)
        growth = np.quantile(shift[fitted] / (strain[fitted] - USUAL_STRAIN), 0.9)
        own = (part == tried) & (kept > 0)
        wider = np.hypot(half, growth * np.clip(strain - USUAL_STRAIN, 0, None))
        covered = [100 * np.mean(error[own] <= width[own]) for width in (half, wider)]
        print(f"{growth:.2f} V; of {own.sum()} unflagged {covered[0]:.1f} % covered before, {covered[1]:.1f} % after")


def moved(crystal: Crystal, least: float, most: float, rng: np.random.Generator) -> Crystal:
    """The crystal with one of its atoms moved by so many Å."""
    way = rng.normal(size=3)
    step = way / np.linalg.norm(way) * rng.uniform(least, most) @ np.linalg.inv(crystal.lattice)
    places = crystal.frac_coords.copy()
    places[rng.integers(len(crystal))] += step
    return replace(crystal, frac_coords=places)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--atoms", type=int, default=40, help="of the discharged cell at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hosts", action="store_true", help="charged hosts instead of discharged structures")
    parser.add_argument(
        "--widening", action="store_true", help="how intervals grow with the strain, on other electrodes"
    )
    parser.add_argument("--log", type=Path, help="a line for each electrode, which is gone on with when called again")
    arguments = parser.parse_args()
    data = [e for e in read_dataset(arguments.data).electrodes if e.discharged and abs(e.average_voltage) < 7]
    data = [e for e in data if e.discharged is not None and len(e.discharged) <= arguments.atoms]
    chosen = np.random.default_rng(arguments.seed).permutation(len(data))[: arguments.rows].tolist()
    log: Path | None = arguments.log
    lines = [json.loads(text) for text in log.read_text().splitlines()] if log and log.exists() else []
    done = {line["number"] for line in lines}
    model = as_model(None)
    if arguments.widening:
        others = np.setdiff1d(np.arange(len(data)), chosen)
        rng = np.random.default_rng(arguments.seed + 1)
        widening([data[k] for k in rng.permutation(others)[: arguments.rows].tolist()], arguments.seed + 1, model)
        return
    for count, number in enumerate(chosen, start=1):
        if number in done:
            continue
        # Of the electrode alone, so that what is done to it does not hang on where a run was stopped.
        make = cases_of_host if arguments.hosts else cases
        found = make(data[number], np.random.default_rng((arguments.seed, number)))
        line = {"number": number, "battery": data[number].battery_id, "rows": [answered(case, model) for case in found]}
        lines.append(line)
        print(f"{count}/{len(chosen)}", file=sys.stderr, flush=True)
        if log:
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
    rows = [row for line in lines if line["number"] in set(chosen) for row in line["rows"]]
    print("| inputs | n | flagged | flagged as unrelaxed | covered, of the unflagged |\n|---|---|---|---|---|")
    if arguments.hosts:
        for words in ("", ", formula known"):
            for kind in (AS_IT_IS, BENT):
                print_row(kind + words, [row for row in rows if row["kind"] == kind + words])
        return
    for kind in (AS_IT_IS, "swapped", "scaled", "moved"):
        print_row(kind, [row for row in rows if row["kind"] == kind])
    print_row("these three", [row for row in rows if row["kind"] in ("swapped", "scaled", "moved")])
    print_row(BENT, [row for row in rows if row["kind"] == BENT])


def answered(case: Case, model: Predictor) -> dict[str, object]:
    """One row: what was answered, and whether it was flagged."""
    try:
        (answer,) = predict_each(
            [as_crystal(case.crystal)],
            [case.ion],
            model=model,
            assume="charged" if case.host else "auto",
            discharged_formula=case.formula,
        )
    except InputError as error:
        answer = error
    words = [str(answer)] if isinstance(answer, InputError) else list(answer.warnings)
    row: dict[str, object] = {"kind": case.kind, "formula": case.crystal.formula, "label": case.voltage}
    row["flagged"] = isinstance(answer, InputError) or answer.in_domain is False
    row["unrelaxed"] = any(mark in word for mark in UNRELAXED for word in words)
    row["words"] = words
    if isinstance(answer, Prediction):
        row |= {"voltage": answer.voltage, "lower": answer.voltage_lower, "upper": answer.voltage_upper}
    return row


def print_row(name: str, rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    flagged = np.mean([bool(row["flagged"]) for row in rows])
    unrelaxed = np.mean([bool(row["unrelaxed"]) for row in rows])
    left = [row for row in rows if not row["flagged"] and row["label"] is not None]
    inside = [float(row["lower"]) <= float(row["label"]) <= float(row["upper"]) for row in left]  # type: ignore[arg-type]
    covered = f"{100 * np.mean(inside):.0f} % of {len(left)}" if left else "–"
    print(f"| {name} | {len(rows)} | {100 * flagged:.1f} % | {100 * unrelaxed:.1f} % | {covered} |", flush=True)


if __name__ == "__main__":
    main()
