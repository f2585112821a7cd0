"""IonVolt against the published recipe: speed, memory and the same voltages, measured in one run on one thread.

``python benchmarks/run.py [--json] [--structures FOLDER] [--only NAME] [--repeats N]``

Both programs take turns, so that ratios hold on a busy machine; the times themselves are of this machine. The
crystals are the published Na set where it lies beside the repository (or in IONVOLT_SHARED_DATA), the CIFs of
``--structures``, or else generated textbook cells. "Flushed" means that numbers below 1e-38 count as zero on both
sides (see ``measurements.subnormals_flushed``): the recipe's Gaussians hold some, which slows its training. Ends with
status 1 if voltages differ by more than 1e-4 V.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from inputs import load
from measurements import MEASUREMENTS, Workbench, compile_seconds, stages, voltages
from timing import Comparison

TOLERANCE = 1e-4
OTHERS = ("voltages", "stages", "compile")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--write", action="store_true", help="write what was measured into benchmarks/README.md")
    parser.add_argument("--structures", type=Path, metavar="FOLDER", help="measure on the CIFs of this folder")
    parser.add_argument("--only", choices=[*OTHERS, *MEASUREMENTS], help="one measurement alone")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each program (default 5)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="pymatgen")
    torch.set_num_threads(1)
    names = [options.only] if options.only else [*OTHERS, *MEASUREMENTS]

    bench = Workbench(load(options.structures), options.repeats)
    sizes = [len(crystal) for crystal in bench.crystals]
    report: dict[str, object] = {
        "structures": f"{len(sizes)} {bench.inputs.origin}, {sum(sizes) / len(sizes):.0f} atoms on average",
        "torch": torch.__version__,
    }
    if "compile" in names:
        report["compile_s"] = compile_seconds()
    if "voltages" in names:
        report["voltages_v"] = voltages(bench)
    if "stages" in names:
        report["stages_ms"] = stages(bench)
    found: list[Comparison] = []
    for name, measure in MEASUREMENTS.items():
        if name in names:
            print(f"measuring: {name}", file=sys.stderr)
            found.append(measure(bench))
    report["comparisons"] = [asdict(c) | {"met": c.met} for c in found]

    text = _text(report, found)
    if options.write:
        page = Path(__file__).parent / "README.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("```text\n")
        page.write_text(f"{before}```text\n{text}\n```{rest.partition('```')[2]}", encoding="utf-8")
    print(json.dumps(report, indent=2) if options.json else text)
    differences = report.get("voltages_v", {})
    assert isinstance(differences, dict)
    worst = max(differences.get("difference_without_ties", 0.0), differences.get("difference_published_ties", 0.0))
    if worst > TOLERANCE:
        print(f"voltages differ by {worst:.2g} V, more than {TOLERANCE:g} V", file=sys.stderr)
        return 1
    return 0


def _text(report: dict[str, object], found: list[Comparison]) -> str:
    lines = [f"{report['structures']}; one thread, torch {report['torch']}"]
    if isinstance(v := report.get("voltages_v"), dict):
        lines += [
            "",
            f"voltages: at most {v['difference_without_ties']:.1e} V apart on {v['crystals_without_ties']} crystals "
            f"without neighbour ties, {v['difference_published_ties']:.1e} V on {v['crystals_with_ties']} with "
            f"published ties (limit {TOLERANCE:g} V); IonVolt's own choice among ties moves up to "
            f"{v['difference_own_ties']:.1e} V; the voltages spread by {v['standard_deviation']:.2f} V",
        ]
    if isinstance(c := report.get("compile_s"), dict):
        lines.append(
            f"compiling: {c['first']:.1f} s the first time, {c['later']:.1f} s from the cache; not in the times below"
        )
    if isinstance(s := report.get("stages_ms"), dict):
        parts = ", ".join(f"{name} {value:.3f}" for name, value in s.items())
        lines.append(f"IonVolt's own time, ms a crystal (check is part of read_text): {parts}")
    if found:
        lines += ["", f"{'':28} {'reference':>10} {'IonVolt':>10}  {'':13} {'ratio':>7} {'turns':>13} {'target':>7}"]
    for c in found:
        turns = f"{c.lowest:.1f}-{c.highest:.1f}"
        lines.append(
            f"{c.title:28} {c.reference:10.3f} {c.ours:10.3f}  {c.unit:13} {c.ratio:6.1f}x {turns:>13} "
            f"{c.target:6.0f}x  {'met' if c.met else 'missed'}"
        )
    lines += [f"{c.title}: {c.note}" for c in found if c.note]
    if any(c.name.endswith("-flushed") for c in found):
        lines.append("flushed: numbers below 1e-38 taken as zero on both sides, see measurements.subnormals_flushed")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
