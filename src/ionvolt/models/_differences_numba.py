"""Differences of feature rows, compiled."""

from __future__ import annotations

import numpy as np

from ionvolt.graphs.compilation import cached_njit


@cached_njit(nogil=True, fastmath=True)
def summed_differences(a, b):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Sum of absolute differences of every row of a from every row of b, single precision, shape (len(a), len(b))."""
    found = np.empty((a.shape[0], b.shape[0]), dtype=np.float32)
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = np.float32(0)
            for k in range(a.shape[1]):
                total += abs(a[i, k] - b[j, k])
            found[i, j] = total
    return found
