"""How far feature rows lie apart, as Laplacian kernels and applicability domains measure it."""

from __future__ import annotations

import numpy as np

from ionvolt.typing import Array, Array32


def standardised(rows: Array, mean: Array, scale: Array, clip: float) -> Array:
    """Feature rows less the mean, by the deviation, at most ``clip`` from 0; shape (n, p)."""
    result: Array = np.clip((rows - mean) / scale, -clip, clip)
    return result


def summed_differences(a: Array32, b: Array32) -> Array32:
    """Sum of absolute differences of every row of ``a`` from every row of ``b``, shape (len(a), len(b))."""
    try:
        from ionvolt.models._differences_numba import summed_differences as compiled
    except ImportError:
        from scipy.spatial.distance import cdist

        plain: Array32 = cdist(a, b, "cityblock").astype(np.float32)
        return plain
    found: Array32 = compiled(np.ascontiguousarray(a), np.ascontiguousarray(b))
    return found


def mean_differences(a: Array32, b: Array32) -> Array32:
    """The same, in the mean over the features."""
    return summed_differences(a, b) / np.float32(a.shape[1])
