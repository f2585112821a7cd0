"""Training of what tells whether an electrode is emptied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.mlip.full_extraction import FullExtractionClassifier

STRENGTH = 0.01
"""Inverse of the regularisation, of standardised facts."""


def fit_full_extraction(facts: NDArray[np.float64], emptied: NDArray[np.bool_]) -> FullExtractionClassifier:
    """Fit on electrodes.

    Args:
        facts: From ``full_extraction_features``, shape (n, N_FEATURES).
        emptied: Whether the charged host is free of the ion, shape (n,).
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = facts.mean(0), facts.std(0) + 1e-9
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((facts - mean) / scale, emptied)
    coefficients = fitted.coef_[0] / scale
    return FullExtractionClassifier(coefficients, float(fitted.intercept_[0] - coefficients @ mean))
