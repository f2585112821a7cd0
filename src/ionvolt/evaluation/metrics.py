"""Errors of predicted voltages, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Metrics:
    """Errors over n electrodes; all voltages in V.

    Attributes:
        n: What the interval resamples: electrodes (one that is tested in several splits counts once), or the groups.
        mae: Mean absolute error.
        mae_low: Lower end of the 95 % bootstrap interval of the MAE.
        mae_high: Upper end.
        median: Median absolute error: the mean is made by the tail.
        within_01: Share of errors of at most 0.1 V.
        within_03: Share of errors of at most 0.3 V.
        rmse: Root mean squared error.
        bias: Mean of predicted minus target.
        r2: Coefficient of determination.
    """

    n: int
    mae: float
    mae_low: float
    mae_high: float
    median: float
    within_01: float
    within_03: float
    rmse: float
    bias: float
    r2: float


def metrics(
    target: ArrayLike, predicted: ArrayLike, groups: ArrayLike | None = None, *, n_bootstrap: int = 2000, seed: int = 0
) -> Metrics:
    """Errors of predictions; the interval resamples whole groups.

    Args:
        target: Voltages in V, shape (n,).
        predicted: Same shape.
        groups: What is resampled together, shape (n,): the electrode's id where it is tested in several splits, or its
            framework. Default: every row by itself.
        n_bootstrap: Resamples for the interval.
        seed: Seed of the resampling.
    """
    y, p = np.asarray(target, dtype=float), np.asarray(predicted, dtype=float)
    if y.shape != p.shape or y.ndim != 1 or y.size == 0:
        raise ValueError(f"metrics needs two equal, non-empty vectors, not {y.shape} and {p.shape}")
    error = p - y
    labels = np.arange(y.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    off = np.abs(error)
    sums = np.bincount(labels, off)
    sizes = np.bincount(labels)
    draw = np.random.default_rng(seed).integers(0, sizes.size, size=(n_bootstrap, sizes.size))
    low, high = np.quantile(sums[draw].sum(1) / sizes[draw].sum(1), [0.025, 0.975])
    spread = float(((y - y.mean()) ** 2).sum())
    return Metrics(
        n=int(sizes.size),
        mae=float(off.mean()),
        mae_low=float(low),
        mae_high=float(high),
        median=float(np.median(off)),
        within_01=share_within(off, 0.1),
        within_03=share_within(off, 0.3),
        rmse=float(np.sqrt((error**2).mean())),
        bias=float(error.mean()),
        r2=float(1 - (error**2).sum() / spread) if spread > 0 else float("nan"),
    )


def share_within(off: NDArray[np.float64], volts: float) -> float:
    """Share of absolute errors (V) of at most ``volts``; one that is larger by rounding alone counts."""
    return float((off <= volts + 1e-9).mean())


def words_of_test(values: Mapping[str, float]) -> str:
    """What a model's card says of its test, ``metrics`` by name and ``mae_of_mean_predictor``, in a line."""
    return (
        f"MAE {values['mae']:.3f} V, 95 % interval {values['mae_low']:.3f} to {values['mae_high']:.3f}, "
        f"median {values['median']:.3f}, {values['within_01']:.0%} within 0.1 V, {values['within_03']:.0%} "
        f"within 0.3 V; mean predictor {values['mae_of_mean_predictor']:.3f}"
    )


def intervals(
    target: ArrayLike, predicted: ArrayLike, groups: ArrayLike | None = None, *, n_bootstrap: int = 2000, seed: int = 0
) -> dict[str, float]:
    """95 % bootstrap intervals of RMSE (V), bias (V) and R2, resampled as in ``metrics``.

    Returns:
        ``rmse_low``, ``rmse_high``, ``bias_low``, ``bias_high``, ``r2_low``, ``r2_high``; those of R2 are nan where
        some resample has equal targets only.
    """
    y, p = np.asarray(target, dtype=float), np.asarray(predicted, dtype=float)
    labels = np.arange(y.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    error = p - y
    centred = y - y.mean()
    sums = [np.bincount(labels, values) for values in (np.ones(y.size), error, error**2, centred, centred**2)]
    draw = np.random.default_rng(seed).integers(0, sums[0].size, size=(n_bootstrap, sums[0].size))
    n, e, ee, t, tt = (part[draw].sum(1) for part in sums)
    spread = tt - t**2 / n
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(spread > 1e-12 * np.maximum(tt, 1e-300), 1 - ee / spread, np.nan)
    found: dict[str, float] = {}
    for name, values in {"rmse": np.sqrt(ee / n), "bias": e / n, "r2": r2}.items():
        low, high = np.quantile(values, [0.025, 0.975])
        found |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return found
