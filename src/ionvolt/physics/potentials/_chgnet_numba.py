"""What CHGNet does with each bond and angle between its matrix products, forward and back (numba).

Shapes: n bonds or angles, F numbers of each half; ``core`` and ``gate`` are the halves of a gated network.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from ionvolt.graphs._exponential_numba import exp_of_negative
from ionvolt.graphs.compilation import cached_njit

_ZERO, _ONE, _EPSILON = np.float32(0), np.float32(1), np.float32(1e-5)


@njit(inline="always")
def _sigmoid(x):
    e = exp_of_negative(-abs(x))
    return (_ONE if x >= _ZERO else e) / (_ONE + e)


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gather(first, i, second, j, third, k, own, activated, core, gate):
    """Rows i, j and k of three tables (., 2 F) and each one's own (n or none, 2 F), added; SiLU where activated.

    Writes core and gate, both (n, F).
    """
    half = core.shape[1]
    has_own = own.shape[0] > 0
    for row in range(core.shape[0]):
        a, b, c = first[i[row]], second[j[row]], third[k[row]]
        to, other = core[row], gate[row]
        if has_own:
            d = own[row]
            for f in range(half):
                to[f] = a[f] + b[f] + c[f] + d[f]
            for f in range(half):
                other[f] = a[half + f] + b[half + f] + c[half + f] + d[half + f]
        else:
            for f in range(half):
                to[f] = a[f] + b[f] + c[f]
            for f in range(half):
                other[f] = a[half + f] + b[half + f] + c[half + f]
        if activated:
            for f in range(half):
                to[f] *= _sigmoid(to[f])
            for f in range(half):
                other[f] *= _sigmoid(other[f])


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gather_backward(first, i, second, j, third, k, own, activated, d_core, d_gate, d_first, d_second, d_third, d_own):
    """Gradients of the four tables, which must come in as zeros, but that of ``own``."""
    half = d_core.shape[1]
    slope = np.empty(2 * half, dtype=np.float32)
    has_own = own.shape[0] > 0
    for row in range(d_core.shape[0]):
        slope[:half] = d_core[row]
        slope[half:] = d_gate[row]
        if activated:
            a, b, c = first[i[row]], second[j[row]], third[k[row]]
            if has_own:
                d = own[row]
                for f in range(2 * half):
                    x = a[f] + b[f] + c[f] + d[f]
                    s = _sigmoid(x)
                    slope[f] *= s * (_ONE + x * (_ONE - s))
            else:
                for f in range(2 * half):
                    x = a[f] + b[f] + c[f]
                    s = _sigmoid(x)
                    slope[f] *= s * (_ONE + x * (_ONE - s))
        if has_own:
            d_own[row] = slope
        d_a, d_b, d_c = d_first[i[row]], d_second[j[row]], d_third[k[row]]
        for f in range(2 * half):
            d_a[f] += slope[f]
        for f in range(2 * half):
            d_b[f] += slope[f]
        for f in range(2 * half):
            d_c[f] += slope[f]


@njit(nogil=True, fastmath=True, error_model="numpy")
def _normalise(x, out):
    """Write x without its mean, in units of its deviation; returns one over the deviation."""
    size = x.size
    total, square = _ZERO, _ZERO
    for f in range(size):
        total += x[f]
    mean = total / np.float32(size)
    for f in range(size):
        square += (x[f] - mean) * (x[f] - mean)
    inverse = _ONE / np.sqrt(square / np.float32(size) + _EPSILON)
    for f in range(size):
        out[f] = (x[f] - mean) * inverse
    return inverse


@njit(nogil=True, fastmath=True, error_model="numpy")
def _normalise_backward(normal, inverse, slope, out):
    """Gradient of what was normalised, from that of the normal numbers."""
    size = normal.size
    total, along = _ZERO, _ZERO
    for f in range(size):
        total += slope[f]
        along += slope[f] * normal[f]
    total /= np.float32(size)
    along /= np.float32(size)
    for f in range(size):
        out[f] = inverse * (slope[f] - total - normal[f] * along)


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def pass_gate(core, gate, norms, weights, i, j, owner, out):
    """SiLU of the normalised core times sigmoid of the normalised gate, weighed and added to owners' rows.

    norms (4, F): scale and shift of the core's norm, then the gate's; weights (., F) with rows i and j, each where its
    index is given (n,), else (0,); out (., F), which must come in as zeros.
    """
    half = core.shape[1]
    x = np.empty(half, dtype=np.float32)
    y = np.empty(half, dtype=np.float32)
    scale, shift, scale_gate, shift_gate = norms[0], norms[1], norms[2], norms[3]
    for row in range(core.shape[0]):
        _normalise(core[row], x)
        _normalise(gate[row], y)
        for f in range(half):
            u = x[f] * scale[f] + shift[f]
            v = y[f] * scale_gate[f] + shift_gate[f]
            x[f] = u * _sigmoid(u) * _sigmoid(v)
        if i.size:
            w = weights[i[row]]
            for f in range(half):
                x[f] *= w[f]
        if j.size:
            w = weights[j[row]]
            for f in range(half):
                x[f] *= w[f]
        to = out[owner[row]]
        for f in range(half):
            to[f] += x[f]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def pass_gate_backward(core, gate, norms, weights, i, j, owner, d_out, d_core, d_gate, d_weights):
    """Gradients of core, gate and weights; the last must come in as zeros."""
    half = core.shape[1]
    x = np.empty(half, dtype=np.float32)
    y = np.empty(half, dtype=np.float32)
    p = np.empty(half, dtype=np.float32)
    q = np.empty(half, dtype=np.float32)
    product = np.empty(half, dtype=np.float32)
    scale, shift, scale_gate, shift_gate = norms[0], norms[1], norms[2], norms[3]
    for row in range(core.shape[0]):
        inverse = _normalise(core[row], x)
        inverse_gate = _normalise(gate[row], y)
        slope = d_out[owner[row]]
        for f in range(half):
            u = x[f] * scale[f] + shift[f]
            v = y[f] * scale_gate[f] + shift_gate[f]
            s, t = _sigmoid(u), _sigmoid(v)
            product[f] = u * s * t * slope[f]
            p[f] = slope[f] * t * s * (_ONE + u * (_ONE - s)) * scale[f]
            q[f] = slope[f] * u * s * t * (_ONE - t) * scale_gate[f]
        if i.size and j.size:
            w, z = weights[i[row]], weights[j[row]]
            d_w, d_z = d_weights[i[row]], d_weights[j[row]]
            for f in range(half):
                d_w[f] += product[f] * z[f]
            for f in range(half):
                d_z[f] += product[f] * w[f]
            for f in range(half):
                p[f] *= w[f] * z[f]
                q[f] *= w[f] * z[f]
        elif i.size:
            w, d_w = weights[i[row]], d_weights[i[row]]
            for f in range(half):
                d_w[f] += product[f]
            for f in range(half):
                p[f] *= w[f]
                q[f] *= w[f]
        _normalise_backward(x, inverse, p, d_core[row])
        _normalise_backward(y, inverse_gate, q, d_gate[row])
