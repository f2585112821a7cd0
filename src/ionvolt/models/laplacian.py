"""Support vector regression with a Laplacian kernel: similarity falls with the summed differences of features.

Such a kernel minds one feature that is far off less than a Gaussian one does, and answers better for new frameworks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.differences import standardised, summed_differences
from ionvolt.typing import Array, Array32

LIKE = 8
"""Training electrodes, the most similar ones, that are asked how far voltages of such electrodes lie apart."""


LEVELS = 127
"""Steps from 0 to the clip in which training rows are kept: a byte for each number."""


def in_bytes(standardised_rows: Array, clip: float) -> tuple[NDArray[np.int8], float]:
    """Rows as a machine keeps them, and their unit."""
    return np.round(standardised_rows * (LEVELS / clip)).astype(np.int8), clip / LEVELS


@dataclass(frozen=True, eq=False)
class LaplacianMachine:
    """V = sum_i c_i exp(-d_i) + b with d_i = sum_k w_k |x_k - x_ik|, over all electrodes that it learned from.

    Attributes:
        mean: Mean of each feature in training, shape (p,).
        scale: Deviation of each feature in training, shape (p,): x is standardised.
        clip: How many deviations x goes at most.
        weights: w, how much a deviation in each feature counts, shape (p,).
        references: Standardised training rows in units of ``unit``, shape (m, p).
        unit: Of the references, deviations.
        voltages: Labels of the training rows, V, shape (m,).
        coefficients: c in V, shape (m,); 0 for electrodes that the others answer well enough.
        intercept: b in V.
    """

    mean: Array
    scale: Array
    clip: float
    weights: Array
    references: NDArray[Any]
    unit: float
    voltages: Array
    coefficients: Array
    intercept: float

    def __post_init__(self) -> None:
        p, m = self.mean.shape, self.coefficients.shape
        if len(p) != 1 or self.scale.shape != p or self.weights.shape != p:
            raise ValueError("mean, scale and weights of the features do not fit together")
        if not (self.scale > 0).all():
            raise ValueError("the scale of a feature is not positive")
        if len(m) != 1 or self.voltages.shape != m or self.references.shape != (*m, *p) or not m[0]:
            raise ValueError("training rows and coefficients do not fit together")

    @property
    def n_features(self) -> int:
        """Columns that it reads."""
        return int(self.mean.size)

    @cached_property
    def _weighted(self) -> Array32:
        weighted: Array32 = self.references * (self.weights * self.unit).astype(np.float32)
        return weighted

    def distances(self, rows: Array) -> Array32:
        """D of feature rows, shape (n, p), from every training row, shape (n, m)."""
        x = standardised(rows, self.mean, self.scale, self.clip) * self.weights
        return summed_differences(x.astype(np.float32), self._weighted)

    def answers(self, distances: Array32) -> Array:
        """Voltages in V, shape (n,), of rows whose ``distances`` are known."""
        answers: Array = np.exp(-distances).astype(np.float64) @ self.coefficients + self.intercept
        return answers

    def predict(self, rows: Array) -> Array:
        """Voltages in V, shape (n,), of feature rows, shape (n, p)."""
        return self.answers(self.distances(rows))

    def spread(self, distances: Array32, answers: Array) -> Array:
        """How far the voltages of the ``LIKE`` most similar electrodes lie from the answers, V, shape (n,)."""
        n = min(LIKE, len(self.voltages))
        nearest = np.argpartition(distances, n - 1, axis=1)[:, :n]
        apart: Array = np.sqrt(((self.voltages[nearest] - answers[:, None]) ** 2).mean(1))
        return apart

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is stored, by name."""
        stored: dict[str, NDArray[Any]] = {
            "mean": self.mean,
            "scale": self.scale,
            "weights": self.weights,
            "references": self.references,
            "voltages": self.voltages,
            "coefficients": self.coefficients,
            "scalars": np.array([self.intercept, self.clip, self.unit]),
        }
        return {f"machine.{name}": array for name, array in stored.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> LaplacianMachine:
        """The machine of stored arrays."""
        references, scalars = arrays["machine.references"], arrays["machine.scalars"].tolist()
        if references.dtype == np.float16:  # older machines kept them so, in deviations
            scalars = [*scalars[:2], 1.0]
        elif references.dtype != np.int8:
            raise ValueError(f"machine.references holds {references.dtype}, neither int8 nor float16")
        intercept, clip, unit = scalars
        names = ("mean", "scale", "weights", "voltages", "coefficients")
        kept = {name: arrays[f"machine.{name}"].astype(np.float64) for name in names}
        return cls(**kept, references=references, unit=unit, intercept=intercept, clip=clip)
