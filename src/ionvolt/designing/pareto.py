"""Pareto fronts: what is not beaten in everything at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fronts(values: Sequence[Sequence[float]]) -> list[int]:
    """The front of each point, from 1: those of the first are beaten by none, those of the next by the first only.

    A point is beaten by one that is at least as good in all and better in one. Equal points share a front.

    Args:
        values: For each point what is to be high, finite, equally many for all.
    """
    if not values:
        return []
    points = np.array(values, dtype=np.float64).reshape(len(values), -1)
    at_least = (points[:, None, :] >= points[None, :, :]).all(axis=2)
    better = (points[:, None, :] > points[None, :, :]).any(axis=2)
    beats: NDArray[np.bool_] = np.asarray(at_least & better)
    found = np.zeros(len(points), dtype=np.int64)
    front = 0
    while (left := found == 0).any():
        front += 1
        found[left & ~beats[left].any(axis=0)] = front
    return [int(number) for number in found]
