"""The exponential of the compiled loops."""

import numpy as np
import pytest

from ionvolt.graphs._exponential_numba import exp_of_negative


def exponential(x: float) -> float:
    return float(exp_of_negative(np.float32(x)))


def test_it_is_that_of_single_precision() -> None:
    for x in np.linspace(-34.9, 0, 500).astype(np.float32):
        assert exponential(x) == pytest.approx(float(np.exp(np.float64(x))), rel=3e-7)


def test_nothing_that_is_multiplied_by_it_underflows() -> None:
    """Products of two of them are numbers that processors take at full speed."""
    for x in (-35.0, -60.0, -87.0, -1e30):
        assert exponential(-35.0) == exponential(x) > np.finfo(np.float32).tiny ** 0.5
