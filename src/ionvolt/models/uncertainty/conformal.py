"""90 % intervals that adapt to ion and difficulty, by split conformal prediction.

The width of an interval is a quantile of scores |error| / difficulty over electrodes held out from training, one
quantile for each ion with enough of them (Vovk's Mondrian conformal prediction) and one for all others. The difficulty
is itself learned from held-out errors (normalised conformal prediction, Papadopoulos et al., 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.typing import Array

LEVEL = 0.9
MIN_CALIBRATION_SIZE = 40
"""Held-out electrodes of an ion from which it has a quantile of its own."""
ERROR_FLOOR_V = 0.02
"""V: differences below this one count as this one in the fit of the difficulty."""


@dataclass(frozen=True, eq=False)
class Difficulty:
    """Expected size of the error, log-linear in a few features.

    Attributes:
        coefficients: Coefficient of each feature, shape (n_features,), after the constant.
        constant: Logarithm of V.
        mean: Mean of each feature.
        scale: Deviation of each feature.
    """

    coefficients: Array
    constant: float
    mean: Array
    scale: Array

    def __call__(self, features: Array) -> Array:
        """Expected error in V, shape (n,), of features of shape (n, n_features)."""
        standardised = np.clip((features - self.mean) / self.scale, -3, 3)
        expected: Array = np.exp(self.constant + standardised @ self.coefficients)
        return expected


def fit_difficulty(features: Array, errors: Array, strength: float = 10.0) -> Difficulty:
    """Ridge regression of the logarithm of held-out absolute errors on difficulty features."""
    mean, scale = features.mean(0), features.std(0) + 1e-9
    x = np.clip((features - mean) / scale, -3, 3)
    y = np.log(np.abs(errors) + ERROR_FLOOR_V)
    constant = float(y.mean())
    coefficients = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - constant))
    return Difficulty(coefficients, constant, mean, scale)


@dataclass(frozen=True, eq=False)
class Conformal:
    """Half-widths of intervals.

    Attributes:
        difficulty: Expected size of the error.
        quantiles: For each ion index that has its own, the multiple of the difficulty; -1 is that of all ions.
    """

    difficulty: Difficulty
    quantiles: dict[int, float]

    def half_widths(self, features: Array, ions: NDArray[np.int64]) -> Array:
        """Half-widths in V, shape (n,), of the 90 % intervals."""
        multiples = np.array([self.quantiles.get(int(ion), self.quantiles[-1]) for ion in ions])
        widths: Array = multiples * self.difficulty(features)
        return widths

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that is stored, by name."""
        return {
            "coefficients": self.difficulty.coefficients,
            "constant": np.array([self.difficulty.constant]),
            "feature_mean": self.difficulty.mean,
            "feature_scale": self.difficulty.scale,
            "quantile_ions": np.array(list(self.quantiles), dtype=np.int64),
            "quantiles": np.array(list(self.quantiles.values())),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Conformal:
        """What stored arrays say."""
        difficulty = Difficulty(
            arrays["coefficients"].astype(np.float64),
            float(arrays["constant"][0]),
            arrays["feature_mean"].astype(np.float64),
            arrays["feature_scale"].astype(np.float64),
        )
        return cls(difficulty, dict(zip(arrays["quantile_ions"].tolist(), arrays["quantiles"].tolist(), strict=True)))


def conformal_quantile(scores: Array, level: float = LEVEL) -> float:
    """The ceil((n + 1) level)-th smallest score, with which a new exchangeable score complies at that level."""
    n = len(scores)
    rank = int(np.ceil((n + 1) * level))
    return float(np.sort(scores)[min(rank, n) - 1])


def calibrate(features: Array, ions: NDArray[np.int64], errors: Array, level: float = LEVEL) -> Conformal:
    """Learn difficulty and quantiles from held-out errors in V.

    Args:
        features: Signs of trouble of each held-out electrode, shape (n, n_features).
        ions: Index of its ion, shape (n,).
        errors: Predicted minus target, V, shape (n,).
        level: Coverage asked for.
    """
    difficulty = fit_difficulty(features, errors)
    scores = np.abs(errors) / difficulty(features)
    quantiles = {-1: conformal_quantile(scores, level)}
    for ion in np.unique(ions):
        own = scores[ions == ion]
        if len(own) >= MIN_CALIBRATION_SIZE:
            quantiles[int(ion)] = conformal_quantile(own, level)
        else:  # few electrodes: never narrower than for all ions
            quantiles[int(ion)] = max(quantiles[-1], conformal_quantile(own, level))
    return Conformal(difficulty, quantiles)
