"""How far an answer is to be trusted: its 90 % interval, and whether the electrode is like the training data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.differences import mean_differences
from ionvolt.models.mlip.latent_features import CrystalFeatures
from ionvolt.models.uncertainty.conformal import Conformal, Difficulty
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.typing import Array

DOMAIN_PERCENTILE, WIDTH_PERCENTILE = 97, 90
"""Percentiles of held-out electrodes beyond which distance or spread, or the width of the interval, are a reason."""

CLIP = 8.0
"""Deviations of a fingerprint from the mean of the training hosts' that count at the most."""

FADED = 1.25
"""Multiple of the limit of distance from which on nothing is left of a learned correction."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Limits beyond which an answer is out of the domain, and the widths of intervals.

    Attributes:
        conformal: Interval widths.
        elements: Atomic numbers that the training hosts hold.
        distance_limit: Distance to the nearest training host beyond which an electrode is out of the domain: the
            percentile ``DOMAIN_PERCENTILE`` of electrodes held out by whole frameworks.
        spread_limit: V, the same for the spread of the learners.
        width_limit: V, the percentile ``WIDTH_PERCENTILE`` of half-widths of intervals.
    """

    conformal: Conformal
    elements: frozenset[int]
    distance_limit: float
    spread_limit: float
    width_limit: float

    spread_words: ClassVar[tuple[str, str]] = ("the members of the ensemble differ by", "those")
    """What differs, and how it is called the second time."""

    def reasons(self, host: Crystal, distance: float, spread: float, half_width: float) -> tuple[str, ...]:
        """Why an electrode is out of the domain, in plain words; none: it is within."""
        found = []
        unseen = sorted(set(host.numbers.tolist()) - self.elements)
        if unseen:
            found.append(f"{', '.join(SYMBOLS[z] for z in unseen)}: in no electrode that the model was trained on")
        if distance > self.distance_limit:
            found.append(
                f"far from all training frameworks (distance {distance:.2f}; "
                f"{DOMAIN_PERCENTILE} % of held-out ones lie within {self.distance_limit:.2f})"
            )
        if spread > self.spread_limit:
            differ, they = self.spread_words
            found.append(
                f"{differ} {spread:.2f} V; "
                f"{they} of {DOMAIN_PERCENTILE} % of held-out electrodes by less than {self.spread_limit:.2f} V"
            )
        if half_width > self.width_limit:
            found.append(
                f"the interval is wide (±{half_width:.2f} V; "
                f"{WIDTH_PERCENTILE} % of held-out electrodes have less than ±{self.width_limit:.2f} V)"
            )
        return tuple(found)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that is stored, by name."""
        difficulty = self.conformal.difficulty
        quantiles = self.conformal.quantiles
        return {
            "trust.coefficients": difficulty.coefficients,
            "trust.sign_mean": difficulty.mean,
            "trust.sign_scale": difficulty.scale,
            "trust.scalars": np.array([difficulty.constant, self.distance_limit, self.spread_limit, self.width_limit]),
            "trust.quantile_ions": np.array(list(quantiles), dtype=np.int64),
            "trust.quantiles": np.array(list(quantiles.values())),
            "trust.elements": np.array(sorted(self.elements), dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """What stored arrays say."""
        constant, distance_limit, spread_limit, width_limit = (float(v) for v in arrays["trust.scalars"])
        difficulty = Difficulty(
            arrays["trust.coefficients"].astype(np.float64),
            constant,
            arrays["trust.sign_mean"].astype(np.float64),
            arrays["trust.sign_scale"].astype(np.float64),
        )
        keys, values = arrays["trust.quantile_ions"].tolist(), arrays["trust.quantiles"].tolist()
        return cls(
            conformal=Conformal(difficulty, dict(zip(keys, values, strict=True))),
            elements=frozenset(arrays["trust.elements"].tolist()),
            distance_limit=distance_limit,
            spread_limit=spread_limit,
            width_limit=width_limit,
            **cls._own(arrays),
        )

    @classmethod
    def _own(cls, arrays: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
        """Stored arrays that a class has beside these, by field."""
        return {}


@dataclass(frozen=True, eq=False)
class ApplicabilityDomain(Judge):
    """The same, with the hosts from which distances are measured.

    Attributes:
        mean: Mean of the hosts' fingerprints, in which distances are measured, shape (ATOM_SIZE,).
        scale: Deviation of these.
        references: Standardised fingerprints of the training hosts, shape (n, ATOM_SIZE).
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    references: NDArray[np.float32]

    def distances(self, hosts: Sequence[CrystalFeatures]) -> Array:
        """Mean absolute difference from the nearest training host, in deviations, shape (n,)."""
        features = np.stack([host.fingerprint for host in hosts])
        return nearest(features, self.mean, self.scale, self.references)

    def fade(self, distances: Array) -> Array:
        """How much of a learned correction is kept, shape (n,): all within the limit, none from ``FADED`` times it on.

        A correction says nothing of chemistries that it has not seen; there the potential's own voltage is nearer.
        """
        beyond = (distances / self.distance_limit - 1) / (FADED - 1)
        kept: Array = np.clip(1 - beyond, 0.0, 1.0)
        return kept

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """See ``Judge``."""
        return super().arrays() | {
            "trust.mean": self.mean,
            "trust.scale": self.scale,
            "trust.references": self.references.astype(np.float16),
        }

    @classmethod
    def _own(cls, arrays: dict[str, NDArray[np.generic]]) -> dict[str, Any]:
        return {name: arrays[f"trust.{name}"].astype(np.float32) for name in ("mean", "scale", "references")}


def standardise(
    fingerprints: NDArray[np.float32], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Fingerprints as distances are measured between them, shape (n, ATOM_SIZE)."""
    found: NDArray[np.float32] = np.clip((fingerprints - mean) / scale, -CLIP, CLIP).astype(np.float32)
    return found


def nearest(
    features: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    references: NDArray[np.float32],
) -> Array:
    """Mean absolute difference of features from the nearest reference, shape (n,)."""
    distances: Array = mean_differences(standardise(features, mean, scale), references).min(1).astype(np.float64)
    return distances


def difficulty_features(spread: Array, distance: Array, disagreement: Array) -> Array:
    """Difficulty features, shape (n, 3): logarithms of spread (V), distance and disagreement (V)."""
    return np.stack([np.log(spread + 0.01), np.log(distance + 0.01), np.log(np.abs(disagreement) + 0.01)], axis=1)


def ensemble_mean(members: Array, *others: Array) -> Array:
    """The mean over kinds of learners, V, shape (n,): members of one kind, shape (n_members, n), and others."""
    mean: Array = np.mean([members.mean(0), *others], axis=0)
    return mean


def ensemble_std(members: Array, *others: Array) -> Array:
    """How far the answers lie apart, V, shape (n,): members of one kind, shape (n_members, n), and other learners."""
    apart: Array = np.sqrt(members.var(0) + np.var([members.mean(0), *others], axis=0))
    return apart
