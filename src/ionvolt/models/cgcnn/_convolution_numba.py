"""Compiled passes of the graph convolution (numba), one edge at a time so that nothing but z is ever stored.

Shapes: N atoms, k neighbours, C channels of z (gate and core, C = 2 F). A Gaussian of width w at 4.5 w is below
2e-9, so each distance touches only the nine centres nearest to it.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from ionvolt.graphs._exponential_numba import exp_of_negative
from ionvolt.graphs.compilation import cached_njit
from ionvolt.models.cgcnn.folding import AFTER, BEFORE

_f = np.float32
# exp(-s^2) for s = -4 ... 4: with them the nine Gaussians of a distance cost two exponentials.
_S4, _S3, _S2, _S1 = (_f(np.exp(-float(s * s))) for s in (4, 3, 2, 1))
_ONE, _ZERO = _f(1), _f(0)
_L0, _L1, _L2, _L3 = _f(2.0 / 9), _f(2.0 / 7), _f(2.0 / 5), _f(2.0 / 3)
_L4, _L5 = _f(2.0 / 11), _f(2.0 / 13)
_TWO = _f(2)


@njit(inline="always")
def _log1p(t):
    """log(1 + t) for 0 <= t <= 1: 2 artanh(t / (2 + t)) by its series, below 3e-7."""
    s = t / (_TWO + t)
    q = s * s
    return s * (_TWO + q * (_L3 + q * (_L2 + q * (_L1 + q * (_L0 + q * (_L4 + q * _L5))))))


@njit(inline="always")
def _gaussians(distance, step, n_centres, g):
    """The nine Gaussians around a distance, into g; returns the first one's row in the padded weights."""
    t = distance / step
    centre = min(int(np.rint(t)), n_centres + 4)
    r = t - _f(centre)
    a = np.exp(-r * r)
    up = np.exp(r + r)
    down = _ONE / up
    up2, down2 = up * up, down * down
    g[0] = a * down2 * down2 * _S4
    g[1] = a * down2 * down * _S3
    g[2] = a * down2 * _S2
    g[3] = a * down * _S1
    g[4] = a
    g[5] = a * up * _S1
    g[6] = a * up2 * _S2
    g[7] = a * up2 * up * _S3
    g[8] = a * up2 * up2 * _S4
    return centre


