"""Products with CHGNet's matrices, in pieces that one thread computes best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MULTIPLICATIONS = 2**18
"""In one product. OpenBLAS starts threads for larger ones, which cost more than they gain here; smaller ones it has
faster code for."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix by which rows are multiplied from the right.

    Attributes:
        matrix: Shape (n_in, n_out).
        turned: Its transpose, in memory, too: products with rows of memory are faster.
    """

    matrix: Array
    turned: Array

    @classmethod
    def of(cls, matrix: NDArray[np.floating]) -> Linear:
        """From a matrix of any precision."""
        single = np.ascontiguousarray(matrix, dtype=np.float32)
        return cls(single, np.ascontiguousarray(single.T))

    def __call__(self, rows: Array, out: Array | None = None) -> Array:
        """Rows of shape (n, n_in) to rows of shape (n, n_out)."""
        return _product(rows, self.matrix, out)

    def back(self, rows: Array, out: Array | None = None) -> Array:
        """Gradient of what went in, from that of what came out."""
        return _product(rows, self.turned, out)


def _product(rows: Array, matrix: Array, out: Array | None) -> Array:
    n, (n_in, n_out) = len(rows), matrix.shape
    if out is None:
        out = np.empty((n, n_out), dtype=np.float32)
    piece = max(1, MULTIPLICATIONS // (n_in * n_out))
    whole = n - n % piece
    if whole:
        np.matmul(rows[:whole].reshape(-1, piece, n_in), matrix, out=out[:whole].reshape(-1, piece, n_out))
    if whole < n:
        np.matmul(rows[whole:], matrix, out=out[whole:])
    return out
