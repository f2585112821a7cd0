"""Write what ``ionvolt reproduce`` found into docs/reproduce.md, and its main figures beside it.

    ionvolt reproduce runs/mp2020.parquet -o runs/report
    python scripts/reproduce_page.py runs/report

The tables stand between markers; no number in them is typed by hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from PIL import Image

from model_page import ROOT, write_between

PAGE = ROOT / "docs" / "reproduce.md"
MAIN = ("fig-2", "fig-3", "fig-4")
COLOURS = 256


def run(found: dict[str, Any]) -> str:
    counts, added = found["claims"], found["added"]
    minutes = sum(found["seconds"].values()) / 60
    lines = [
        f"From {found['data']}: {found['electrodes']:,} electrodes, {found['kept']:,} after the paper's trimming; "
        f"{found['in_words']}; {minutes:.0f} minutes.",
        "",
        f"Of the paper's claims {counts['yes']} hold, {counts['in part']} hold in part, {counts['no']} do not and "
        f"{counts['not tested']} could not be tested; of the comparisons added here, in which the transfer model meets "
        f"models trained on the ion itself, it wins {added['yes']}, {added['in part']} are open and it loses "
        f"{added['no']}.",
    ]
    if found["quick"]:
        lines.insert(0, "**A quick run: its errors are not comparable with the paper's.**\n")
    return "\n".join(lines)


def claims(found: dict[str, Any]) -> str:
    lines = ["| | claim | paper | here | holds |", "|---|---|---|---|---|"]
    for exhibit in found["exhibits"]:
        label = exhibit["title"].split(":")[0]
        for claim in exhibit["claims"]:
            words = claim["words"] + (" (added)" if claim["added"] else "")
            lines.append(
                f"| {label} | {words} | {claim['paper'] or '–'} | {claim['here'] or '–'} | **{claim['holds']}** |"
            )
            label = ""
    return "\n".join(lines)


def figures(found: dict[str, Any], report: Path) -> str:
    lines = []
    for exhibit in found["exhibits"]:
        if not exhibit["name"].startswith(MAIN):
            continue
        for name in exhibit["figures"][:1]:
            target = PAGE.parent / "images" / f"reproduce-{name}.png"
            with Image.open(report / "figures" / f"{name}.png") as image:
                image.convert("RGB").quantize(COLOURS).save(target, optimize=True)
            lines += [f"### {exhibit['title']}", "", f"![{exhibit['title']}](images/{target.name})", ""]
        lines += [f"{exhibit['caption']}", ""]
        lines += [f"- **{c['holds']}** – {c['words']}: {c['sentence']}" for c in exhibit["claims"]]
        lines.append("")
    return "\n".join(lines).rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    report = parser.parse_args().report
    found = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    write_between(PAGE, "run", run(found))
    write_between(PAGE, "claims", claims(found))
    write_between(PAGE, "figures", figures(found, report))


if __name__ == "__main__":
    main()
