"""The exponential function for compiled loops (numba), of single precision."""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

_f = np.float32
_ONE, _HALF = _f(1), _f(0.5)
_LOG2E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_E0, _E1, _E2 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
_E3, _E4, _E5 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
_LOWEST = _f(-35)
"""Below it the exponential stays as it is there, 6e-16: products with smaller ones underflow, and many processors take
a hundred times as long for such numbers."""
_BIAS, _SHIFT = np.int32(127), np.int32(23)


@njit(inline="always")
def exp_of_negative(x):
    """exp(x) for x <= 0 to 1e-7 relative (Cephes' expf; from ``_LOWEST`` on), as the compiler can vectorise it."""
    x = max(x, _LOWEST)
    n = np.floor(x * _LOG2E + _HALF)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = ((((_E0 * r + _E1) * r + _E2) * r + _E3) * r + _E4) * r + _E5
    bits = np.int32((np.int32(n) + _BIAS) << _SHIFT)
    return (p * r * r + r + _ONE) * bits.view(np.float32)
