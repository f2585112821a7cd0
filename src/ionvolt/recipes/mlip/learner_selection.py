"""Which learners, or means of them, win when they are chosen without the fold that tests them.

For each outer fold the subset of learners with the least error on the other folds (held out by whole frameworks, too)
is taken and tested on the outer fold.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.uncertainty.domain import ensemble_mean
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.cross_validation import FoldAnswers, read_answers, shipped
from ionvolt.recipes.mlip.settings import CASES, PARTS, Case, MlipSettings

NAMES = {
    "networks": "networks",
    "support_vectors": "support vectors",
    "atomic_gp": "kernel on atoms",
}
"""Learners in words, in the order in which they are told."""


@dataclass(frozen=True)
class Choice:
    """Choosing among the learners of a case; mean absolute errors over all rows, V.

    Attributes:
        case: What is asked.
        alone: Errors of each learner alone, by its words.
        shipped: Error of the mean of the learners that are shipped.
        nested: Error of subsets that were chosen without the tested fold.
        chosen: How often each subset was.
    """

    case: Case
    alone: dict[str, float]
    shipped: float
    nested: float
    chosen: dict[tuple[str, ...], int]


def choices(settings: MlipSettings, target: NDArray[np.float64], job: Job) -> list[Choice]:
    """Every case.

    Args:
        settings: Settings of the recipe.
        target: Labels of all rows that take part, V.
        job: Whose held-out answers are there.
    """
    return [
        choice(case, read_answers(settings, settings.calibrating(part), job), target, settings)
        for part in PARTS
        for case in CASES[part]
    ]


def choice(case: Case, folds: list[FoldAnswers], target: NDArray[np.float64], settings: MlipSettings) -> Choice:
    """Choose for each fold on the others."""
    names = [name for name in NAMES if name in folds[0].voltages[case]]
    subsets = [s for size in range(1, len(names) + 1) for s in combinations(range(len(names)), size)]
    sums = np.empty((len(folds), len(subsets)))  # of absolute errors
    whole, n = 0.0, 0
    for k, fold in enumerate(folds):
        voltages, labels = fold.voltages[case], target[fold.rows]
        alone = np.array([np.atleast_2d(voltages[name]).mean(0) for name in names])
        sums[k] = [np.abs(alone[list(s)].mean(0) - labels).sum() for s in subsets]
        whole += float(np.abs(ensemble_mean(*shipped(voltages, settings, case)) - labels).sum())
        n += len(labels)
    best = [int(np.argmin(np.delete(sums, k, axis=0).sum(0))) for k in range(len(folds))]
    counts = Counter(best).most_common()
    return Choice(
        case,
        {NAMES[name]: float(sums[:, i].sum() / n) for i, name in enumerate(names)},
        whole / n,
        float(sum(sums[k, b] for k, b in enumerate(best)) / n),
        {tuple(NAMES[names[i]] for i in subsets[b]): count for b, count in counts},
    )
