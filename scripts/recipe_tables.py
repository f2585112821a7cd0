"""Write the tables of docs that rest on what a recipe has kept in its folder.

    python scripts/recipe_tables.py selection   mp2025.parquet -o runs/mlip   # choice of learners, docs/models.md
    python scripts/recipe_tables.py relaxed     mp2025.parquet -o runs/mlip   # relaxed ends, docs/models.md
    python scripts/recipe_tables.py discharged  mp2025.parquet                # cost of unrelaxed hosts, docs/models.md
    python scripts/recipe_tables.py leaderboard mp2025.parquet -o runs/mlip --learners runs/leaderboard

``ionvolt recipe evaluate mlip`` has to be done before, and ``ionvolt recipe run mlip --only relaxed`` for the second.
The tables stand between markers; no number in them is typed by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ionvolt.datasets import ElectrodeSet
from ionvolt.evaluation.metrics import metrics
from ionvolt.ions import WORKING_IONS
from ionvolt.models.registry import load_networks
from ionvolt.recipes.cgcnn.discharged_inputs import compare_inputs
from ionvolt.recipes.job import Job
from ionvolt.recipes.leaderboard import NEEDS, WORDS, Entry, as_it_is, on_potential, published, trained
from ionvolt.recipes.mlip.learner_selection import choices
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.recipes.mlip.relaxed import relaxed_test
from model_page import ROOT, write_between

MODELS = ROOT / "docs/models.md"
LEADERBOARD = ROOT / "docs/leaderboard.md"
PARTS = ("recipes", "shipped", "potential")
CASES = {
    "charged": "host alone",
    "composition": "host and discharged formula",
    "discharged": "discharged, ion removed",
    "both": "both ends",
}


def selection_table(recipe: MlipRecipe, job: Job) -> str:
    lines = [
        "| input | each learner alone, V | as shipped, V | chosen without the tested fold, V | what was chosen |",
        "|---|---|---|---|---|",
    ]
    found = {choice.case: choice for choice in choices(recipe.settings, recipe.data(job).voltages, job)}
    for case, words in CASES.items():
        choice = next(c for name, c in found.items() if name == case)
        alone = ", ".join(f"{name} {error:.3f}" for name, error in choice.alone.items())
        chosen = ", ".join(
            f"{' + '.join(names)} ({n} of {recipe.settings.n_folds})" for names, n in choice.chosen.items()
        )
        lines.append(f"| {words} | {alone} | {choice.shipped:.3f} | {choice.nested:.3f} | {chosen} |")
    return "\n".join(lines)


def relaxed_table(recipe: MlipRecipe, job: Job) -> str:
    table = recipe.table(job)
    test = relaxed_test(table, recipe.settings, job)
    if test is None:
        raise SystemExit(f"{job.folder}: no relaxed ends there. Run ionvolt recipe run mlip --only relaxed first")
    target, frameworks = table.data.voltages[test.rows], table.data.frameworks[test.rows]
    lines = ["| rows | n | " + " | ".join(test.voltages) + " |", "|---|---|" + "---|" * len(test.voltages)]
    everything = np.ones(len(test.rows), dtype=bool)
    for words, chosen in (("all", everything), ("labelled down to a host free of the ion", test.fully_extracted)):
        cells = []
        for voltages in test.voltages.values():
            have = chosen & np.isfinite(voltages)
            m = metrics(target[have], voltages[have], frameworks[have])
            fewer = f", n = {have.sum()}" if have.sum() < chosen.sum() else ""
            cells.append(f"{m.mae:.3f} ({m.mae_low:.3f}–{m.mae_high:.3f}{fewer})")
        lines.append(f"| {words} | {chosen.sum()} | " + " | ".join(cells) + " |")
    cost = f"median {test.seconds:.1f}, mean {test.mean_seconds:.1f}"
    return "\n".join([*lines, "", f"CPU seconds a structure: {cost}, on one core."])


def discharged_table(data: ElectrodeSet) -> str:
    lines = [
        "| ion | n | MAE from the charged host | from the discharged structure | mean difference |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {ion} | {e.n} | {e.charged:.2f} | {e.discharged:.2f} | {e.difference:.2f} |"
        for ion, e in compare_inputs(load_networks(), data).items()
    ]
    return "\n".join(lines)


def leaderboard_table(data: ElectrodeSet, entries: Sequence[Entry], before: str) -> str:
    """What was computed now, and those rows of the table before that were not."""
    lines = [
        "| model | needs | all ions | median | within 0.1 V | within 0.3 V | " + " | ".join(WORKING_IONS) + " | cost |",
        "|---|---|---|---|---|---|" + "---|" * (len(WORKING_IONS) + 1),
    ]
    rows = {cells[0]: cells for line in before.splitlines()[2:-1] if (cells := line.strip("| ").split(" | "))}
    for entry in entries:
        m, by_ion = entry.errors(data), entry.by_ion(data)
        words = entry.words + (f" ({entry.note})" if entry.note else "")
        cells = [words, entry.needs, f"{m.mae:.3f} ({m.mae_low:.3f}–{m.mae_high:.3f})"]
        cells += [f"{m.median:.2f}", f"{m.within_01:.0%}", f"{m.within_03:.0%}"]
        cells += [f"{by_ion[ion]:.2f}" if ion in by_ion else "–" for ion in WORKING_IONS]
        rows[words] = [*cells, entry.cost]
    needs = [str(words) for words in NEEDS]
    ordered = sorted(rows.values(), key=lambda cells: (needs.index(cells[1]), -float(cells[2].split()[0])))
    lines += [f"| {' | '.join(cells)} |" for cells in ordered]
    counts = " | ".join(str(int((data.ions == ion).sum())) for ion in WORKING_IONS)
    lines.append(f"| *electrodes* | | *{len(data)}* | | | | {counts} | |")
    return "\n".join(lines)


def leaderboard(recipe: MlipRecipe, job: Job, arguments: argparse.Namespace) -> str:
    data, entries = recipe.data(job), list[Entry]()
    if "recipes" in arguments.parts:
        entries += trained(data, job.data, arguments.learners, arguments.models, recipe.settings, job.progress)
    if "shipped" in arguments.parts:
        entries += [*published(data, arguments.published), as_it_is(data)]
    if "potential" in arguments.parts:
        entries += on_potential(recipe, job)
    before = LEADERBOARD.read_text(encoding="utf-8").partition("<!-- leaderboard -->\n")[2].partition("\n<!-- end")[0]
    return leaderboard_table(data, entries, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=["selection", "relaxed", "discharged", "leaderboard"])
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/mlip"), help="folder of the recipe mlip")
    parser.add_argument("--learners", type=Path, default=Path("runs/leaderboard"), help="keeps what is trained")
    parser.add_argument("--published", type=Path, default=Path("runs/published"), help="converted checkpoints")
    parser.add_argument("--models", nargs="*", default=list(WORDS), help="learners to train; what is done is kept")
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS, help="rows to renew; others stay")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recipe = MlipRecipe()
    job = Job(arguments.data, arguments.output, progress=lambda done, total, words: print(words, file=sys.stderr))
    if arguments.table == "selection":
        path, text = MODELS, selection_table(recipe, job)
    elif arguments.table == "relaxed":
        path, text = MODELS, relaxed_table(recipe, job)
    elif arguments.table == "discharged":
        path, text = MODELS, discharged_table(recipe.data(job))
    else:
        path, text = LEADERBOARD, leaderboard(recipe, job, arguments)
    write_between(path, arguments.table, text)
    print(text)


if __name__ == "__main__":
    main()
