"""Write what the models of measured voltages are worth into docs/measured.md.

    ionvolt recipe release measured src/ionvolt/experiment -o runs/measured
    python scripts/measured_model.py page
    python scripts/measured_model.py kept-back

``page`` writes the tables between the markers of the page from the cards: no number in them is typed by hand.
``kept-back`` writes the table of rows that no choice has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ionvolt.experiment.expected import HeldOut, leave_one_framework_out, points, that_train, training_points
from ionvolt.models.card import ModelCard
from ionvolt.models.measured.estimate import FOLDERS, load_measured
from ionvolt.models.measured.regression import named
from ionvolt.recipes.measured.recipe import TEST, TEST_WITHOUT
from ionvolt.recipes.measured.report import errors
from model_page import ROOT, write_between

PAGE = ROOT / "docs" / "measured.md"


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
    write_between(PAGE, "rows", rows(leave_one_framework_out(that_train(points()), training_points())))
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
    parser.add_argument("what", choices=("page", "kept-back"))
    asked = parser.parse_args()
    if asked.what == "kept-back":
        write_kept_back()
    else:
        write_page()


if __name__ == "__main__":
    main()