@njit(inline="always")
def _edge(own, other, first, i, j, weights, row, g, acc):
    """Write one row of z, own_i + other_j + u_ij W, into acc; the columns of other begin at ``first``."""
    g0, g1, g2, g3, g4, g5, g6, g7, g8 = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8]
    for c in range(acc.size):
        acc[c] = (
            own[i, c]
            + other[j, first + c]
            + g0 * weights[row, c]
            + g1 * weights[row + 1, c]
            + g2 * weights[row + 2, c]
            + g3 * weights[row + 3, c]
            + g4 * weights[row + 4, c]
            + g5 * weights[row + 5, c]
            + g6 * weights[row + 6, c]
            + g7 * weights[row + 7, c]
            + g8 * weights[row + 8, c]
        )


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def edge_inputs(own, other, weights, neighbours, distances, step, z, total, total_squared):
    """z_ijk = own_i + other_j + u_ij W for every edge, with its sums for the batch statistics.

    own, other (N, C); weights (centres, C), padded; neighbours, distances (N, k); writes z (N, k, C) and adds to total
    and total_squared (C,), float64.
    """
    n_channels = own.shape[1]
    n_centres = weights.shape[0] - BEFORE - AFTER
    g = np.empty(9, dtype=np.float32)
    acc = np.empty(n_channels, dtype=np.float32)
    some = np.empty(n_channels, dtype=np.float32)
    squared = np.empty(n_channels, dtype=np.float32)
    for i in range(own.shape[0]):
        for c in range(n_channels):
            some[c] = _ZERO
            squared[c] = _ZERO
        for m in range(neighbours.shape[1]):
            row = _gaussians(distances[i, m], step, n_centres, g)
            _edge(own, other, 0, i, neighbours[i, m], weights, row, g, acc)
            for c in range(n_channels):
                value = acc[c]
                z[i, m, c] = value
                some[c] += value
                squared[c] += value * value
        for c in range(n_channels):
            total[c] += some[c]
            total_squared[c] += squared[c]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gate(z, scale, shift, out):
    """out_i = sum over k of sigmoid(f) softplus(g), where (f, g) = z scale + shift; out (N, F)."""
    n_features = out.shape[1]
    for i in range(z.shape[0]):
        for c in range(n_features):
            out[i, c] = _ZERO
        for m in range(z.shape[1]):
            for c in range(n_features):
                f = z[i, m, c] * scale[c] + shift[c]
                g = z[i, m, n_features + c] * scale[n_features + c] + shift[n_features + c]
                ef = exp_of_negative(-abs(f))
                sigmoid = (_ONE if f >= _ZERO else ef) / (_ONE + ef)
                out[i, c] += sigmoid * (max(g, _ZERO) + _log1p(exp_of_negative(-abs(g))))


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def infer(atoms, both, weights, neighbours, distances, step, scale, shift, out):
    """A whole convolution in one pass, the norm over edges being folded into both and weights.

    atoms, out (N, F); both (N, 2 C): own, other side by side (slices would not be known to be contiguous); scale, shift
    (F,), of the norm over atoms.
    """
    n_features = out.shape[1]
    n_centres = weights.shape[0] - BEFORE - AFTER
    g = np.empty(9, dtype=np.float32)
    acc = np.empty(2 * n_features, dtype=np.float32)
    for i in range(both.shape[0]):
        for c in range(n_features):
            out[i, c] = _ZERO
        for m in range(neighbours.shape[1]):
            row = _gaussians(distances[i, m], step, n_centres, g)
            _edge(both, both, 2 * n_features, i, neighbours[i, m], weights, row, g, acc)
            for c in range(n_features):
                f = acc[c]
                core = acc[n_features + c]
                ef = exp_of_negative(-abs(f))
                sigmoid = (_ONE if f >= _ZERO else ef) / (_ONE + ef)
                out[i, c] += sigmoid * (max(core, _ZERO) + _log1p(exp_of_negative(-abs(core))))
        for c in range(n_features):
            x = atoms[i, c] + out[i, c] * scale[c] + shift[c]
            out[i, c] = max(x, _ZERO) + _log1p(exp_of_negative(-abs(x)))


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def infer_members(atoms, both, weights, neighbours, distances, step, scale, shift, out):
    """``infer`` for M networks at once: arrays as there, with the networks before all else but the graph's."""
    for member in range(atoms.shape[0]):
        infer(
            atoms[member],
            both[member],
            weights[member],
            neighbours,
            distances,
            step,
            scale[member],
            shift[member],
            out[member],
        )


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def gate_backward(z, scale, shift, grad_out, grad, total, total_z):
    """Gradient of the gate with respect to its normalised inputs.

    Writes grad (N, k, C); adds to total and total_z (C,), float64: the sums of grad and of grad z.
    """
    n_features = grad_out.shape[1]
    n_channels = 2 * n_features
    some = np.empty(n_channels, dtype=np.float32)
    some_z = np.empty(n_channels, dtype=np.float32)
    for i in range(z.shape[0]):
        for c in range(n_channels):
            some[c] = _ZERO
            some_z[c] = _ZERO
        for m in range(z.shape[1]):
            for c in range(n_features):
                zf = z[i, m, c]
                zg = z[i, m, n_features + c]
                f = zf * scale[c] + shift[c]
                g = zg * scale[n_features + c] + shift[n_features + c]
                ef = exp_of_negative(-abs(f))
                eg = exp_of_negative(-abs(g))
                sigmoid_f = (_ONE if f >= _ZERO else ef) / (_ONE + ef)
                sigmoid_g = (_ONE if g >= _ZERO else eg) / (_ONE + eg)
                softplus = max(g, _ZERO) + _log1p(eg)
                grad_f = grad_out[i, c] * softplus * sigmoid_f * (_ONE - sigmoid_f)
                grad_g = grad_out[i, c] * sigmoid_f * sigmoid_g
                grad[i, m, c] = grad_f
                grad[i, m, n_features + c] = grad_g
                some[c] += grad_f
                some_z[c] += grad_f * zf
                some[n_features + c] += grad_g
                some_z[n_features + c] += grad_g * zg
        for c in range(n_channels):
            total[c] += some[c]
            total_z[c] += some_z[c]


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def edge_inputs_backward(
    z, grad, slope, slope_z, constant, neighbours, distances, step, grad_own, grad_other, grad_weights
):
    """Gradients of own, other (N, C) and the padded weights (centres, C), which must come in as zeros.

    The gradient of z is slope grad + slope_z z + constant, channel by channel: the way back through batch norm.
    """
    n_channels = grad_own.shape[1]
    n_centres = grad_weights.shape[0] - BEFORE - AFTER
    g = np.empty(9, dtype=np.float32)
    acc = np.empty(n_channels, dtype=np.float32)
    for i in range(z.shape[0]):
        for m in range(z.shape[1]):
            j = neighbours[i, m]
            for c in range(n_channels):
                value = grad[i, m, c] * slope[c] + z[i, m, c] * slope_z[c] + constant[c]
                acc[c] = value
                grad_own[i, c] += value
                grad_other[j, c] += value
            row = _gaussians(distances[i, m], step, n_centres, g)
            g0, g1, g2, g3, g4, g5, g6, g7, g8 = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8]
            for c in range(n_channels):
                value = acc[c]
                grad_weights[row, c] += g0 * value
                grad_weights[row + 1, c] += g1 * value
                grad_weights[row + 2, c] += g2 * value
                grad_weights[row + 3, c] += g3 * value
                grad_weights[row + 4, c] += g4 * value
                grad_weights[row + 5, c] += g5 * value
                grad_weights[row + 6, c] += g6 * value
                grad_weights[row + 7, c] += g7 * value
                grad_weights[row + 8, c] += g8 * value
