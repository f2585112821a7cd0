"""Kernel ridge regression on charged hosts and ions: similarity of hosts times similarity of ions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.differences import mean_differences
from ionvolt.models.tensors import Arrays
from ionvolt.typing import Array, Array32

CLIP = 8.0


@dataclass(frozen=True)
class KRRSettings:
    """What shapes the kernel.

    Attributes:
        width: Width of the Laplacian kernel between hosts, in mean absolute differences of standardised features.
        ion_width: Width of the Gaussian kernel between ions, in standardised properties.
        own: Share of the ion kernel that is 1 for the same ion and 0 for another.
        offset: Weight of a term in which the hosts do not matter: what an ion has in common with its like.
        content_width: Width of the Laplacian kernel between numbers of ions per host atom, where they are known.
        ridge: Added to the diagonal.
    """

    width: float = 4.0
    ion_width: float = 3.0
    own: float = 0.05
    offset: float = 0.5
    content_width: float = 0.2
    ridge: float = 0.05


_STORED: dict[str, Any] = {
    "mean": np.float32,
    "scale": np.float32,
    "importance": np.float32,
    "references": np.float32,
    "ions": np.int64,
    "content": np.float64,
    "ion_kernel": np.float64,
    "weights": np.float64,
    "target_mean": np.float64,
}
"""Types of the numbers with which a fitted kernel answers."""


@dataclass(frozen=True, eq=False)
class CrystalIonKRR:
    """A fitted kernel model.

    Attributes:
        settings: Settings of the kernel.
        mean: Mean of each feature over the references, shape (F,).
        scale: Deviation of each feature, shape (F,).
        importance: How much a difference in each feature counts, shape (F,).
        references: Standardised features of the training hosts, shape (n, F).
        ions: Index of each reference's ion, shape (n,).
        content: Ions per host atom of each reference, shape (n,).
        ion_kernel: Likeness of the ions, shape (n_ions, n_ions).
        weights: Dual coefficients, V, shape (2, n): without and with the ion content.
        target_mean: V.
    """

    settings: KRRSettings
    mean: Array32
    scale: Array32
    importance: Array32
    references: Array32
    ions: NDArray[np.int64]
    content: Array
    ion_kernel: Array
    weights: Array
    target_mean: float

    def arrays(self) -> Arrays:
        """All that is stored, by name, but the settings."""
        stored = {name: np.atleast_1d(getattr(self, name)) for name in _STORED}
        stored["references"] = self.references.astype(np.float16)
        return {f"kernel.{name}": array for name, array in stored.items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: KRRSettings) -> CrystalIonKRR:
        """What stored arrays say."""
        own: dict[str, Any] = {name: arrays[f"kernel.{name}"].astype(dtype) for name, dtype in _STORED.items()}
        own["target_mean"] = float(own["target_mean"][0])
        return cls(settings, **own)

    def standardised(self, features: Array32) -> Array32:
        """Features as the kernel measures them."""
        return standardise(features, self.mean, self.scale, self.importance)

    def distances(self, features: Array32) -> Array32:
        """Mean absolute difference from each reference host, shape (n_queries, n)."""
        return mean_differences(self.standardised(features), self.references)

    def voltages(self, distances: Array32, ions: NDArray[np.int64], content: Array) -> Array:
        """Voltages in V, shape (n_queries,).

        Args:
            distances: From ``distances``.
            ions: Index of each query's ion.
            content: Ions per host atom; NaN where not known.
        """
        between_ions = self.ion_kernel[np.ix_(ions, self.ions)]
        hosts = np.exp(-distances / self.settings.width)
        without = (between_ions * (hosts + self.settings.offset)) @ self.weights[0]
        known = np.isfinite(content)
        if not known.any():
            answer: Array = without + self.target_mean
            return answer
        filled = np.where(known, content, 0.0)
        like = content_kernel(filled, self.content, self.settings)
        with_content = (between_ions * (hosts * like + self.settings.offset)) @ self.weights[1]
        answer = np.where(known, with_content, without) + self.target_mean
        return answer


def standardise(features: Array32, mean: Array32, scale: Array32, importance: Array32 | None = None) -> Array32:
    """Features in deviations, clipped, each multiplied by how much it counts where that is given."""
    standardised = np.clip((features - mean) / scale, -CLIP, CLIP)
    weighted: Array32 = (standardised if importance is None else standardised * importance).astype(np.float32)
    return weighted


def content_kernel(a: Array, b: Array, settings: KRRSettings) -> Array:
    """Likeness of numbers of ions per host atom."""
    like: Array = np.exp(-np.abs(a[:, None] - b[None]) / settings.content_width)
    return like


def ion_kernel(descriptors: Array32, settings: KRRSettings) -> Array:
    """Likeness of ions from their standardised properties (without the one-hot), shape (n_ions, n_ions)."""
    square = ((descriptors[:, None].astype(np.float64) - descriptors[None]) ** 2).sum(-1)
    like: Array = (1 - settings.own) * np.exp(-square / (2 * settings.ion_width**2)) + settings.own * np.eye(
        len(descriptors)
    )
    return like


def fit_kernel(
    features: Array32,
    ions: NDArray[np.int64],
    content: Array,
    target: Array,
    descriptors: Array32,
    settings: KRRSettings,
    importance: Array32 | None = None,
) -> CrystalIonKRR:
    """Fit on training rows.

    Args:
        features: Shape (n, F).
        ions: Index of each row's ion.
        content: Ions per host atom, shape (n,), finite.
        target: V, shape (n,).
        descriptors: Standardised properties of the ions, shape (n_ions, P).
        settings: Settings of the kernel.
        importance: How much a difference in each feature counts, shape (F,); by default one as much as another.
    """
    mean, scale = features.mean(0), features.std(0) + 1e-6
    counts = np.ones(features.shape[1], dtype=np.float32) if importance is None else importance
    # Rounded as they will be stored, so that the loaded model is the one that was fitted.
    references = standardise(features, mean, scale, counts).astype(np.float16).astype(np.float32)
    similarity = ion_kernel(descriptors, settings)
    between_ions = similarity[np.ix_(ions, ions)]
    hosts = np.exp(-mean_differences(references, references).astype(np.float64) / settings.width)
    like = content_kernel(content, content, settings)
    offset = float(target.mean())
    weights = []
    for kernel in (hosts, hosts * like):
        matrix = between_ions * (kernel + settings.offset) + settings.ridge * np.eye(len(target))
        weights.append(np.linalg.solve(matrix, target - offset))
    return CrystalIonKRR(
        settings, mean, scale, counts, references, ions, content, similarity, np.array(weights), offset
    )
