"""Does the check of labels tell which of them another release of the Materials Project has changed?

    python benchmarks/label_releases.py mp2025.parquet mp2020.parquet

Electrodes that stand in both data sets, by ``battery_id`` and ``formula_charge``, have two labels. Where these differ
by over 0.2 V, one of the two calculations ended elsewhere, or an end is another phase in one of the releases: mp2020
does not state its discharged ends. The labels of the first set are checked (``ionvolt.prediction.check_labels``), and
it is counted how often the other release bears out a doubt. ``physics`` is SevenNet's voltage of both ends, which has
learned from no label. ``answer`` is the default model's, which has learned from the labels of mp2025: on that set its
errors are smaller than on labels that it has not seen, and it doubts fewer of them. A precision is the share of the 8 %
whose releases differ most among the labels farthest from the prediction, so many that half of the 8 % are among these.
In brackets 95 % intervals over frameworks. Some minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, read_dataset
from ionvolt.evaluation.metrics import metrics, share_within
from ionvolt.prediction import check_labels
from ionvolt.prediction.label_check import LabelCheck
from ionvolt.recipes.mlip.report import WORST, precision_at_half_recall
from ionvolt.typing import Array, Indices, Mask

AGREE, CHANGED = 0.1, 0.2
"""V up to which two releases agree, and beyond which one of them is another calculation."""
CUTS = (0.2, 0.3, 0.4, 0.5)
"""V from the prediction beyond which a label is doubted."""
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Labels:
    """Electrodes with two labels, all of shape (n,).

    Attributes:
        label: Of the release that is checked, V.
        other: Of the other release, V.
        frameworks: Framework of each.
        same_steps: Whether both releases state the same number of voltage steps.
        checks: What the check says.
    """

    label: Array
    other: Array
    frameworks: NDArray[np.str_]
    same_steps: Mask
    checks: list[LabelCheck]

    @property
    def apart(self) -> Array:
        """How far the releases are apart, V."""
        return np.abs(self.label - self.other)

    def some(self, chosen: Mask) -> Labels:
        """Some of them."""
        checks = [self.checks[i] for i in np.flatnonzero(chosen)]
        return Labels(self.label[chosen], self.other[chosen], self.frameworks[chosen], self.same_steps[chosen], checks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the labels that are checked")
    parser.add_argument("other", type=Path, help="the other release")
    parser.add_argument("--rows", type=int, help="only so many, drawn at random")
    arguments = parser.parse_args()
    found = checked(read_dataset(arguments.data), read_dataset(arguments.other), arguments.rows)
    apart = found.apart
    print(
        f"{len(apart)} electrodes in both; the releases differ by {apart.mean():.3f} V in the mean, "
        f"{np.median(apart):.3f} V in the median; {share_within(apart, AGREE):.0%} within {AGREE:g} V; "
        f"{(apart > CHANGED).mean():.0%} by over {CHANGED:g} V; the {WORST:.0%} that differ most by over "
        f"{np.quantile(apart, 1 - WORST):.2f} V"
    )
    answers = {
        "physics": np.array([check.voltage_potential for check in found.checks], dtype=float),
        "answer": np.array([check.voltage for check in found.checks]),
    }
    print_errors(found, answers)
    print_precision(found, answers)
    doubted = np.array([check.suspect for check in found.checks])
    for name, answer in answers.items():
        print_cuts(name, found, answer, doubted if name == "answer" else np.ones(len(apart), dtype=bool))


def checked(data: ElectrodeSet, other: ElectrodeSet, rows: int | None) -> Labels:
    """The electrodes that stand in both sets, and their labels of the first set checked."""
    others = {(electrode.battery_id, electrode.formula_charge): electrode for electrode in other}
    there = [i for i, e in enumerate(data) if (e.battery_id, e.formula_charge) in others]
    data = data[sorted(np.random.default_rng(0).permutation(there)[:rows].tolist())]

    def tell(done: int, total: int, words: str) -> None:
        if done % 100 == 0:
            print(f"{done}/{total}", file=sys.stderr, flush=True)

    # Whatever the difference: the cuts come later.
    checks = check_labels(data, beyond=0.0, progress=tell)
    for error in checks.refused:
        print(f"left out: {error}", file=sys.stderr)
    kept = np.array([isinstance(check, LabelCheck) for check in checks])
    data = data[kept]
    pairs = [(electrode, others[electrode.battery_id, electrode.formula_charge]) for electrode in data]
    same = np.array([one.num_steps == two.num_steps for one, two in pairs])
    labels = np.array([two.average_voltage for _, two in pairs])
    return Labels(data.voltages, labels, data.frameworks, same, checks.answered)


def print_errors(found: Labels, answers: dict[str, Array]) -> None:
    print("\nerrors in V on the labels that are checked")
    print(f"{'':32s}{'n':>5s}  {'mean':20s} {'median':>6s}  within 0.1 V  within 0.3 V")
    agree = found.apart <= AGREE + 1e-9
    for words, own in (("all", np.ones(len(agree), dtype=bool)), (f"releases within {AGREE:g} V", agree)):
        for name, answer in answers.items():
            m = metrics(found.label[own], answer[own], found.frameworks[own])
            mean = f"{m.mae:.3f} ({m.mae_low:.3f}-{m.mae_high:.3f})"
            shares = f"{m.within_01:12.0%}  {m.within_03:12.0%}"
            print(f"{f'{words}, {name}':32s}{own.sum():5d}  {mean:20s} {m.median:6.3f}  {shares}")


def print_precision(found: Labels, answers: dict[str, Array]) -> None:
    print(f"\nthe {WORST:.0%} whose releases differ most: precision at half recall")
    for words, part in (("all", found), ("same number of steps", found.some(found.same_steps))):
        for name, answer in answers.items():
            off = np.abs(part.label - (answer if part is found else answer[found.same_steps]))

            def precision(rows: Indices, part: Labels = part, off: Array = off) -> float:
                return precision_at_half_recall(part.apart[rows], off[rows])

            print(f"{f'{words}, {name}':32s}n = {len(off)}  {with_interval(precision, part.frameworks)}")


def print_cuts(name: str, found: Labels, answer: Array, doubted: Mask) -> None:
    """Doubted labels by the cut; of the answer those that the check calls suspect with that cut."""
    off, off_other, changed = np.abs(found.label - answer), np.abs(found.other - answer), found.apart > CHANGED
    rule = "farther than the cut" + (", outside of the 90 % interval, in the domain" if name == "answer" else "")
    print(f"\n{name}: labels {rule}")
    print(f"cut, V  doubted  other release differs by > {CHANGED:g} V  of all such  other label nearer")
    for cut in CUTS:
        own = doubted & (off > cut)

        def share(rows: Indices, own: Mask = own, what: Mask = changed) -> float:
            return float(what[rows][own[rows]].mean()) if own[rows].any() else float("nan")

        def nearer(rows: Indices, own: Mask = own) -> float:
            return share(rows, own, off_other < off)

        recall = (own & changed).sum() / changed.sum()
        first, second = with_interval(share, found.frameworks), with_interval(nearer, found.frameworks)
        print(f"{cut:6.1f}  {own.sum():7d}  {first:34s}  {recall:11.0%}  {second}")
    print(f"{'all':>6s}  {len(off):7d}  {f'{changed.mean():.0%}':34s}  {1:11.0%}  {(off_other < off).mean():.0%}")


def with_interval(statistic: Callable[[Indices], float], frameworks: NDArray[np.str_]) -> str:
    """A share of all rows, and its 95 % bootstrap interval over frameworks.

    Args:
        statistic: What gives the share of rows by their numbers.
        frameworks: Framework of each row, shape (n,).
    """
    names, labels = np.unique(frameworks, return_inverse=True)
    members = [np.flatnonzero(labels == number) for number in range(len(names))]
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(names), size=(RESAMPLES, len(names)))
    values = [statistic(np.concatenate([members[number] for number in draw])) for draw in draws]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"{statistic(np.arange(len(labels))):.0%} ({low:.0%}-{high:.0%})"


if __name__ == "__main__":
    main()
