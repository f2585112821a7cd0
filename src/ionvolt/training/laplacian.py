"""Fit of the support vector machine with a Laplacian kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.descriptors import ION_FEATURES, element_table
from ionvolt.descriptors.host import HOST_FEATURES
from ionvolt.descriptors.host_and_ion import ElementData
from ionvolt.descriptors.ion_site import ION_SITE_FEATURES
from ionvolt.descriptors.redox import REDOX_FEATURES, redox_table
from ionvolt.models.differences import standardised, summed_differences
from ionvolt.models.laplacian import LaplacianMachine, in_bytes
from ionvolt.training.classical.fit import mean_and_scale
from ionvolt.training.scikit_learn import require_scikit_learn
from ionvolt.typing import Array


@dataclass(frozen=True)
class LaplacianSettings:
    """What shapes the kernel and its fit; chosen on framework folds 0 and 1 of seed 0.

    Attributes:
        gamma: Weight of the mean difference between hosts, in standardised features.
        redox: Share of the redox features in it.
        site: Share of the features of the ion's site; the others of the host have the rest.
        ion: Weight of the mean difference between ions, as a multiple of ``gamma``.
        penalty: C of the support vector machine, the labels in their standard deviation.
        tube: Its epsilon: errors below count as none.
        clip: Deviations from the mean at which features are cut.
    """

    gamma: float = 0.7
    redox: float = 0.4
    site: float = 0.15
    ion: float = 0.1
    penalty: float = 5.0
    tube: float = 0.05
    clip: float = 5.0


def element_data() -> ElementData:
    """Element data to train with.

    Raises:
        ModelError: matminer is not installed.
    """
    return ElementData(element_table(), redox_table())


def feature_weights(settings: LaplacianSettings) -> Array:
    """How much a deviation in each feature counts, shape (len(HOST_AND_ION_FEATURES),)."""
    blocks = (
        (len(HOST_FEATURES) - len(REDOX_FEATURES), 1 - settings.redox - settings.site),
        (len(REDOX_FEATURES), settings.redox),
        (len(ION_SITE_FEATURES), settings.site),
        (len(ION_FEATURES), settings.ion),
    )
    weights: Array = np.concatenate([np.full(n, settings.gamma * share / n) for n, share in blocks])
    return weights


def fit_laplacian(
    rows: Array, voltages: Array, settings: LaplacianSettings, weights: Array | None = None
) -> LaplacianMachine:
    """Fit a machine; nothing is drawn by chance.

    Args:
        rows: Features of the training electrodes, shape (n, p).
        voltages: In V, shape (n,).
        settings: Shape of the kernel.
        weights: How much a deviation in each feature counts, shape (p,); by default as ``feature_weights`` says.

    Raises:
        ModelError: scikit-learn is not installed.
    """
    require_scikit_learn()
    from sklearn.svm import SVR

    mean, scale = mean_and_scale(rows)
    references, unit = in_bytes(standardised(rows, mean, scale, settings.clip), settings.clip)
    weights = feature_weights(settings) if weights is None else weights
    weighted = (references * (weights * unit)).astype(np.float32)
    centre, width = float(voltages.mean()), float(voltages.std()) or 1.0
    machine = SVR(kernel="precomputed", C=settings.penalty, epsilon=settings.tube, cache_size=500)
    machine.fit(np.exp(-summed_differences(weighted, weighted).astype(np.float64)), (voltages - centre) / width)
    coefficients = np.zeros(len(rows))
    coefficients[machine.support_] = machine.dual_coef_[0] * width
    return LaplacianMachine(
        mean=mean,
        scale=scale,
        clip=settings.clip,
        weights=weights,
        references=references,
        unit=unit,
        voltages=voltages,
        coefficients=coefficients,
        intercept=float(machine.intercept_[0]) * width + centre,
    )
