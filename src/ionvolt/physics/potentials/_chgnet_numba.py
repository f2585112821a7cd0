"""What CHGNet does with each bond and angle between its matrix products, forward and back (numba).

Rows are directed bonds or angles. They stand in groups: the bonds at an atom, the angles that begin with a bond. Each
row takes the numbers of its group and a row of two more tables. Vectors have 64 numbers, those before a gate 128: the
core's, then the gate's.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from ionvolt.graphs._exponential_numba import exp_of_negative
from ionvolt.graphs.compilation import cached_njit

WIDTH = 64
_BOTH = 2 * WIDTH
_ZERO, _ONE, _EPSILON, _SHARE = np.float32(0), np.float32(1), np.float32(1e-5), np.float32(1 / WIDTH)


@njit(inline="always")
def _sigmoid(x):
    e = exp_of_negative(-abs(x))
    return (_ONE if x >= _ZERO else e) / (_ONE + e)


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gather(base, starts, second, j, third, k, activated, out, slopes):
    """The sum of a group's row of ``base`` and rows j and k of two tables, all of 128 numbers; SiLU where activated.

    ``starts`` (n_groups + 1,) says where each group's rows begin, counted from anywhere. Writes ``out`` and, where
    activated, the slopes of SiLU, both (n, 128).
    """
    for group in range(base.shape[0]):
        for row in range(starts[group] - starts[0], starts[group + 1] - starts[0]):
            a, b, c, to = base[group], second[j[row]], third[k[row]], out[row]
            if activated:
                slope = slopes[row]
                for f in range(_BOTH):
                    x = a[f] + b[f] + c[f]
                    s = _sigmoid(x)
                    to[f] = x * s
                    slope[f] = s * (_ONE + x * (_ONE - s))
            else:
                for f in range(_BOTH):
                    to[f] = a[f] + b[f] + c[f]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gather_backward(d_rows, slopes, starts, j, k, d_base, d_second, d_third):
    """Gradients of the three tables, from those of the rows, which are multiplied by the slopes if there are any.

    Writes ``d_base``; adds to the others. Without a third table the rows' own gradient is left in ``d_rows``.
    """
    for group in range(d_base.shape[0]):
        total = d_base[group]
        for f in range(_BOTH):
            total[f] = _ZERO
        for row in range(starts[group] - starts[0], starts[group + 1] - starts[0]):
            d = d_rows[row]
            to = d_second[j[row]]
            if slopes.shape[0] > 0:
                slope = slopes[row]
                for f in range(_BOTH):
                    d[f] *= slope[f]
                    total[f] += d[f]
                    to[f] += d[f]
            else:
                for f in range(_BOTH):
                    total[f] += d[f]
                    to[f] += d[f]
            if d_third.shape[0] > 0:
                to = d_third[k[row]]
                for f in range(_BOTH):
                    to[f] += d[f]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gate(rows, bias, norms, starts, weights, j, kept, inverse, out):
    """SiLU of the core times sigmoid of the gate, both normalised, times row j of the weights; summed by group.

    rows (n, 128), to which the bias is added; norms (4, 64): scale and shift of the core's norm, then the gate's, or
    none (0, 64). Writes out (n_groups, 64), and what the way back needs: kept (n, 128), inverse (n, 2).
    """
    for group in range(out.shape[0]):
        total = out[group]
        for f in range(WIDTH):
            total[f] = _ZERO
        for row in range(starts[group] - starts[0], starts[group + 1] - starts[0]):
            x, k, w = rows[row], kept[row], weights[j[row]]
            mean, mean_gate, square, square_gate = _ZERO, _ZERO, _ZERO, _ZERO
            for f in range(WIDTH):
                k[f] = x[f] + bias[f]
                k[WIDTH + f] = x[WIDTH + f] + bias[WIDTH + f]
                mean += k[f]
                mean_gate += k[WIDTH + f]
            if norms.shape[0] > 0:
                mean *= _SHARE
                mean_gate *= _SHARE
                for f in range(WIDTH):
                    square += (k[f] - mean) * (k[f] - mean)
                    square_gate += (k[WIDTH + f] - mean_gate) * (k[WIDTH + f] - mean_gate)
                by = _ONE / np.sqrt(square * _SHARE + _EPSILON)
                by_gate = _ONE / np.sqrt(square_gate * _SHARE + _EPSILON)
                inverse[row, 0], inverse[row, 1] = by, by_gate
                for f in range(WIDTH):
                    a, b = (k[f] - mean) * by, (k[WIDTH + f] - mean_gate) * by_gate
                    u, v = a * norms[0, f] + norms[1, f], b * norms[2, f] + norms[3, f]
                    s, t = _sigmoid(u), _sigmoid(v)
                    k[f], k[WIDTH + f] = a, b
                    total[f] += u * s * t * w[f]
            else:
                for f in range(WIDTH):
                    u = k[f]
                    s, t = _sigmoid(u), _sigmoid(k[WIDTH + f])
                    total[f] += u * s * t * w[f]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gate_backward(kept, inverse, norms, starts, weights, j, d_out, d_rows, d_weights):
    """Gradients of the rows, and of the weights, to which they are added, if ``d_weights`` has rows."""
    product = np.empty(WIDTH, dtype=np.float32)
    for group in range(d_out.shape[0]):
        d = d_out[group]
        for row in range(starts[group] - starts[0], starts[group + 1] - starts[0]):
            k, w, to = kept[row], weights[j[row]], d_rows[row]
            if norms.shape[0] > 0:
                total, total_gate, along, along_gate = _ZERO, _ZERO, _ZERO, _ZERO
                for f in range(WIDTH):
                    u, v = k[f] * norms[0, f] + norms[1, f], k[WIDTH + f] * norms[2, f] + norms[3, f]
                    s, t = _sigmoid(u), _sigmoid(v)
                    e = d[f] * s * t
                    product[f] = e * u
                    p = e * w[f] * (_ONE + u * (_ONE - s)) * norms[0, f]
                    q = product[f] * w[f] * (_ONE - t) * norms[2, f]
                    to[f], to[WIDTH + f] = p, q
                    total += p
                    total_gate += q
                    along += p * k[f]
                    along_gate += q * k[WIDTH + f]
                total *= _SHARE
                total_gate *= _SHARE
                along *= _SHARE
                along_gate *= _SHARE
                by, by_gate = inverse[row, 0], inverse[row, 1]
                for f in range(WIDTH):
                    to[f] = by * (to[f] - total - k[f] * along)
                    to[WIDTH + f] = by_gate * (to[WIDTH + f] - total_gate - k[WIDTH + f] * along_gate)
            else:
                for f in range(WIDTH):
                    u, s, t = k[f], _sigmoid(k[f]), _sigmoid(k[WIDTH + f])
                    e = d[f] * s * t
                    product[f] = e * u
                    to[f] = e * w[f] * (_ONE + u * (_ONE - s))
                    to[WIDTH + f] = product[f] * w[f] * (_ONE - t)
            if d_weights.shape[0] > 0:
                d_w = d_weights[j[row]]
                for f in range(WIDTH):
                    d_w[f] += product[f]
