"""What results say, in numbers and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ionvolt.evaluation.metrics import intervals, metrics
from ionvolt.evaluation.results import Results
from ionvolt.ions import WORKING_IONS

BY_ELECTRODE = ("paper", "random")
"""Splits whose intervals resample electrodes; those of the others resample frameworks."""


def summarise(results: Results, models: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Errors of each model for each ion, over all seeds and folds.

    Returns:
        A record each, with ``model``, ``ion``, ``split``, ``seeds``, ``n_test`` (rows), the fields of ``Metrics`` (V),
        the ends of the 95 % intervals ``rmse_low`` to ``r2_high``, ``mae_by_seed`` and ``n_by_seed``,
        ``mae_of_mean_predictor`` (on the same rows) and ``seconds`` (of all the model's units, all ions together).
    """
    model, ion, seed = (results.column(name) for name in ("model", "ion", "seed"))
    target, predicted = results.column("target"), results.column("predicted")
    split = str(results.about.get("split", ""))
    if split in BY_ELECTRODE:
        parts = zip(results.column("snapshot"), results.column("battery_id"), ion, strict=True)
        groups = np.array([f"{snapshot}:{battery}:{of}" for snapshot, battery, of in parts])
    else:
        groups = results.column("framework")
    found = []
    for name in models or results.models:
        for symbol in (i for i in WORKING_IONS if i in set(ion)):
            rows = (model == name) & (ion == symbol)
            if not rows.any():
                continue
            of_mean = (model == "mean") & (ion == symbol) & np.isin(seed, np.unique(seed[rows]))
            record = {
                "model": name,
                "ion": symbol,
                "split": split,
                "seeds": len(set(seed[rows].tolist())),
                "n_test": int(rows.sum()),
                **asdict(metrics(target[rows], predicted[rows], groups[rows])),
                **intervals(target[rows], predicted[rows], groups[rows]),
                "mae_by_seed": [
                    float(np.abs(predicted - target)[rows & (seed == s)].mean()) for s in np.unique(seed[rows])
                ],
                "n_by_seed": [int((rows & (seed == s)).sum()) for s in np.unique(seed[rows])],
                "mae_of_mean_predictor": float(np.abs(predicted - target)[of_mean].mean()) if of_mean.any() else None,
                "seconds": _seconds(results, name),
            }
            found.append(_plain(record))
    return found


HEADER = (
    "model", "ion", "n", "rows", "MAE\n(V)", "95 % interval\n(V)", "median\n(V)", "within\n0.1 V", "within\n0.3 V",
    "RMSE\n(V)", "bias\n(V)", "R2", "mean's\nMAE (V)",
)  # fmt: skip
"""Heads of the table that ``as_rows`` fills."""


def as_rows(records: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Records as cells of a table for people."""
    rows = []
    for r in records:
        r2 = "–" if r["r2"] is None else f"{r['r2']:.2f}"
        mean = "–" if r["mae_of_mean_predictor"] is None else f"{r['mae_of_mean_predictor']:.3f}"
        interval = f"{r['mae_low']:.3f} to {r['mae_high']:.3f}"
        counts = [str(r[name]) for name in ("n", "n_test")]
        within = [f"{r[name]:.0%}" for name in ("within_01", "within_03")]
        errors = [f"{r['mae']:.3f}", interval, f"{r['median']:.3f}", *within]
        errors += [f"{r['rmse']:.3f}", f"{r['bias']:+.3f}", r2, mean]
        rows.append([r["model"], r["ion"], *counts, *errors])
    return rows


def _seconds(results: Results, model: str) -> float:
    columns = (results.column(name) for name in ("model", "seed", "fold", "seconds"))
    units = {(s, f): seconds for m, s, f, seconds in zip(*columns, strict=True) if m == model}
    return float(sum(units.values()))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 4) if np.isfinite(value) else None
        return [plain(v) for v in value] if isinstance(value, list) else value

    return {key: plain(value) for key, value in record.items()}
