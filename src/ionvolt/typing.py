"""Types that many rooms share: arrays by what they hold, and functions that are told how far work is.

Arrays have any number of dimensions; docstrings state shapes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers."""

Array32 = NDArray[np.float32]
"""Numbers in single precision."""

Indices = NDArray[np.int64]
"""Numbers of rows, atoms or ions."""

Mask = NDArray[np.bool_]
"""Which ones are meant."""

LogCallback = Callable[[str], None]
"""Called with words on what begins or has happened."""

ProgressCallback = Callable[[int, int, str], None]
"""Called with what is done, of how much (0: not known), and words on it, which may be empty."""

EpochCallback = Callable[[dict[str, float]], None]
"""Called after every epoch of a training with its record."""

MemberCallback = Callable[[int, dict[str, float]], None]
"""Called after every epoch of one member of an ensemble with the member's number and the epoch's record."""


def no_log(words: str) -> None:
    """A ``LogCallback`` that does nothing."""


def no_progress(done: int, total: int, label: str) -> None:
    """A ``ProgressCallback`` that does nothing."""
