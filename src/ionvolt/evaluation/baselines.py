"""A classical model trained on a data set, tested once, with its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ionvolt._version import __version__
from ionvolt.datasets import ElectrodeSet
from ionvolt.descriptors import element_table
from ionvolt.errors import DataError
from ionvolt.evaluation.leakage import drop_leaking_rows, groups_disjoint
from ionvolt.evaluation.learners import features_of
from ionvolt.evaluation.metrics import metrics
from ionvolt.evaluation.protocol import Kind, Protocol
from ionvolt.models.card import TEST, ModelCard, Record
from ionvolt.models.classical.model import KIND, ClassicalModel
from ionvolt.training.classical.fit import Name, fit_classical
from ionvolt.typing import Indices, LogCallback, no_log


def train_baseline(
    data: ElectrodeSet,
    learner: Name,
    ions: Sequence[str],
    name: str,
    *,
    split: Kind = "random",
    seed: int = 0,
    about: dict[str, Any] | None = None,
    final: bool = False,
    log: LogCallback = no_log,
) -> ClassicalModel:
    """Train on all but the test part and test there, once.

    Args:
        data: Cleaned electrodes.
        learner: Name of the learner.
        ions: One ion, or several that one model answers for: it then reads the ion's own features, too.
        name: Name of the model.
        split: ``random`` or ``framework``.
        seed: Seed of the split and the learner.
        about: Facts about the data, for the card.
        final: Learn from all rows; there is no test then.
        log: Told what is being done.

    Raises:
        DataError: Fewer than 10 electrodes to train on.
    """
    unit = next(Protocol(split, ions=tuple(ions), seeds=(seed,)).units(data))
    test: Indices = np.empty(0, dtype=np.int64) if final else unit.test
    of_ions = np.flatnonzero(np.isin(data.ions, list(ions)))
    pool = drop_leaking_rows(data, np.setdiff1d(of_ions, test), test)
    if len(pool) < 10:
        raise DataError(f"{', '.join(ions)}: only {len(pool)} electrodes to train on. At least 10 are needed")
    reads_ion = len(ions) > 1
    rows = features_of(data[np.concatenate([pool, test])], log, with_ion=reads_ion)
    by_framework = split == "framework" if final else groups_disjoint(data, pool, test)
    groups = data.frameworks[pool] if by_framework else None
    log("search of settings")
    fit = fit_classical(learner, rows[: len(pool)], data.voltages[pool], groups=groups, seed=seed)
    card = ModelCard(name, kind=KIND, attribution=str(data.provenance.get("attribution", "")))
    card.description = f"{learner} on composition and structure features of the charged host."
    card.training = {
        **(about or {}),
        "learner": learner,
        "settings": fit.settings,
        "inner_mae_V": None if np.isnan(fit.inner_mae) else round(fit.inner_mae, 4),
        "split": "none: all rows" if final else split,
        "split_seed": seed,
        "ionvolt_version": __version__,
        "frameworks": sorted(set(data.frameworks[pool].tolist())),
    }
    predicted = fit.predictor.predict(rows[len(pool) :]) if len(test) else np.empty(0)
    for ion in ions:
        own = pool[data.ions[pool] == ion]
        elements = sorted({int(z) for row in own for z in np.unique(data[int(row)].host.numbers)})
        card.add_ion(ion, elements, {"n_train": len(own), "n_test": int((data.ions[test] == ion).sum())})
        of_ion = data.ions[test] == ion
        if of_ion.any() and len(own):
            target = data.voltages[test][of_ion]
            errors = asdict(metrics(target, predicted[of_ion], data.frameworks[test][of_ion]))
            errors["mae_of_mean_predictor"] = float(np.abs(target - data.voltages[own].mean()).mean())
            values = {k: round(v, 4) if isinstance(v, float) else v for k, v in errors.items()}
            card.evaluation.append(Record(TEST, ion, values=values))
    return ClassicalModel(fit.predictor, element_table(), card, reads_ion)
