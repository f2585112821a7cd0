"""The learner that tells whether an electrode gives up all its ions: facts, fit, held-out test, card entry.

What inference needs of it, the facts of a single electrode and the classifier, stands in
``models.mlip.full_extraction``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import ModelError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import Record
from ionvolt.models.mlip.full_extraction import (
    FULL_EXTRACTION_THRESHOLD,
    FullExtractionClassifier,
    full_extraction_features,
)
from ionvolt.recipes.job import Indices
from ionvolt.recipes.mlip.cross_validation import folds, parts_of
from ionvolt.recipes.mlip.rows import PartRows, Table
from ionvolt.recipes.mlip.settings import MlipSettings

RECORD = "full extraction"
"""Under which the card's evaluation holds the report."""

STRENGTH = 0.01
"""Inverse of the regularisation, of standardised facts."""

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ExtractionRows:
    """Electrodes as the classifier learns from them.

    Attributes:
        part: Both end members, whose order the rows have.
        facts: Shape (n, N_FEATURES).
        emptied: Whether the label is that of giving up all ions, shape (n,).
    """

    part: PartRows
    facts: Vector
    emptied: Mask


def extraction_rows(table: Table) -> ExtractionRows:
    """What is learned from: the discharged structures of the part ``both``."""
    part = table.parts["both"]
    data = table.data[part.rows]
    facts = [
        full_extraction_features(pair.discharged, e.discharged, WORKING_IONS[e.working_ion])
        for pair, e in zip(part.pairs, data, strict=True)
        if e.discharged is not None
    ]
    return ExtractionRows(part, np.array(facts), emptied(data))


def emptied(data: ElectrodeSet) -> Mask:
    """Whether the charged hosts are free of the ion."""
    return np.array([WORKING_IONS[e.working_ion].number not in e.host.numbers for e in data], dtype=bool)


def fit_full_extraction(facts: Vector, emptied: Mask) -> FullExtractionClassifier:
    """Fit a logistic regression on electrodes; where all are alike, the answer is the share with a pinch of doubt.

    Args:
        facts: From ``full_extraction_features``, shape (n, N_FEATURES).
        emptied: Whether the charged host is free of the ion, shape (n,).

    Raises:
        ModelError: scikit-learn is not installed.
    """
    if emptied.all() or not emptied.any():
        share = (float(emptied.sum()) + 1) / (len(emptied) + 2)
        return FullExtractionClassifier(np.zeros(facts.shape[1]), float(np.log(share / (1 - share))))
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ModelError(
            "recipe: scikit-learn is not installed. Install it: pip install 'ionvolt[baselines]'"
        ) from error
    mean, scale = facts.mean(0), facts.std(0) + 1e-9
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((facts - mean) / scale, emptied)
    coefficients = fitted.coef_[0] / scale
    return FullExtractionClassifier(coefficients, float(fitted.intercept_[0] - coefficients @ mean))


def fit(rows: ExtractionRows, places: Indices) -> FullExtractionClassifier:
    """Fit on some of the rows."""
    return fit_full_extraction(rows.facts[places], rows.emptied[places])


def held_out_chances(rows: ExtractionRows, table: Table, settings: MlipSettings) -> Vector:
    """How likely each row is emptied, told by what was learned without its fold, shape (n,)."""
    chances = np.full(len(rows.part), np.nan)
    for test_rows in folds(table.data, settings.calibrating("both"), settings.n_folds):
        train, tested = parts_of(rows.part, test_rows)
        model = fit(rows, train)
        chances[tested] = 1 / (1 + np.exp(-(rows.facts[tested] @ model.coefficients + model.constant)))
    return chances


def report(rows: ExtractionRows, chances: Vector, settings: MlipSettings) -> Record:
    """What the Δ-model's card says of it: how often a model without the electrode's framework is right."""
    emptied, test = rows.emptied, settings.calibrating("both")
    note = f"{test.split} {settings.n_folds}-fold"
    values: dict[str, Any] = {
        "n": len(emptied),
        "share_emptied": round(float(emptied.mean()), 3),
        "right": round(float(((chances >= FULL_EXTRACTION_THRESHOLD) == emptied).mean()), 3),
    }
    if not emptied.all() and emptied.any():
        from sklearn.metrics import log_loss, roc_auc_score

        values["area_under_roc"] = round(float(roc_auc_score(emptied, chances)), 3)
        values["log_loss"] = round(float(log_loss(emptied, chances)), 3)
    return Record(RECORD, values=values, note=note)
