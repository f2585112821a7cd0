"""Which learners, or means of them, win when they are chosen without the fold that tests them: into docs/models.md.

    python scripts/learner_selection.py runs/mp2025.parquet -o runs/foundation

For each outer fold of ``foundation_models.py evaluate`` the subset of learners with the least error on the other folds
(held out by whole frameworks, too) is taken and tested on the outer fold.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
from foundation_models import N_FOLDS, answers, candidates

from ionvolt.datasets import clean, read_dataset
from ionvolt.models.uncertainty.domain import ensemble_mean
from model_page import ROOT, write_between

CASES = (
    ("host", "host.", "host alone", ("networks", "kernel on crystals", "kernel on atoms")),
    ("host", "composition.", "host and discharged formula", ("networks", "kernel on crystals", "kernel on atoms")),
    ("discharged", "", "discharged, ion removed", ("networks", "kernel on atoms")),
    ("both", "", "both ends", ("networks", "kernel on atoms")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/foundation"))
    arguments = parser.parse_args()
    target = clean(read_dataset(arguments.data), ["abs7"])[0].voltages
    lines = ["| input | each learner alone, V | as shipped, V | chosen without the tested fold, V | what was chosen |",
             "|---|---|---|---|---|"]  # fmt: skip
    for part, prefix, words, names in CASES:
        folds = []
        for fold in range(N_FOLDS):
            with np.load(arguments.output / f"{part}-framework-1-{fold}.npz") as content:
                found = dict(content)
            learners = candidates(found, part, prefix)
            alone = np.array([learners[0].mean(0), *learners[1:]])
            folds.append((alone, target[found["rows"]], ensemble_mean(*answers(found, part, prefix))))
        subsets = [s for size in range(1, len(names) + 1) for s in combinations(range(len(names)), size)]
        # Sums of absolute errors, shape (folds, subsets).
        sums = np.array([[np.abs(alone[list(s)].mean(0) - y).sum() for s in subsets] for alone, y, _ in folds])
        n = sum(len(y) for _, y, _ in folds)
        chosen = [int(np.argmin(np.delete(sums, fold, axis=0).sum(0))) for fold in range(N_FOLDS)]
        nested = sum(sums[fold, choice] for fold, choice in enumerate(chosen)) / n
        singles = ", ".join(f"{name} {sums[:, i].sum() / n:.3f}" for i, name in enumerate(names))
        whole = sum(np.abs(mean - y).sum() for _, y, mean in folds) / n
        picked = ", ".join(
            f"{' + '.join(names[i] for i in subsets[choice])} ({count} of {N_FOLDS})"
            for choice, count in Counter(chosen).most_common()
        )
        lines.append(f"| {words} | {singles} | {whole:.3f} | {nested:.3f} | {picked} |")
    write_between(ROOT / "docs/models.md", "selection", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
