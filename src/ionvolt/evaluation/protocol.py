"""One protocol for all models: which rows are learned from, which are tested, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ionvolt.datasets import (
    ElectrodeSet,
    clean,
    framework_folds,
    framework_split,
    random_folds,
    validation_folds,
)
from ionvolt.datasets.splits import Kind as SplitKind
from ionvolt.errors import DataError, ModelError
from ionvolt.evaluation.leakage import data_fingerprint
from ionvolt.evaluation.learner import Learner, Mean
from ionvolt.evaluation.results import Results, read_results, write_results
from ionvolt.store import fingerprint
from ionvolt.training.cgcnn.runs import split_for_ion
from ionvolt.typing import Indices, ProgressCallback, no_progress

Kind = Literal["paper", "random", "framework", "leave-one-ion-out"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, eq=False)
class Unit:
    """One fit and its test: parts of the data that do not overlap, row numbers sorted."""

    fold: int
    seed: int
    train: Indices
    validation: Indices
    test: Indices


@dataclass(frozen=True)
class Protocol:
    """Which electrodes are tested by models that learned from which others.

    Attributes:
        split: ``paper`` (the paper's trimming first, then ``random``), ``random`` (the rows of every ion 0.8/0.1/0.1),
            ``framework`` (whole frameworks across all ions) or ``leave-one-ion-out`` (a fold for each ion, learned
            from the others).
        ions: Ions that are tested; empty: all of the data. What is learned from is not restricted.
        seeds: A split for each.
        folds: 1 for 0.8/0.1/0.1; else cross-validation, each row tested once a seed.
        clean: Cleaning rules that come before the split, in order.
    """

    split: Kind = "framework"
    ions: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    folds: int = 1
    clean: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.split not in KINDS or self.folds < 1 or not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"split in {KINDS}, folds ≥ 1 and seeds, each once, are needed")
        if self.split == "leave-one-ion-out" and self.folds > 1:
            raise DataError("leave-one-ion-out has a fold for each ion. Leave the number of folds out")

    @property
    def rules(self) -> tuple[str, ...]:
        """All cleaning rules, the paper's trimming first where the split asks for it."""
        first = ("paper",) if self.split == "paper" and "paper" not in self.clean else ()
        return first + self.clean

    @property
    def kind(self) -> SplitKind:
        """How rows are dealt out: one by one, or by frameworks."""
        return "random" if self.split in ("paper", "random") else "framework"

    def cleaned(self, data: ElectrodeSet) -> tuple[ElectrodeSet, dict[str, int]]:
        """The data after the protocol's rules, and how many rows each removed."""
        return clean(data, self.rules)

    def units(self, data: ElectrodeSet) -> Iterator[Unit]:
        """The fits to be made on cleaned data, one after another.

        Raises:
            DataError: An ion that the data do not have, or too few rows for the folds.
        """
        present = [str(ion) for ion in dict.fromkeys(data.ions)]
        for ion in self.ions:
            if ion not in present:
                raise DataError(f"{ion}: no electrode of it is in the data, which hold {', '.join(present)}")
        asked = np.isin(data.ions, self.ions or present)
        for seed in self.seeds:
            for fold, (pool, test) in enumerate(self._parts(data, seed)):
                tested = test[asked[test]]
                if not len(tested):
                    continue
                train, validation = self._pool(data, pool, seed)
                yield Unit(fold, seed, train, validation, tested)

    def _parts(self, data: ElectrodeSet, seed: int) -> Iterator[tuple[Indices, Indices]]:
        """Rows that may be learned from, and test rows, of every fold."""
        everything = np.arange(len(data))
        if self.split == "leave-one-ion-out":
            ions = list(dict.fromkeys(data.ions))
            if len(ions) < 2:
                raise DataError(f"leave-one-ion-out needs two ions at least; the data hold {', '.join(ions) or 'none'}")
            tests = [np.flatnonzero(data.ions == ion) for ion in ions]
        elif self.folds > 1 and self.kind == "framework":
            tests = framework_folds(data, self.folds, seed)
        elif self.folds > 1:
            tests = _random_folds_by_ion(data, self.folds, seed)
        elif self.kind == "framework":
            tests = [framework_split(data, seed).test]
        else:
            tests = [np.sort(np.concatenate([_test_of(data, ion, seed) for ion in dict.fromkeys(data.ions)]))]
        for test in tests:
            yield np.setdiff1d(everything, test), test

    def _pool(self, data: ElectrodeSet, pool: Indices, seed: int) -> tuple[Indices, Indices]:
        if self.folds == 1 and self.split != "leave-one-ion-out":
            if self.kind == "framework":
                validation = framework_split(data, seed).validation
            else:
                parts = [_part(data, ion, seed, "validation") for ion in dict.fromkeys(data.ions)]
                validation = np.sort(np.concatenate(parts))
            return np.setdiff1d(pool, validation), validation
        return validation_folds(data, pool, 1, kind=self.kind, seed=seed)[0]

    def run(
        self,
        learners: Sequence[Learner],
        data: ElectrodeSet,
        *,
        path: Path | None = None,
        progress: ProgressCallback = no_progress,
    ) -> Results:
        """Let learners run through all units, the mean predictor always among them.

        Args:
            learners: Who; their names are told apart in the results.
            data: Electrodes, not yet cleaned.
            path: Parquet file that holds what is done after every unit; what it holds already is not repeated.
            progress: Called with units done, units in all, and words.

        Returns:
            A row for every tested electrode, seed and learner, of this call or of the file.

        Raises:
            DataError: The file holds results of another protocol or other data.
            ModelError: A learner answered with something that is not a voltage for each row.
        """
        data, removed = self.cleaned(data)
        units = list(self.units(data))
        about = {
            "split": self.split,
            "folds": self.folds,
            "ions": sorted(self.ions),
            "clean": list(self.rules),
            "removed": removed,
            "data_sha256": data_fingerprint(data),
        }
        results = read_results(path, about) if path is not None and path.exists() else Results.empty(about)
        chosen = [learner for learner in learners if learner.name != Mean.name]
        jobs = [(learner, unit) for unit in units for learner in (Mean(), *chosen)]
        for done, (learner, unit) in enumerate(jobs):
            words = f"{learner.name}, seed {unit.seed}, fold {unit.fold + 1}"
            progress(done, len(jobs), words)
            mark = _mark(learner, unit)
            if results.has(learner.name, unit.seed, unit.fold, mark):
                continue
            start = time.perf_counter()
            predicted = learner.fit_predict(
                data,
                unit.train,
                unit.validation,
                unit.test,
                seed=unit.seed,
                log=lambda step, done=done, words=words: progress(done, len(jobs), f"{words}: {step}"),  # type: ignore[misc]
            )
            predicted = np.asarray(predicted, dtype=np.float64)
            if predicted.shape != unit.test.shape or not np.isfinite(predicted).all():
                raise ModelError(f"{words}: not one voltage for each of {len(unit.test)} test rows")
            seconds = time.perf_counter() - start
            results = results.replaced(
                learner.name, unit.seed, unit.fold, mark, data[unit.test], predicted, self.split, seconds
            )
            if path is not None:
                write_results(results, path)
        progress(len(jobs), len(jobs), "done")
        return results

    def to_dict(self) -> dict[str, Any]:
        """The protocol as plain JSON types."""
        return asdict(self) | {"rules": list(self.rules)}


def _mark(learner: Learner, unit: Unit) -> str:
    """What makes this unit this one: the rows, and the learner's settings where it has some."""
    facts = [learner.name, unit.seed, getattr(learner, "settings", "")]
    return fingerprint(facts, unit.train, unit.validation, unit.test)[:16]


def _part(data: ElectrodeSet, ion: str, seed: int, name: Literal["validation", "test"]) -> Indices:
    of_ion = np.flatnonzero(data.ions == ion)
    part: Indices = of_ion[getattr(split_for_ion(data, ion, "random", seed)[1], name)]
    return part


def _test_of(data: ElectrodeSet, ion: str, seed: int) -> Indices:
    return _part(data, ion, seed, "test")


def _random_folds_by_ion(data: ElectrodeSet, n_folds: int, seed: int) -> list[Indices]:
    folds: list[list[Indices]] = [[] for _ in range(n_folds)]
    for ion in dict.fromkeys(data.ions):
        of_ion = np.flatnonzero(data.ions == ion)
        if len(of_ion) < n_folds:
            continue  # too few to be tested; they are learned from
        for fold, rows in zip(folds, random_folds(data[of_ion], n_folds, seed), strict=True):
            fold.append(of_ion[rows])
    if not folds[0]:
        raise DataError(f"{n_folds} folds cannot be made: no ion has as many electrodes. Ask for fewer folds")
    return [np.sort(np.concatenate(fold)) for fold in folds]
