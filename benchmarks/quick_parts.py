"""What each part of the quick model adds: errors on framework folds 0 and 1 of seed 0, by which it was chosen.

    python benchmarks/quick_parts.py mp2025.parquet

Figures of the whole model come from folds of seed 1 (docs/leaderboard.md).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from ionvolt.datasets import clean, read_dataset
from ionvolt.datasets.splits import framework_folds
from ionvolt.descriptors.host import HOST_FEATURES
from ionvolt.descriptors.ion_site import ION_SITE_FEATURES
from ionvolt.descriptors.redox import REDOX_FEATURES
from ionvolt.evaluation.metrics import share_within
from ionvolt.recipes.quick.held_out import feature_rows
from ionvolt.recipes.quick.settings import QuickSettings
from ionvolt.training.classical.fit import fit_classical
from ionvolt.training.laplacian import fit_laplacian
from ionvolt.typing import Array

SETTINGS = QuickSettings()
SEED, FOLDS = 0, (0, 1)
PARTS = {
    "composition and sites, Gaussian kernel": "gaussian",
    "the same, Laplacian kernel": "plain",
    "with redox couples": "redox",
    "with redox couples and the ion's place": "all",
}


def columns(part: str) -> Array:
    """1 for the features that take part, else 0."""
    n_host, n_redox, n_site = len(HOST_FEATURES), len(REDOX_FEATURES), len(ION_SITE_FEATURES)
    kept = np.ones(n_host + n_site)
    if part != "all":
        kept[n_host:] = 0
    if part in ("gaussian", "plain"):
        kept[n_host - n_redox :] = 0
    return kept


def main() -> None:
    data = clean(read_dataset(Path(sys.argv[1])), list(SETTINGS.clean))[0]
    rows = feature_rows(data)
    machines = {
        "all": SETTINGS.machine,
        "redox": replace(SETTINGS.machine, site=0.0),
        "plain": replace(SETTINGS.machine, redox=0.0, site=0.0),
    }
    print("| features | MAE, V | median | within 0.1 V |\n|---|---|---|---|")
    for words, part in PARTS.items():
        used = rows.copy()
        n = len(HOST_FEATURES) + len(ION_SITE_FEATURES)
        used[:, :n] *= columns(part)
        errors = []
        for fold in FOLDS:
            test = framework_folds(data, SETTINGS.n_folds, SEED)[fold]
            train = np.setdiff1d(np.arange(len(data)), test)
            if part == "gaussian":
                some = used[:, used.std(0) > 0]
                fit = fit_classical("svr", some[train], data.voltages[train], groups=data.frameworks[train])
                answers = fit.predictor.predict(some[test])
            else:
                machine = fit_laplacian(used[train], data.voltages[train], machines[part])
                answers = machine.predict(used[test])
            errors.append(np.abs(answers - data.voltages[test]))
        off = np.concatenate(errors)
        print(f"| {words} | {off.mean():.3f} | {np.median(off):.2f} | {share_within(off, 0.1):.0%} |", flush=True)


if __name__ == "__main__":
    main()
