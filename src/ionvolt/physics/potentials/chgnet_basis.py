"""Functions of lengths and angles in which CHGNet's bonds and angles enter, and their slopes.

Functions stand in rows, bonds or angles in columns: sines of many numbers are taken at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEARLY_ONE = 1 - 1e-6
"""By which the package multiplies cosines, so that no angle is straight."""


@dataclass(frozen=True, eq=False)
class Radial:
    """Bessel functions that end at a cut-off with a polynomial (Gasteiger et al., arXiv 2003.03123, eqs. 7 and 8).

    Attributes:
        frequencies: Learned, shape (n_radial,).
        cutoff: Å.
        power: Of the polynomial.
    """

    frequencies: NDArray[np.float32]
    cutoff: float
    power: int

    def __call__(self, lengths: NDArray[np.float64]) -> NDArray[np.float32]:
        """Of lengths in Å, shape (n_radial, n)."""
        height, _ = self._heights(lengths)
        waves: NDArray[np.float32] = np.sin(self._phases(lengths))
        waves *= height.astype(np.float32)
        return waves

    def slopes(self, lengths: NDArray[np.float64], gradient: NDArray[np.float32]) -> NDArray[np.float64]:
        """Gradient of lengths, shape (n,), from that of the functions, shape (n_radial, n)."""
        height, slope = self._heights(lengths)
        phases = self._phases(lengths)
        along_sines = (gradient * np.sin(phases)).sum(0)
        along_cosines = ((self.frequencies / self.cutoff)[:, None] * gradient * np.cos(phases)).sum(0)
        found: NDArray[np.float64] = slope * along_sines + height * along_cosines
        return found

    def _phases(self, lengths: NDArray[np.float64]) -> NDArray[np.float32]:
        return self.frequencies[:, None] * (lengths / self.cutoff).astype(np.float32)

    def _heights(self, lengths: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the sines are multiplied by, and its slope."""
        p, d = self.power, lengths / self.cutoff
        a, b, c = -(p + 1) * (p + 2) / 2, p * (p + 2), -p * (p + 1) / 2
        before = d ** (p - 1)
        inside = d < 1
        end = np.where(inside, 1 + before * d * (a + d * (b + d * c)), 0)
        end_slope = np.where(inside, before * (a * p + d * (b * (p + 1) + d * c * (p + 2))), 0) / self.cutoff
        factor = (2 / self.cutoff) ** 0.5 / lengths
        return factor * end, factor * (end_slope - end / lengths)


@dataclass(frozen=True, eq=False)
class Fourier:
    """Sines and cosines of angles; 1 before them. Common factors stand with the weights.

    Attributes:
        frequencies: Learned, shape (n,).
    """

    frequencies: NDArray[np.float32]

    def __call__(self, cosines: NDArray[np.float64]) -> NDArray[np.float32]:
        """Of angles' cosines, shape (1 + 2 n, n_angles)."""
        phases = self.frequencies[:, None] * np.arccos(_NEARLY_ONE * cosines).astype(np.float32)
        n = len(phases)
        functions = np.empty((1 + 2 * n, cosines.size), dtype=np.float32)
        functions[0] = 1
        np.sin(phases, out=functions[1 : n + 1])
        np.cos(phases, out=functions[n + 1 :])
        return functions

    def slopes(
        self, cosines: NDArray[np.float64], functions: NDArray[np.float32], gradient: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Gradient of the cosines, shape (n_angles,), from that of the functions."""
        n = len(self.frequencies)
        sines, others = functions[1 : n + 1], functions[n + 1 :]
        by_angle = self.frequencies @ (gradient[1 : n + 1] * others - gradient[n + 1 :] * sines)
        shrunk = _NEARLY_ONE * cosines
        slopes: NDArray[np.float64] = by_angle * (-_NEARLY_ONE / np.sqrt(1 - shrunk * shrunk))
        return slopes
