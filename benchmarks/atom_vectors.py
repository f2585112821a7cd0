"""Whose atom vectors should the learners of both ends look at?

    python benchmarks/atom_vectors.py mp2025.parquet -o runs/mlip

The Gaussian process on atoms of the recipe ``mlip``, fitted on framework folds of seed 0 (by which settings are chosen)
with SevenNet's vectors, with CHGNet's, and with both side by side, as the recipe does it. The features stand in the
recipe's folder. Five minutes of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ionvolt.datasets.splits import framework_folds
from ionvolt.evaluation.metrics import share_within
from ionvolt.models.mlip.latent_features import ATOM_SIZE, CrystalFeatures
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.training.mlip.fit import train_atomic_gp


def only(numbers: slice) -> Callable[[CrystalFeatures], CrystalFeatures]:
    """Keeps some of the numbers of each atom."""
    return lambda seen: replace(seen, atoms=seen.atoms[:, numbers])


LOOKS = {
    "SevenNet's": only(slice(None, ATOM_SIZE)),
    "CHGNet's": only(slice(ATOM_SIZE, None)),
    "both": only(slice(None)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/mlip"), help="folder of the recipe mlip")
    arguments = parser.parse_args()
    recipe = MlipRecipe()
    table = recipe.table(Job(arguments.data, arguments.output), ("both",))
    part, settings = table.parts["both"], recipe.settings.corrections["both"]
    physics = np.array([pair.physics for pair in part.pairs])
    folds = framework_folds(table.data, recipe.settings.n_folds, 0)
    print(f"n = {len(part)}\n\n| atom vectors | MAE, V | median, V | within 0.1 V |\n|---|---|---|---|")
    voltages = {"nothing learned": physics}
    for name, look in LOOKS.items():
        pairs = [replace(p, discharged=look(p.discharged), charged=look(p.charged)) for p in part.pairs]
        voltages[name] = physics.copy()
        for tested in map(part.places, folds):
            learned = np.setdiff1d(np.arange(len(part)), tested)
            kernel = train_atomic_gp(pairs, part.target, learned, settings)
            voltages[name][tested] += kernel.corrections([pairs[i] for i in tested])
    for name, answers in voltages.items():
        error = np.abs(answers - part.target)
        print(f"| {name} | {error.mean():.4f} | {np.median(error):.3f} | {share_within(error, 0.1):.1%} |")


if __name__ == "__main__":
    main()
