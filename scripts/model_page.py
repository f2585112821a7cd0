"""Write what the shipped model's card says about its errors into the README and docs/models.md, and draw the figure.

    python scripts/model_page.py [--results runs/shipped]

The tables stand between markers in both files; no number in them is typed by hand. The figure needs the held-out
predictions that ``shipped_models.py evaluate`` leaves in its results folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ionvolt.electrode import WORKING_IONS
from ionvolt.models.registry import PAPER_MODEL, shipped_models

ROOT = Path(__file__).parent.parent
PAPER = {"Li": 0.32, "Mg": 0.45, "Ca": 0.40, "Zn": 0.47, "Al": 0.68, "Na": 0.50, "K": 0.65}
KINDS = {"paper/random": "random", "paper/framework": "framework", "none/random": "random, untrimmed",
         "none/framework": "framework, untrimmed"}  # fmt: skip


def mae(entry: dict[str, Any] | None, model: str, *, interval: bool = False) -> str:
    if not entry or model not in entry:
        return "–"
    m = entry[model]
    text = f"{m['mae']:.2f}"
    return f"{text} ({m['mae_low']:.2f}–{m['mae_high']:.2f})" if interval else text


def best(ion: str) -> str:
    return "network" if ion == "Li" else "transfer"


def short_table(ions: dict[str, Any]) -> str:
    lines = [
        "| ion | electrodes | random split | framework split | framework split, untrimmed | mean predictor | "
        "Li model as it is | paper (validation) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        e = ions[ion]["errors"]
        random, framework = e.get("paper/random"), e.get("paper/framework")
        lines.append(
            f"| {ion} | {ions[ion]['n_rows']} | **{mae(random, best(ion), interval=True)}** | "
            f"{mae(framework, best(ion), interval=True)} | {mae(e.get('none/framework'), best(ion), interval=True)} | "
            f"{mae(random, 'mean')} | {mae(random, 'li_model')} | {PAPER.get(ion, '–')} |"
        )
    return "\n".join(lines)


def long_table(ions: dict[str, Any]) -> str:
    lines = [
        "| ion | split | n train | n test × splits | transfer (Li: network) | from scratch | fine-tuned | Li model | "
        "mean | RMSE | bias | by split |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        for key, words in KINDS.items():
            e = ions[ion]["errors"].get(key)
            if e:
                m = e[best(ion)]
                lines.append(
                    f"| {ion} | {words} | {e['n_train']} | {e['n_test']:.0f} × {e['splits']} | "
                    f"{mae(e, best(ion), interval=True)} | {mae(e, 'scratch')} | {mae(e, 'fine_tuned')} | "
                    f"{mae(e, 'li_model')} | {mae(e, 'mean')} | {m['rmse']:.2f} | {m['bias']:+.2f} | "
                    f"{' '.join(f'{v:.2f}' for v in m['mae_by_split'])} |"
                )
    return "\n".join(lines)


def local_table(ions: dict[str, Any]) -> str:
    lines = [
        "| ion | additive: from the voltage, at most | linear, ensemble: from the voltage, mean | "
        "linear, one member: from its head | from the label |",
        "|---|---|---|---|---|",
    ]
    for ion in WORKING_IONS:
        facts = ions[ion]["local_voltages"]
        lines.append(
            f"| {ion} | {facts['additive_max_error_V']:.0e} | {facts['ensemble_mae_to_voltage_V']:.2f} | "
            f"{facts['mae_to_head_V']:.2f} | {facts['mae_to_label_V']:.2f} |"
        )
    return "\n".join(lines)


def write_between(path: Path, name: str, text: str) -> None:
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    content = path.read_text(encoding="utf-8")
    before, _, rest = content.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path}: the markers {start} and {end} are missing. Put them where the table belongs")
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def figure(results: Path, path: Path) -> None:
    """Held-out predictions against calculated voltages, ion by ion, over the random splits."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    records = [json.loads(file.read_text()) for file in sorted(results.glob("paper-random-*.json"))]
    framework = [json.loads(file.read_text()) for file in sorted(results.glob("paper-framework-*.json"))]
    fig, axes = plt.subplots(2, 5, figsize=(12.5, 5.4), sharex=True, sharey=True, layout="constrained")
    for axis, ion in zip(axes.flat, WORKING_IONS, strict=True):
        for found, colour, label in ((framework, "#c9c9c9", "framework"), (records, "#1f6f8b", "random")):
            rows = [r[ion] for r in found if ion in r]
            if rows:
                target = np.concatenate([r["target"] for r in rows])
                predicted = np.concatenate([r[best(ion)] for r in rows])
                error = np.abs(predicted - target).mean()
                axis.scatter(
                    target, predicted, s=7, color=colour, alpha=0.6, lw=0, label=f"{label}: {error:.2f} V",
                )  # fmt: skip
        axis.plot([-1, 7], [-1, 7], color="black", lw=0.8, ls=":")
        axis.set_title(ion, loc="left", fontweight="bold")
        axis.legend(fontsize=8, loc="upper left", handletextpad=0.1, frameon=False)
        axis.set_xlim(-0.5, 6.5)
        axis.set_ylim(-0.5, 6.5)
        axis.set_aspect("equal")
    fig.supxlabel("voltage calculated by the Materials Project (V)")
    fig.supylabel("predicted for hosts held out (V)")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("runs/shipped"))
    results: Path = parser.parse_args().results
    ions = shipped_models()[PAPER_MODEL].ions
    write_between(ROOT / "README.md", "accuracy", short_table(ions))
    write_between(ROOT / "docs/models.md", "errors", long_table(ions))
    write_between(ROOT / "docs/models.md", "local voltages", local_table(ions))
    if results.is_dir():
        figure(results, ROOT / "docs/images/held-out.png")


if __name__ == "__main__":
    main()
