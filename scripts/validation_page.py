"""Write what ``ionvolt validate`` found into docs/validation.md, and its figure beside it.

    ionvolt validate --model all --physics --expected -o runs/validation
    python scripts/validation_page.py runs/validation

The tables stand between markers; no number in them is typed by hand.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from ionvolt.experiment.cathodes import all_cathodes
from ionvolt.experiment.expected import EXPECTED
from ionvolt.experiment.validate import KEPT_BACK, NEW
from ionvolt.models.registry import PAPER_MODEL
from model_page import ROOT, write_between

PAGE = ROOT / "docs" / "validation.md"


def counts() -> str:
    rows = all_cathodes()
    lines = [
        "| ion | count | of these seen in the source | in another paper | textbook | kept apart |",
        "|---|---|---|---|---|---|",
    ]
    for ion in dict.fromkeys(c.ion for c in rows):
        usable = [c for c in rows if c.ion == ion and c.use]
        checked = Counter(c.checked for c in usable)
        apart = sum(c.ion == ion and not c.use for c in rows)
        seen = " | ".join(str(checked[how]) for how in ("source", "review", "textbook"))
        lines.append(f"| {ion} | **{len(usable)}** | {seen} | {apart} |")
    return "\n".join(lines)


def asked(found: dict[str, Any]) -> list[str]:
    """The models of calculated voltages; what cells are expected to show stands in a table of its own."""
    others = {"calculated", *(name for name, _ in EXPECTED.values())}
    return [model for model in dict.fromkeys(e["model"] for e in found["estimates"]) if model not in others]


def voltages(found: dict[str, Any]) -> str:
    models = [*asked(found), EXPECTED["ends with r2SCAN"][0]]
    by_key = {(e["model"], e["cathode"]): e for e in found["estimates"]}
    lines = [f"| cathode | measured | {' | '.join(models)} |", "|---|---|" + "---|" * len(models)]
    for cathode in found["cathodes"]:
        cells = []
        for model in models:
            e = by_key.get((model, cathode["name"]))
            known = e is not None and e["voltage"] is not None
            cells.append(f"{e['voltage']:.2f}{'*' if e['seen'] else ''}" if e is not None and known else "–")
        measured = f"{cathode['voltage']:.2f} ± {cathode['uncertainty']:.2f}"
        lines.append(f"| {cathode['name']} | {measured} | {' | '.join(cells)} |")
    return "\n".join(lines)


def errors(found: dict[str, Any]) -> str:
    models = asked(found)
    groups = list(dict.fromkeys(s["group"] for s in found["scores"] if s["group"] != KEPT_BACK))
    by_key = {(s["model"], s["group"]): s for s in found["scores"]}
    lines = [f"| cathodes | n | {' | '.join(models)} |", "|---|---|" + "---|" * len(models)]
    for group in groups:
        n = max(s["n"] for s in found["scores"] if s["group"] == group and s["model"] in models)
        cells = [error(by_key.get((model, group)), n) for model in models]
        lines.append(f"| {group} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def expectations(found: dict[str, Any]) -> str:
    """What cells are expected to show: errors, coverage and width by group, for each way of knowing the electrode."""
    names = {"calculated": "calculated", **dict(EXPECTED.values())}
    by_key = {(s["model"], s["group"]): s for s in found["scores"]}
    groups = list(dict.fromkeys(s["group"] for s in found["scores"] if s["model"] in names and s["group"] != NEW))
    heads = ["both ends" if state == "both" else f"{state} alone" for state in list(names.values())[1:]]
    lines = [
        f"| cathodes | n | calculated | {' | '.join(f'from {head} | in the interval | width' for head in heads)} |",
        "|---|---|---|" + "---|---|---|" * len(heads),
    ]
    for group in groups:
        n = max(s["n"] for (model, name), s in by_key.items() if name == group and model in names)
        cells = [error(by_key.get(("calculated", group)), n)]
        for name in list(names)[1:]:
            score = by_key.get((name, group))
            cells.append("–" if score is None else f"**{score['mae']:.2f}**, median {score['median']:.2f}")
            if score is not None and score["n"] != n:
                cells[-1] += f", n = {score['n']}"
            cells.append("–" if score is None or score["covered"] is None else f"{score['covered']:.0%}")
            cells.append("–" if score is None or score["width"] is None else f"{score['width']:.2f}")
        lines.append(f"| {group} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def error(score: dict[str, Any] | None, n: int) -> str:
    if score is None:
        return "–"
    text = f"{score['mae']:.2f}"
    if score["mae_low"] is not None:
        text += f" ({score['mae_low']:.2f}–{score['mae_high']:.2f})"
    return text if score["n"] == n else f"{text}, n = {score['n']}"


def in_words(found: dict[str, Any]) -> str:
    """The whole of it in a sentence, for docs/accuracy.md."""
    whole, multivalent = ({s["model"]: s for s in found["scores"] if s["group"] == g} for g in ("all", "multivalent"))
    names = {
        "auto": "the default answer of `predict`, on textbook cells as they are, told what is known of each",
        PAPER_MODEL: "the paper's network",
        "physics": "the potential's energies of relaxed ends",
        "compute": "`ionvolt compute`, which relaxes both ends and corrects",
    }
    parts = [f"{words} {error(whole[name], whole[name]['n'])} V" for name, words in names.items() if name in whole]
    n = max(score["n"] for score in whole.values())
    default, paper = (f"{multivalent[name]['mae']:.2f} V" for name in ("auto", PAPER_MODEL))
    return (
        f"Mean absolute error on the {n} that count: {'; '.join(parts)}. On the "
        f"{multivalent['auto']['n']} multivalent ones the default answer is off by {default}, the paper's network by "
        f"{paper}."
    )


def apart() -> str:
    lines = ["| cathode | measured | why it does not count |", "|---|---|---|"]
    for c in all_cathodes():
        if not c.use:
            measured = "–" if c.voltage is None else f"{c.voltage:.2f}"
            lines.append(f"| {c.name} | {measured} | {c.note} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what ionvolt validate wrote")
    folder = parser.parse_args().folder
    found = json.loads((folder / "validation.json").read_text(encoding="utf-8"))
    write_between(PAGE, "counts", counts())
    write_between(PAGE, "errors", errors(found))
    write_between(PAGE, "expected", expectations(found))
    write_between(PAGE, "voltages", voltages(found))
    write_between(PAGE, "apart", apart())
    write_between(ROOT / "docs/accuracy.md", "cathodes", in_words(found))
    shutil.copy(folder / "validation.png", ROOT / "docs" / "images" / "validation.png")


if __name__ == "__main__":
    main()
