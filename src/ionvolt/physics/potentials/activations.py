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
