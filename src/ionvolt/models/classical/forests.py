"""Forests of regression trees as flat arrays, walked with numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.typing import Array

_WALKS_AT_ONCE = 500_000


@dataclass(frozen=True, eq=False)
class Forest:
    """Regression trees whose mean is the voltage; the nodes of all trees one after another.

    A row goes left where its feature, in single precision, is at most the threshold. A leaf is its own child. Children
    come after their parents, so that every walk ends.

    Attributes:
        roots: First node of each tree, shape (n_trees,), int64.
        left: Left child of each node, shape (n_nodes,), int32.
        right: Right child, int32.
        feature: Column that is asked, int16.
        threshold: Largest single-precision value that goes left, float32.
        value: Voltage of a leaf in V, float32.
        n_features: Columns that it reads.
    """

    roots: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    value: NDArray[np.float32]
    n_features: int

    def __post_init__(self) -> None:
        n = len(self.left)
        nodes = np.arange(n)
        if any(a.shape != (n,) for a in (self.right, self.feature, self.threshold, self.value)):
            raise ValueError("the arrays of the forest are not of one length")
        if not self.roots.size or self.roots.min() < 0 or self.roots.max() >= n:
            raise ValueError("a tree of the forest has no root")
        leaf = (self.left == nodes) & (self.right == nodes)
        inner = (self.left > nodes) & (self.right > nodes) & (self.left < n) & (self.right < n)
        if not (leaf | inner).all():
            raise ValueError("a node of the forest has children that are not below it")
        if self.feature.min() < 0 or self.feature.max() >= self.n_features:
            raise ValueError("a node of the forest asks for a feature that there is not")

    def predict(self, rows: Array) -> Array:
        """Voltages in V of feature rows, shape (n, n_features) -> (n,)."""
        rows32 = np.ascontiguousarray(rows, dtype=np.float32)
        step = max(1, _WALKS_AT_ONCE // len(self.roots))
        parts = [self._walk(rows32[start : start + step]) for start in range(0, len(rows32), step)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _walk(self, rows: NDArray[np.float32]) -> Array:
        n_trees = len(self.roots)
        node = np.repeat(self.roots, len(rows))
        row = np.tile(np.arange(len(rows)), n_trees)
        active = np.arange(node.size)
        while active.size:
            at = node[active]
            goes_left = rows[row[active], self.feature[at]] <= self.threshold[at]
            below = np.where(goes_left, self.left[at], self.right[at]).astype(np.int64)
            node[active] = below
            active = active[below != at]
        leaves = self.value[node].astype(np.float64).reshape(n_trees, len(rows))
        mean: Array = leaves.mean(0)
        return mean

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is stored, by name."""
        names = ("roots", "left", "right", "feature", "threshold", "value")
        return {name: getattr(self, name) for name in names} | {"n_features": np.array([self.n_features])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Forest:
        """The forest of stored arrays."""
        return cls(
            roots=arrays["roots"].astype(np.int64),
            left=arrays["left"].astype(np.int32),
            right=arrays["right"].astype(np.int32),
            feature=arrays["feature"].astype(np.int16),
            threshold=arrays["threshold"].astype(np.float32),
            value=arrays["value"].astype(np.float32),
            n_features=int(arrays["n_features"][0]),
        )
