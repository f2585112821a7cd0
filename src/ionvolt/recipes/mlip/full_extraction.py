"""The learner that tells whether an electrode gives up all its ions: facts, fit, held-out test, card entry.

What inference needs of it, the facts of a single electrode and the classifier, stands in
``models.mlip.full_extraction``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import Record
from ionvolt.models.interface import FULL_EXTRACTION_THRESHOLD
from ionvolt.models.mlip.full_extraction import FullExtractionClassifier, full_extraction_features
from ionvolt.recipes.mlip.cross_validation import folds, parts_of
from ionvolt.recipes.mlip.rows import PartRows, Table
from ionvolt.recipes.mlip.settings import MlipSettings
from ionvolt.training.scikit_learn import require_scikit_learn
from ionvolt.typing import Array, Indices, Mask

RECORD = "full extraction"
"""Under which the card's evaluation holds the report."""

STRENGTH = 0.01
"""Inverse of the regularisation, of standardised facts."""


@dataclass(frozen=True, eq=False)
class ExtractionRows:
    """Electrodes as the classifier learns from them.

    Attributes:
        part: Both end members, whose order the rows have.
        features: Shape (n, N_FEATURES).
        fully_extracted: Whether the label is that of giving up all ions, shape (n,).
    """

    part: PartRows
    features: Array
    fully_extracted: Mask


def extraction_rows(table: Table) -> ExtractionRows:
    """What is learned from: the discharged structures of the part ``both``."""
    part = table.parts["both"]
    data = table.data[part.rows]
    features = [
        full_extraction_features(pair.discharged, e.discharged, WORKING_IONS[e.working_ion])
        for pair, e in zip(part.pairs, data, strict=True)
        if e.discharged is not None
    ]
    return ExtractionRows(part, np.array(features), fully_extracted(data))


def fully_extracted(data: ElectrodeSet) -> Mask:
    """Whether the charged hosts are free of the ion."""
    return np.array([WORKING_IONS[e.working_ion].number not in e.host.numbers for e in data], dtype=bool)


def fit_full_extraction(features: Array, fully_extracted: Mask) -> FullExtractionClassifier:
    """Fit a logistic regression on electrodes; where all are alike, the answer is the share with a pinch of doubt.

    Args:
        features: From ``full_extraction_features``, shape (n, N_FEATURES).
        fully_extracted: Whether the charged host is free of the ion, shape (n,).

    Raises:
        ModelError: scikit-learn is not installed.
    """
    if fully_extracted.all() or not fully_extracted.any():
        share = (float(fully_extracted.sum()) + 1) / (len(fully_extracted) + 2)
        return FullExtractionClassifier(np.zeros(features.shape[1]), float(np.log(share / (1 - share))))
    require_scikit_learn()
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(0), features.std(0) + 1e-9
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((features - mean) / scale, fully_extracted)
    coefficients = fitted.coef_[0] / scale
    return FullExtractionClassifier(coefficients, float(fitted.intercept_[0] - coefficients @ mean))


def fit(rows: ExtractionRows, places: Indices) -> FullExtractionClassifier:
    """Fit on some of the rows."""
    return fit_full_extraction(rows.features[places], rows.fully_extracted[places])


def held_out_probabilities(rows: ExtractionRows, table: Table, settings: MlipSettings) -> Array:
    """Probability that each row is fully extracted, by a classifier fitted without its fold, shape (n,)."""
    probabilities = np.full(len(rows.part), np.nan)
    for test_rows in folds(table.data, settings.calibrating("both"), settings.n_folds):
        train, tested = parts_of(rows.part, test_rows)
        model = fit(rows, train)
        probabilities[tested] = 1 / (1 + np.exp(-(rows.features[tested] @ model.coefficients + model.constant)))
    return probabilities


def report(rows: ExtractionRows, probabilities: Array, settings: MlipSettings) -> Record:
    """What the Δ-model's card says of it: how often a model without the electrode's framework is right."""
    fully_extracted, test = rows.fully_extracted, settings.calibrating("both")
    note = f"{test.split} {settings.n_folds}-fold"
    values: dict[str, Any] = {
        "n": len(fully_extracted),
        "share_fully_extracted": round(float(fully_extracted.mean()), 3),
        "right": round(float(((probabilities >= FULL_EXTRACTION_THRESHOLD) == fully_extracted).mean()), 3),
    }
    if not fully_extracted.all() and fully_extracted.any():
        from sklearn.metrics import log_loss, roc_auc_score

        values["area_under_roc"] = round(float(roc_auc_score(fully_extracted, probabilities)), 3)
        values["log_loss"] = round(float(log_loss(fully_extracted, probabilities)), 3)
    return Record(RECORD, values=values, note=note)
