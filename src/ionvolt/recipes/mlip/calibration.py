"""From held-out answers to intervals and to the domain in which a model may be trusted; one function a step.

Intervals and limits are tried as they are made: those of a fold rest on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.models.mlip.delta_network import IONS
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.uncertainty.conformal import Conformal, calibrate
from ionvolt.models.uncertainty.domain import (
    DOMAIN_PERCENTILE,
    WIDTH_PERCENTILE,
    ApplicabilityDomain,
    difficulty_features,
    ensemble_mean,
    ensemble_std,
    standardise,
)
from ionvolt.recipes.mlip.cross_validation import FoldAnswers, shipped
from ionvolt.recipes.mlip.settings import Case, MlipSettings
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Mask


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out answers of one kind, over all folds of a test; all of shape (n,).

    Attributes:
        rows: Numbers of the rows of the data, each once.
        fold: Fold of each row.
        ions: Index of each row's ion in ``IONS``.
        frameworks: Framework of each row.
        target: Label, V.
        voltage: Answer, V.
        spread: Standard deviation between the learners, V.
        distance: To the nearest host that was learned from.
        disagreement: What the difficulty takes for one: the learned correction, or how far a host's voltage is from
            the mean of all, V.
        physics: Voltage of the potential's energies, V; None where it is none (hosts).
    """

    rows: NDArray[np.int64]
    fold: NDArray[np.int64]
    ions: NDArray[np.int64]
    frameworks: NDArray[np.str_]
    target: Array
    voltage: Array
    spread: Array
    distance: Array
    disagreement: Array
    physics: Array | None = None

    @property
    def errors(self) -> Array:
        """Answer less label, V."""
        return self.voltage - self.target

    def some(self, chosen: Mask) -> HeldOut:
        """Some of the rows."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        kept: dict[str, Any] = {name: None if values is None else values[chosen] for name, values in own.items()}
        return HeldOut(**kept)


def held_out(answers: Sequence[FoldAnswers], data: ElectrodeSet, case: Case, settings: MlipSettings) -> HeldOut:
    """The answers of the shipped learners to a case, fold after fold."""
    learners = [shipped(fold.voltages[case], settings, case) for fold in answers]
    rows = np.concatenate([fold.rows for fold in answers])
    voltage = np.concatenate([ensemble_mean(*some) for some in learners])
    physics = None if case in ("charged", "composition") else np.concatenate([fold.physics for fold in answers])
    return HeldOut(
        rows=rows,
        fold=np.concatenate([np.full(len(fold.rows), fold.fold) for fold in answers]),
        ions=np.array([IONS.index(ion) for ion in data.ions[rows]], dtype=np.int64),
        frameworks=data.frameworks[rows],
        target=data.voltages[rows],
        voltage=voltage,
        spread=np.concatenate([ensemble_std(*some) for some in learners]),
        distance=np.concatenate([fold.distance for fold in answers]),
        disagreement=voltage - (data.voltages.mean() if physics is None else physics),
        physics=physics,
    )


def difficulty(held: HeldOut) -> Array:
    """Difficulty features, shape (n, n_features), just as the models make them of an answer."""
    return difficulty_features(held.spread, held.distance, held.disagreement)


def intervals(held: HeldOut) -> Conformal:
    """Half-widths that cover 90 % of held-out errors."""
    return calibrate(difficulty(held), held.ions, held.errors)


def cross_fitted_widths(held: HeldOut) -> Array:
    """Half-width of each row, V, calibrated on the other folds."""
    widths = np.empty(len(held.rows))
    for own in each_fold(held):
        widths[own] = intervals(held.some(~own)).half_widths(difficulty(held)[own], held.ions[own])
    return widths


@dataclass(frozen=True)
class Limits:
    """Beyond which an answer is out of the domain.

    Attributes:
        distance: To the nearest training host.
        spread: Standard deviation between the learners, V.
        width: Half of the interval, V.
    """

    distance: float
    spread: float
    width: float


def limits(held: HeldOut, widths: Array) -> Limits:
    """Percentiles of held-out rows."""
    return Limits(
        float(np.percentile(held.distance, DOMAIN_PERCENTILE)),
        float(np.percentile(held.spread, DOMAIN_PERCENTILE)),
        float(np.percentile(widths, WIDTH_PERCENTILE)),
    )


def cross_fitted_beyond(held: HeldOut, widths: Array) -> Mask:
    """Rows out of the domain, by limits from the other folds (elements never seen are left aside: they are few)."""
    beyond = np.zeros(len(held.rows), dtype=bool)
    for own in each_fold(held):
        of = limits(held.some(~own), widths[~own])
        beyond[own] = (held.distance[own] > of.distance) | (held.spread[own] > of.spread) | (widths[own] > of.width)
    return beyond


def each_fold(held: HeldOut) -> list[Mask]:
    """The rows of each fold; of one fold alone, its halves."""
    numbers = np.unique(held.fold)
    if len(numbers) > 1:
        return [held.fold == number for number in numbers]
    odd = np.arange(len(held.rows)) % 2 == 1
    return [odd, ~odd]


def fit_domain(
    held: HeldOut, for_widths: HeldOut, hosts: Sequence[CrystalFeatures], crystals: Sequence[Crystal]
) -> ApplicabilityDomain:
    """What judges a fitted model's answers.

    Args:
        held: Its recipe's held-out answers, which make limits of distance and spread.
        for_widths: Those whose errors make the intervals.
        hosts: Charged hosts that the model has learned from.
        crystals: Crystals whose elements count as seen.
    """
    fingerprints = np.stack([host.fingerprint for host in hosts])
    mean, scale = fingerprints.mean(0), fingerprints.std(0) + 1e-6
    references = standardise(fingerprints, mean, scale).astype(np.float16).astype(np.float32)
    elements = frozenset(int(z) for crystal in crystals for z in np.unique(crystal.numbers))
    of = limits(held, cross_fitted_widths(held))
    judging = ApplicabilityDomain(intervals(held), elements, of.distance, of.spread, of.width, mean, scale, references)
    return with_intervals(judging, for_widths)


def with_intervals(judging: ApplicabilityDomain, held: HeldOut) -> ApplicabilityDomain:
    """The same with the intervals that held-out answers ask for; limits of distance and spread stay."""
    return replace(judging, conformal=intervals(held), width_limit=limits(held, cross_fitted_widths(held)).width)
