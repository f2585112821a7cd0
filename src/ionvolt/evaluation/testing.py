"""The one test of a trained ensemble, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt._version import __version__
from ionvolt.evaluation.metrics import metrics
from ionvolt.graphs import CrystalGraph
from ionvolt.models.card import TEST, ModelCard, Record
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.training.cgcnn.runs import EnsembleParts, Mode
from ionvolt.training.loop import History
from ionvolt.training.settings import Settings


def as_ensemble(networks: Sequence[CGCNN], ion: str, name: str) -> Ensemble:
    """Members with a head for one ion, and a card that is still to be filled."""
    return ensemble_of([n.trunk for n in networks], {ion: [n.head for n in networks]}, ModelCard(name=name))


def calibrate_std(errors: NDArray[np.float64], spreads: NDArray[np.float64]) -> dict[str, float]:
    """How an ensemble's spread becomes one standard deviation of the expected error.

    std = scale sqrt(spread^2 + floor^2): the spread of a few members is itself uncertain, so its median serves as
    a floor; the scale is that at which 68 % of held-out errors lie within one std.

    Args:
        errors: Predicted minus true voltages of held-out electrodes, V, shape (n,).
        spreads: Standard deviation over the members for each of them, V, shape (n,).

    Returns:
        ``std_scale`` and ``std_floor`` (V), as ``Prediction.voltage_std`` reads them from the card.
    """
    floor = float(np.median(spreads))
    std = np.sqrt(spreads**2 + floor**2)
    usable = std > 1e-9
    scale = float(np.quantile(np.abs(errors[usable]) / std[usable], 0.6827)) if usable.any() else 1.0
    return {"std_scale": _rounded(scale), "std_floor": _rounded(floor)}


def describe_and_test(
    ensemble: Ensemble,
    parts: EnsembleParts,
    ion: str,
    histories: Sequence[History],
    settings: Settings,
    *,
    graphs: Sequence[CrystalGraph],
    mode: Mode,
    about: dict[str, Any],
    pretraining_frameworks: set[str] | None = None,
) -> Ensemble:
    """Test an ensemble on the test part, once, and write what there is to know into its card.

    Args:
        ensemble: Trained on ``parts``; its card is changed.
        parts: Rows of the ion and their split.
        ion: Working ion.
        histories: Histories of the members.
        settings: That they were trained with.
        graphs: Graphs of the rows.
        mode: How they were trained.
        about: Facts about the data, for the card.
        pretraining_frameworks: What a transferred network had seen before; the card says how many test rows it touches.
    """
    rows, split = parts.rows, parts.split
    used = np.unique(np.concatenate([np.concatenate(pair) for pair in parts.members]))
    facts: dict[str, Any] = {
        "mode": mode,
        "n_train": len(parts.members[0][0]),
        "n_validation": len(parts.members[0][1]),
        "n_test": len(split.test),
        "validation_mae_V": [round(h.best_mae, 4) for h in histories],
        "best_epochs": [h.best_epoch for h in histories],
    }
    card = ensemble.card
    if len(split.test):
        target = rows.voltages[split.test]
        members = ensemble.voltages([graphs[i] for i in split.test], [ion])[0]
        frameworks = rows.frameworks[split.test]
        values = {k: _rounded(v) for k, v in asdict(metrics(target, members.mean(0), frameworks)).items()}
        mean = float(rows.voltages[used].mean())
        values["mae_of_mean_predictor"] = _rounded(float(np.abs(target - mean).mean()))
        card.evaluation.append(Record(TEST, ion, values=values))
        if len(members) > 1:
            scale = calibrate_std(members.mean(0) - target, members.std(0, ddof=1))
            card.hyperparameters.setdefault("calibration", {})[ion] = scale
        if pretraining_frameworks is not None:
            seen = np.isin(frameworks, sorted(pretraining_frameworks))
            facts["test_rows_of_pretraining_frameworks"] = int(seen.sum())
    card.training = {
        **about,
        "split": split.kind,
        "split_seed": split.seed,
        "settings": asdict(settings),
        "ionvolt_version": __version__,
        "frameworks": sorted(set(rows.frameworks[used].tolist()) | (pretraining_frameworks or set())),
    }
    card.add_ion(ion, elements_of(parts, used), facts)
    card.attribution = str(rows.provenance.get("attribution", ""))
    return ensemble


def elements_of(parts: EnsembleParts, rows: NDArray[np.int64]) -> list[int]:
    """Atomic numbers in the hosts of some rows."""
    return sorted({int(z) for i in rows for z in np.unique(parts.rows[int(i)].host.numbers)})


def _rounded(value: float | int) -> float | int:
    return value if isinstance(value, int) else round(float(value), 4)
