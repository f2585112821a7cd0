"""What every recipe offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ionvolt.evaluation.metrics import Metrics
from ionvolt.recipes.job import Job


@dataclass(frozen=True)
class Step:
    """A step of a recipe.

    Attributes:
        name: As the command knows it.
        words: What it does.
        asked_for: Whether it is left out unless it is named.
    """

    name: str
    words: str
    asked_for: bool = False


EVALUATE = Step("evaluate", "answers for held-out rows, and their errors")
FIT = Step("fit", "models on all rows, calibrated on the held-out errors, written into the folder")


@dataclass(frozen=True)
class ReportLine:
    """A held-out test in a line.

    Attributes:
        test: Its name, as in the card.
        ion: Symbol, or ``all``.
        n: Tested rows.
        mae: Mean absolute error, V.
        mae_low: Lower end of its 95 % interval, V.
        mae_high: Upper end.
        median: Median absolute error, V.
        within_01: Share of errors of at most 0.1 V.
        within_03: Share of errors of at most 0.3 V.
        more: Further numbers and words of the test, by name.
    """

    test: str
    ion: str
    n: int
    mae: float
    mae_low: float
    mae_high: float
    median: float
    within_01: float
    within_03: float
    more: dict[str, Any]

    @classmethod
    def of(cls, test: str, ion: str, n: int, errors: Metrics, more: dict[str, Any]) -> ReportLine:
        """The line that says ``errors`` of a test's ``n`` rows."""
        return cls(
            test, ion, n, errors.mae, errors.mae_low, errors.mae_high,
            errors.median, errors.within_01, errors.within_03, more,
        )  # fmt: skip


class Recipe(Protocol):
    """From a data set to weights, step by step; each step goes on where a killed one stopped."""

    @property
    def name(self) -> str:
        """As the command knows it."""
        ...

    @property
    def words(self) -> str:
        """What it makes, in a sentence."""
        ...

    @property
    def makes(self) -> tuple[str, ...]:
        """Names of the shipped models that it makes."""
        ...

    @property
    def steps(self) -> Sequence[Step]:
        """Its steps, in order; ``evaluate`` and ``fit`` among them."""
        ...

    def do(self, step: str, job: Job) -> None:
        """Do a step."""
        ...

    def report(self, job: Job) -> list[ReportLine]:
        """What the held-out answers say, ion by ion."""
        ...

    def models(self, job: Job) -> list[Path]:
        """Folders of the fitted models of a job, below ``job.models_folder``, whether they are there or not."""
        ...

    def check(self, job: Job, folder: Path) -> None:
        """Load a fitted model and ask it.

        Raises:
            ModelError: It does not load, or gives something that is no voltage.
        """
        ...
