"""How far crystals are from the training hosts of an ion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.typing import Array


class References:
    """Training hosts, made ready to measure distances from: |a - b|² = |a|² - 2 a b + |b|², in double precision."""

    def __init__(self, vectors: NDArray[np.generic]) -> None:
        self.vectors = vectors.astype(np.float64)
        self.squares = (self.vectors**2).sum(1)

    def nearest(self, vectors: NDArray[np.generic]) -> Array:
        """Euclidean distance of vectors, shape (n, N_FEATURES), from the nearest host, shape (n,)."""
        given = vectors.astype(np.float64)
        squares = (self.squares - 2 * given @ self.vectors.T).min(1) + (given**2).sum(1)
        distances: Array = np.sqrt(np.maximum(squares, 0))
        return distances
