"""Activations of networks that answer without PyTorch."""

from __future__ import annotations

import numpy as np

from ionvolt.typing import Array32


def silu(values: Array32) -> Array32:
    """The SiLU, x / (1 + exp(-x)), written in place of the values."""
    # Where exp(-x) is more than a number holds, the quotient is zero, as it should be.
    with np.errstate(over="ignore"):
        below = np.exp(-values)
    below += 1
    values /= below
    return values


def silu_and_slope(values: Array32) -> tuple[Array32, Array32]:
    """The SiLU of values, which stay as they are, and its derivative."""
    active = silu(values.copy())
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-values))
    slope = sigmoid * (1 + values * (1 - sigmoid))
    return active, slope.astype(np.float32, copy=False)
