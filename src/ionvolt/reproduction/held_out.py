"""Test voltages of all models on the same splits, and how far models are apart on the same electrodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.evaluation.learner import Learner
from ionvolt.evaluation.learners import Classical
from ionvolt.evaluation.metrics import Metrics, metrics
from ionvolt.evaluation.networks import CgcnnScratch
from ionvolt.evaluation.protocol import Protocol
from ionvolt.evaluation.results import Results, read_results
from ionvolt.reproduction.cached_transfer import CachedTransfer, KeptLiModel
from ionvolt.reproduction.stages import Job
from ionvolt.typing import ProgressCallback, no_progress

LABELS = {
    "mean": "mean of the training part",
    "svr-li": "SVR trained on Li (paper's ML)",
    "kernel-ridge-li": "kernel ridge trained on Li (paper's ML)",
    "svr": "SVR trained on the ion",
    "kernel-ridge": "kernel ridge trained on the ion",
    "extra-trees": "extra trees trained on the ion",
    "extra-trees-li": "extra trees trained on Li",
    "li-model": "Li model as it is",
    "cgcnn-scratch": "network trained on the ion alone",
    "cgcnn-transfer": "transfer model",
}
"""Models in the order in which they are shown."""

N_BOOTSTRAP = 2000


@dataclass(frozen=True)
class Difference:
    """How much larger the mean absolute error of one model is than that of another, on the same electrodes.

    Attributes:
        value: V.
        low: Lower end of the 95 % bootstrap interval over electrodes, V.
        high: Upper end.
        n: Electrodes.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:+.2f} V ({self.low:+.2f} to {self.high:+.2f}, n = {self.n})"


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """Out-of-sample voltages: rows of one or more results, all of shape (n,).

    Attributes:
        model: Names.
        ion: Working ions.
        seed: Seed of the split.
        key: Electrodes by snapshot and id.
        target: V.
        predicted: V.
    """

    model: NDArray[np.str_]
    ion: NDArray[np.str_]
    seed: NDArray[np.int64]
    key: NDArray[np.str_]
    target: NDArray[np.float64]
    predicted: NDArray[np.float64]

    @classmethod
    def of(cls, results: list[Results]) -> HeldOutPredictions:
        """Rows of results, the mean predictor's once."""
        columns = {
            name: np.concatenate([r.column(name) for r in results])
            for name in ("model", "ion", "seed", "snapshot", "battery_id", "target", "predicted")
        }
        key = np.char.add(np.char.add(columns["snapshot"].astype(str), ":"), columns["battery_id"].astype(str))
        marks = list(zip(columns["model"], columns["ion"], columns["seed"], key, strict=True))
        first: dict[tuple[object, ...], int] = {}
        for number, mark in enumerate(marks):
            first.setdefault(mark, number)
        keep = np.array(list(first.values()), dtype=np.int64)
        names = ("model", "ion", "seed", "target", "predicted")
        return cls(key=key[keep], **{name: columns[name][keep] for name in names})

    def models(self, ion: str) -> list[str]:
        """Models that were tested on an ion, in the order of ``LABELS``."""
        there = set(self.model[self.ion == ion].tolist())
        return [name for name in LABELS if name in there]

    def rows(self, model: str, ion: str) -> NDArray[np.int64]:
        """Numbers of the rows of a model and an ion."""
        return np.flatnonzero((self.model == model) & (self.ion == ion))

    def errors(self, model: str, ion: str) -> Metrics | None:
        """Errors with intervals over electrodes; None where the model was not tested on the ion."""
        rows = self.rows(model, ion)
        return metrics(self.target[rows], self.predicted[rows], self.key[rows]) if len(rows) else None

    def splits(self, model: str, ion: str) -> int:
        """In how many splits."""
        return len(np.unique(self.seed[self.rows(model, ion)]))

    def pairs(self, one: str, other: str, ion: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of two models on the same electrodes and splits."""
        named = [{(int(self.seed[i]), str(self.key[i])): int(i) for i in self.rows(m, ion)} for m in (one, other)]
        common = [mark for mark in named[0] if mark in named[1]]
        first, second = (np.array([of[mark] for mark in common], dtype=np.int64) for of in named)
        return first, second

    def difference(self, one: str, other: str, ion: str) -> Difference | None:
        """MAE of ``other`` less that of ``one``; None where they were not tested together."""
        first, second = self.pairs(one, other, ion)
        if not len(first):
            return None
        gaps = np.abs(self.predicted - self.target)[second] - np.abs(self.predicted - self.target)[first]
        labels = np.unique(self.key[first], return_inverse=True)[1]
        sums, sizes = np.bincount(labels, gaps), np.bincount(labels)
        draw = np.random.default_rng(0).integers(0, sizes.size, size=(N_BOOTSTRAP, sizes.size))
        low, high = np.quantile(sums[draw].sum(1) / sizes[draw].sum(1), [0.025, 0.975])
        return Difference(float(gaps.mean()), float(low), float(high), int(sizes.size))


def kept(job: Job) -> CachedTransfer:
    """The paper's method with the settings of the report."""
    return CachedTransfer(job.folder, job.settings.members, job.settings.epochs)


def plans(job: Job) -> Iterator[tuple[str, Protocol, list[Learner]]]:
    """Runs of the protocol: the file's name, which splits, and who learns."""
    if job.has_li:
        transfer = kept(job)
        paper = [Classical("svr", "li"), Classical("kernel-ridge", "li")]
        yield "shared", job.protocol(), [transfer, KeptLiModel(transfer), *paper]
        if job.settings.forests:
            yield "li", job.protocol(("Li",)), [Classical("extra-trees", "li")]
    if job.others:
        own: list[Learner] = [Classical("svr"), Classical("kernel-ridge")]
        own += [Classical("extra-trees")] if job.settings.forests else []
        yield "own", job.protocol(job.others), own
        if job.settings.scratch_seeds:
            seeds = job.settings.seeds[: job.settings.scratch_seeds]
            yield "scratch", job.protocol(job.others, seeds), [CgcnnScratch(1, job.settings.epochs)]


def measure(job: Job, progress: ProgressCallback = no_progress) -> HeldOutPredictions:
    """Let everyone run through the splits; what a file holds already is not repeated.

    Args:
        job: What for.
        progress: Called with what is done, of how much, and words.
    """
    chosen = list(plans(job))
    counts = [len(protocol.seeds) * (len(learners) + 1) for _, protocol, learners in chosen]
    found = []
    for number, (name, protocol, learners) in enumerate(chosen):
        before = sum(counts[:number])
        found.append(
            protocol.run(
                learners,
                job.data,
                path=job.folder / f"voltages-{name}.parquet",
                progress=lambda done, total, words, before=before: progress(before + done, sum(counts), words),  # type: ignore[misc]
            )
        )
    return HeldOutPredictions.of(found)


def voltages_rows(tested: HeldOutPredictions) -> list[dict[str, object]]:
    """All rows as a table."""
    columns = (tested.model, tested.ion, tested.seed, tested.key, tested.target, tested.predicted)
    return [
        {"model": m, "ion": i, "seed": int(s), "electrode": k, "target": float(t), "predicted": float(p)}
        for m, i, s, k, t, p in zip(*columns, strict=True)
    ]


def seconds_of_fits(job: Job) -> float:
    """What all fits that ``measure`` left took together."""
    total = 0.0
    for path in sorted(job.folder.glob("voltages-*.parquet")):
        results = read_results(path)
        columns = (results.column(name) for name in ("model", "seed", "fold", "seconds"))
        total += sum({(m, s, f): seconds for m, s, f, seconds in zip(*columns, strict=True)}.values())
    return round(total, 1)
