"""Fit the models of measured voltages, and write what they are worth into docs/measured.md.

    python scripts/measured_model.py fit
    python scripts/measured_model.py kept-back
    python scripts/measured_model.py fit --way host
    python scripts/measured_model.py page

``fit`` writes weights and cards, errors by leave-one-framework-out in the cards, and the tables between the markers of
the page: no number in them is typed by hand. ``page`` writes only these. ``kept-back`` writes the table of rows that
no choice has seen.
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
from ionvolt.models.measured.estimate import FAMILY, FOLDERS, Way, load_measured, save_measured
from ionvolt.models.measured.regression import named
from ionvolt.models.registry import SHIPPED
from model_page import ROOT, write_between

PAGE = ROOT / "docs" / "measured.md"
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
        "within_0.1": round(float((off <= 0.1 + 1e-9).mean()), 3),
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
    found["layered oxides over the whole range"] = [h for h in whole if h.point.electrode.chemistry.fully_extracted]
    found["the same over the measured part"] = [h for h in held if h.point.part]
    return {name: group for name, group in found.items() if group}


WORDS: dict[Way, str] = {
    "ends with r2SCAN": "Both end members, energies of two functionals.",
    "ends": "Both end members, energies of PBE+U alone.",
    "discharged": "What predict answers from the discharged structure.",
    "host": "What predict answers from the host alone.",
}


def held_out(way: Way, *, recalled: bool = True) -> list[HeldOut]:
    judged = [p for p in points(way) if p.cathode.trains]
    return leave_one_framework_out(judged, training_points(way, recalled=recalled))


def write_models(ways: Sequence[Way]) -> None:
    for way in ways:
        name = FOLDERS[way]
        training = training_points(way)
        model, chosen = fit_measured(training)
        figures = {group: errors(part) for group, part in groups(held_out(way)).items()}
        without = {group: errors(part) for group, part in groups(held_out(way, recalled=False)).items()}
        ions = Counter(p.cathode.ion for p in training if not p.part)
        card = ModelCard(
            name=f"{FAMILY}/{name}",
            kind="measured",
            ions=list(ions),
            description="What a cell with the ion's metal is expected to show: the calculated voltage, moved by what "
            f"{sum(ions.values())} measured electrodes teach about its errors. {WORDS[way]}",
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
        save_measured(type(model)(**{**vars(model), "card": card}), SHIPPED / FAMILY / name)
        print(name, chosen, figures["all"], flush=True)


def table(figures: dict[str, dict[str, float | int]]) -> str:
    lines = [
        "| electrodes | n | calculated | expected | median | within 0.1 V | in the 90 % interval | mean width (V) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {group} | {f['n']} | {f['mae_calculated']:.2f} | **{f['mae']:.2f}** | {f['median']:.2f} | "
        f"{f['within_0.1']:.0%} | {f['coverage_90']:.0%} | {f['mean_width']:.2f} |"
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


def write_page() -> None:
    load_measured.cache_clear()
    cards = {way: load_measured(way).card for way in FOLDERS}
    write_between(PAGE, "errors", table(figures_of(cards["ends with r2SCAN"], TEST)))
    ways, memory = {}, {}
    for way, card in cards.items():
        figures, without = figures_of(card, TEST), figures_of(card, TEST_WITHOUT)
        for group in ("all", "rows that count", "multivalent", "monovalent"):
            ways[f"{way}: {group}"] = figures[group]
        for group in ("all", "not from memory"):
            memory[f"{way}: {group}"] = figures[group]
            memory[f"{way}, learned without rows from memory: {group}"] = without[group]
    write_between(PAGE, "ways", table(ways))
    write_between(PAGE, "variants", table(memory))
    write_between(PAGE, "rows", rows(held_out("ends with r2SCAN")))
    weights = named(load_measured().regression)
    lines = ["| weight | value |", "|---|---|"]
    lines += [f"| {name} | {value:+.2f} |" for name, value in weights.items() if abs(value) >= 0.01]
    write_between(PAGE, "weights", "\n".join(lines))


def write_kept_back() -> None:
    figures, told = {}, ""
    for way in FOLDERS:
        found = [p for p in points(way) if p.cathode.kept_back and not p.part]
        held = leave_one_framework_out(found, training_points(way))
        known = {p.framework for p in training_points(way)}
        new = [h for h in held if h.point.framework not in known]
        figures[f"{way}: framework left out"] = errors(held)
        figures[f"{way}: of these in no trained framework"] = errors(new)
        figures[f"{way}: multivalent"] = errors([h for h in held if h.point.cathode.multivalent])
        figures[f"{way}: by the shipped model"] = errors(
            [HeldOut(p, load_measured(way).estimate(p.electrode), "") for p in found]
        )
        told = told or rows(held)
    text = f"{table(figures)}\n\n{told}"
    write_between(PAGE, "kept back", text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fit", "page", "kept-back"))
    parser.add_argument("--way", choices=tuple(FOLDERS), help="fit only this one")
    asked = parser.parse_args()
    if asked.what == "kept-back":
        write_kept_back()
        return
    if asked.what == "fit":
        write_models([asked.way] if asked.way else list(FOLDERS))
    write_page()


if __name__ == "__main__":
    main()
