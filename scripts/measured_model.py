"""Fit the models of measured voltages, and write what they are worth into docs/measured.md.

    python scripts/measured_model.py fit
    python scripts/measured_model.py kept-back

``fit`` writes weights and cards, errors by leave-one-framework-out in the cards, and the tables between the markers of
the page: no number in them is typed by hand. ``kept-back`` writes the table of the rows that no choice has seen.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ionvolt.experiment.expected import (
    CANDIDATES,
    HeldOut,
    fit_measured,
    leave_one_framework_out,
    points,
    training_points,
)
from ionvolt.models.card import ModelCard, Record
from ionvolt.models.measured.estimate import FAMILY, load_measured, save_measured
from ionvolt.models.measured.regression import named
from ionvolt.models.registry import SHIPPED
from model_page import ROOT, write_between

PAGE = ROOT / "docs" / "measured.md"
FOLDERS = {True: "with-gap", False: "without-gap"}
TEST = "leave one framework out"
TEST_WITHOUT = "leave one framework out without recalled rows"
MULTIVALENT = ("Mg", "Ca", "Zn", "Al")


def errors(held: Sequence[HeldOut]) -> dict[str, float | int]:
    """Figures of some held-out answers, V."""
    measured = np.array([h.point.cathode.voltage for h in held], dtype=float)
    expected = np.array([h.estimate.voltage for h in held])
    calculated = np.array([h.point.electrode.calculated for h in held])
    lower, upper = (np.array([getattr(h.estimate, end) for h in held]) for end in ("lower", "upper"))
    off = np.abs(expected - measured)
    return {
        "n": len(held),
        "mae_calculated": round(float(np.abs(calculated - measured).mean()), 3),
        "mae": round(float(off.mean()), 3),
        "median": round(float(np.median(off)), 3),
        "bias": round(float((expected - measured).mean()), 3),
        "coverage_90": round(float(((lower <= measured) & (measured <= upper)).mean()), 3),
        "mean_width": round(float((upper - lower).mean()), 3),
        "out_of_domain": sum(not h.estimate.in_domain for h in held),
    }


def groups(held: Sequence[HeldOut]) -> dict[str, list[HeldOut]]:
    """Held-out answers by what they have in common; those over a part of the range stand alone."""
    whole = [h for h in held if not h.point.part]
    found = {
        "all": whole,
        "rows that count": [h for h in whole if h.point.cathode.use],
        "not from memory": [h for h in whole if h.point.cathode.checked != "recalled"],
        "from memory": [h for h in whole if h.point.cathode.checked == "recalled"],
        "multivalent": [h for h in whole if h.point.cathode.multivalent],
        "multivalent that count": [h for h in whole if h.point.cathode.multivalent and h.point.cathode.use],
        "monovalent": [h for h in whole if not h.point.cathode.multivalent],
    }
    for ion in ("Li", "Na", "K", *MULTIVALENT):
        found[ion] = [h for h in whole if h.point.cathode.ion == ion]
    for anion in ("oxide", "polyanion", "chalcogenide", "cyanide", "fluoride"):
        found[anion] = [h for h in whole if h.point.electrode.chemistry.anion == anion]
    found["layered oxides over the whole range"] = [h for h in whole if h.point.electrode.chemistry.emptied]
    found["the same over the measured part"] = [h for h in held if h.point.part]
    return {name: group for name, group in found.items() if group}


def held_out(*, gap: bool = True, recalled: bool = True) -> list[HeldOut]:
    judged = [p for p in points(gap=gap) if p.cathode.trains]
    return leave_one_framework_out(judged, training_points(gap=gap, recalled=recalled))


def write_models() -> None:
    every: list[HeldOut] = []
    for gap, name in FOLDERS.items():
        training = training_points(gap=gap)
        model, chosen = fit_measured(training)
        held = held_out(gap=gap)
        every = held if gap else every
        figures = {group: errors(part) for group, part in groups(held).items()}
        without = {group: errors(part) for group, part in groups(held_out(gap=gap, recalled=False)).items()}
        ions = Counter(p.cathode.ion for p in training if not p.part)
        card = ModelCard(
            name=f"{FAMILY}/{name}",
            kind="measured",
            ions=list(ions),
            description="What a cell with the ion's metal is expected to show: the calculated voltage, moved by what "
            f"{sum(ions.values())} measured electrodes teach about the errors of PBE+U."
            + (" Uses the difference between r2SCAN and PBE+U." if gap else ""),
            training={
                "chosen": chosen,
                "candidates": list(CANDIDATES),
                "weights": {k: round(v, 3) for k, v in named(model.regression).items() if abs(v) >= 0.0005},
                "cathodes": [p.cathode.name for p in training if not p.part],
                "ions": {ion: {"n_rows": n} for ion, n in ions.items()},
            },
            evaluation=[
                Record(test, subset="" if group == "all" else group, values=values)
                for test, found in ((TEST, figures), (TEST_WITHOUT, without))
                for group, values in found.items()
            ],
            limits=[
                "An equilibrium voltage: no kinetics, no polarisation, no co-insertion of solvent or protons.",
                "Few electrodes: of many classes there are one or two.",
                "A third of the measured voltages were entered from memory; the table marks them.",
            ],
            attribution="Measured voltages from the literature, see experiment/cathodes.csv; energies by SevenNet.",
        )
        model = type(model)(**{**vars(model), "card": card})
        save_measured(model, SHIPPED / FAMILY / name)
        print(name, chosen, figures["all"], flush=True)
    write_page(every)


def table(figures: dict[str, dict[str, float | int]]) -> str:
    lines = [
        "| electrodes | n | calculated | expected | median | in the 90 % interval | mean width (V) |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {group} | {f['n']} | {f['mae_calculated']:.2f} | **{f['mae']:.2f}** | {f['median']:.2f} | "
        f"{f['coverage_90']:.0%} | {f['mean_width']:.2f} |"
        for group, f in figures.items()
    ]
    return "\n".join(lines)


def rows(held: Sequence[HeldOut]) -> str:
    lines = [
        "| electrode | known from | measured | calculated | gap | expected (90 %) | error |",
        "|---|---|---|---|---|---|---|",
    ]
    for h in held:
        c, e = h.point.cathode, h.estimate
        name = c.name + (", over the measured part" if h.point.part else "") + ("" if e.in_domain else " †")
        gap = "–" if e.gap is None else f"{e.gap:+.2f}"
        lines.append(
            f"| {name} | {c.checked} | {c.voltage:.2f} ± {c.uncertainty:.2f} | {e.calculated:.2f} | {gap} | "
            f"{e.voltage:.2f} ({e.lower:.2f} to {e.upper:.2f}) | {e.voltage - (c.voltage or 0):+.2f} |"
        )
    return "\n".join(lines)


def figures_of(card: ModelCard, test: str) -> dict[str, dict[str, Any]]:
    """By group of electrodes, as the card has them."""
    return {record.subset or "all": dict(record.values) for record in card.evaluation if record.test == test}


def write_page(held: Sequence[HeldOut]) -> None:
    cards = [load_measured(gap).card for gap in (True, False)]
    write_between(PAGE, "errors", table(figures_of(cards[0], TEST)))
    others = {}
    for card, name in zip(cards, ("both functionals", "without r2SCAN"), strict=True):
        figures, without = figures_of(card, TEST), figures_of(card, TEST_WITHOUT)
        for group in ("all", "rows that count", "not from memory"):
            others[f"{name}: {group}"] = figures[group]
            others[f"{name}, learned without rows from memory: {group}"] = without[group]
    write_between(PAGE, "variants", table(others))
    write_between(PAGE, "rows", rows(held))
    weights = named(load_measured().regression)
    lines = ["| weight | value |", "|---|---|"]
    lines += [f"| {name} | {value:+.2f} |" for name, value in weights.items() if abs(value) >= 0.01]
    write_between(PAGE, "weights", "\n".join(lines))


def write_kept_back() -> None:
    found = [p for p in points() if p.cathode.kept_back and not p.part]
    held = leave_one_framework_out(found, training_points())
    shipped = [HeldOut(p, load_measured().estimate(p.electrode), "") for p in found]
    known = {p.framework for p in training_points()}
    new = [h for h in held if h.point.framework not in known]
    figures = {
        "framework left out": errors(held),
        "of these in no trained framework": errors(new),
        "multivalent": errors([h for h in held if h.point.cathode.multivalent]),
        "by the shipped model": errors(shipped),
    }
    text = f"{table(figures)}\n\n{rows(held)}"
    write_between(PAGE, "kept back", text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "kept-back"))
    {"fit": write_models, "kept-back": write_kept_back}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
