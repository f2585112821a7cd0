"""Every choice of this recipe in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ionvolt.datasets.splits import Kind
from ionvolt.training.laplacian import LaplacianSettings


@dataclass(frozen=True)
class QuickSettings:
    """All choices.

    Attributes:
        clean: Rules that clean the data.
        n_folds: Folds of every cross-validation.
        tests: Cross-validations, by split and seed; the errors of the first make intervals and limits. Settings were
            chosen on framework folds of seed 0, so that no figure rests on these.
        machine: Shape of the kernel and of its fit.
    """

    clean: tuple[str, ...] = ("abs7",)
    n_folds: int = 5
    tests: tuple[tuple[Kind, int], ...] = (("framework", 1), ("random", 1))
    machine: LaplacianSettings = field(default_factory=LaplacianSettings)
