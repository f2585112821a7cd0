"""Principal components, and the extra that further projections need."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import IonVoltError


@dataclass(frozen=True)
class Projection:
    """Vectors on their principal components.

    Attributes:
        scores: Shape (n, k), in the units of the vectors; the largest score of each component is positive.
        axes: The components as rows, shape (k, n_features).
        explained: Share of the variance that each component carries, shape (k,).
    """

    scores: NDArray[np.float64]
    axes: NDArray[np.float64]
    explained: NDArray[np.float64]


def principal_components(vectors: NDArray[Any], k: int) -> Projection:
    """The first ``k`` principal components of vectors of shape (n, n_features), centred, not scaled."""
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(0)
    # The scatter matrix is small whatever n; its eigenvectors are the components.
    variances, axes = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(-variances)[:k]
    axes = axes[:, order].T
    scores = centred @ axes.T
    signs = np.sign(scores[np.abs(scores).argmax(0), np.arange(len(axes))])
    signs[signs == 0] = 1.0
    return Projection(scores * signs, axes * signs[:, None], variances[order] / max(variances.sum(), 1e-300))


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn, such as ``manifold``.

    Raises:
        IonVoltError: It is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise IonVoltError(
            "explain: scikit-learn is not installed. Install it: pip install 'ionvolt[baselines]'"
        ) from None
