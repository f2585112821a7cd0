"""What the held-out parts say, over all seeds of a test, for every ion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ionvolt.evaluation.metrics import Metrics, metrics
from ionvolt.evaluation.testing import calibrate_std
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import Record
from ionvolt.recipes.cards import rounded
from ionvolt.recipes.cgcnn.cross_validation import MODELS, IonPredictions, Unit, read_unit, unit_file
from ionvolt.recipes.cgcnn.settings import CgcnnSettings, HeldOutTest
from ionvolt.recipes.job import Job


@dataclass(frozen=True)
class ModelErrors:
    """Errors of a model.

    Attributes:
        metrics: Over all seeds; an electrode (random splits) or framework that is tested several times counts once in
            the intervals.
        by_split: Mean absolute error of each seed, V.
    """

    metrics: Metrics
    by_split: list[float]

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a card."""
        numbers = {name: rounded(value) for name, value in asdict(self.metrics).items() if name != "n"}
        more = {"mae_by_split": [round(v, 4) for v in self.by_split], "splits": len(self.by_split)}
        return {"n": self.metrics.n} | numbers | more


@dataclass(frozen=True)
class IonReport:
    """One ion in one test.

    Attributes:
        seeds: That have test rows of it.
        members: Networks in each ensemble.
        n_train: Rows that the first member of the first seed learned from.
        n_test: Mean number of test rows.
        models: Errors by model.
        deviation: How the members' spread becomes a standard deviation (``calibrate_std``).
    """

    seeds: list[int]
    members: int
    n_train: int
    n_test: float
    models: dict[str, ModelErrors]
    deviation: dict[str, float]

    @property
    def own(self) -> ModelErrors:
        """Of the recipe's own model."""
        return self.models["transfer" if "transfer" in self.models else "network"]

    @property
    def about(self) -> dict[str, Any]:
        """Facts of the test, by name."""
        return {
            "splits": len(self.seeds),
            "split_seeds": self.seeds,
            "members": self.members,
            "n_train": self.n_train,
            "n_test": round(self.n_test, 1),
            **self.deviation,
        }

    def to_dict(self) -> dict[str, Any]:
        """Facts of the test, and errors by model."""
        return self.about | {name: errors.to_dict() for name, errors in self.models.items()}

    def records(self, test: str, ion: str) -> list[Record]:
        """As they stand in a card: the recipe's own model first, then the others by name."""
        others = {name: errors for name, errors in self.models.items() if errors is not self.own}
        return [Record(test, ion, values=self.about | self.own.to_dict())] + [
            Record(test, ion, learner=name, values=errors.to_dict()) for name, errors in others.items()
        ]


def reports(settings: CgcnnSettings, job: Job) -> dict[str, dict[str, IonReport]]:
    """By test and ion, from the units that are there."""
    found: dict[str, dict[str, IonReport]] = {}
    for test in settings.tests:
        files = {seed: unit_file(job.own_folder, Unit(test, seed)) for seed in test.seeds}
        units = {seed: unit for seed, path in files.items() if (unit := read_unit(path)) is not None}
        by_ion = {
            ion: report_of(test, {seed: unit[ion] for seed, unit in units.items() if ion in unit})
            for ion in WORKING_IONS
            if any(ion in unit for unit in units.values())
        }
        if by_ion:
            found[test.name] = by_ion
    return found


def report_of(test: HeldOutTest, by_seed: Mapping[int, IonPredictions]) -> IonReport:
    """What the seeds of a test say of an ion."""
    found = list(by_seed.values())
    names = [name for name in MODELS if any(name in tested.predicted for tested in found)]
    errors = np.concatenate([np.array(tested.answer) - tested.target for tested in found])
    return IonReport(
        list(by_seed),
        test.members,
        found[0].n_train,
        float(np.mean([len(tested.target) for tested in found])),
        {name: errors_of(test, name, [tested for tested in found if name in tested.predicted]) for name in names},
        calibrate_std(errors, np.concatenate([tested.spread for tested in found])),
    )


def errors_of(test: HeldOutTest, name: str, having: list[IonPredictions]) -> ModelErrors:
    """Errors of a model over the seeds that have it."""
    target = np.concatenate([tested.target for tested in having])
    predicted = np.concatenate([tested.predicted[name] for tested in having])
    groups = np.concatenate([tested.ids if test.split == "random" else tested.frameworks for tested in having])
    return ModelErrors(
        metrics(target, predicted, groups),
        [float(np.abs(np.array(tested.predicted[name]) - tested.target).mean()) for tested in having],
    )
