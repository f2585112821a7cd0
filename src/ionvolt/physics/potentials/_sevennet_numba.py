"""The messages of SevenNet's convolution (numba), bond after bond: nothing of a bond is ever stored.

A message is the sum over ways. A way takes the C vectors of degree l1 of the other atom, turns each into one of degree
l3 by a matrix that hangs on the bond's direction, and weighs it by a number that hangs on the bond's length. Vectors
lie component by component, C numbers side by side, so that the processor takes eight of them at a time.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

from ionvolt.graphs.compilation import cached_njit

_ZERO = np.float32(0)


@njit(nogil=True, fastmath=True, error_model="numpy")
def _from_scalars(out, weights, turn, x, n_out, stride, count):
    for m in range(n_out):
        a0 = turn[m]
        to = out[m * stride : m * stride + count]
        for c in range(count):
            to[c] += a0 * (weights[c] * x[c])


@njit(nogil=True, fastmath=True, error_model="numpy")
def _from_degree_1(out, weights, turn, x, n_out, stride, count):
    x0, x1, x2 = x[:count], x[count : 2 * count], x[2 * count : 3 * count]
    for m in range(n_out):
        a0, a1, a2 = turn[3 * m], turn[3 * m + 1], turn[3 * m + 2]
        to = out[m * stride : m * stride + count]
        for c in range(count):
            to[c] += weights[c] * (a0 * x0[c] + a1 * x1[c] + a2 * x2[c])


@njit(nogil=True, fastmath=True, error_model="numpy")
def _from_degree_2(out, weights, turn, x, n_out, stride, count):
    x0, x1, x2 = x[:count], x[count : 2 * count], x[2 * count : 3 * count]
    x3, x4 = x[3 * count : 4 * count], x[4 * count : 5 * count]
    for m in range(n_out):
        k = 5 * m
        a0, a1, a2, a3, a4 = turn[k], turn[k + 1], turn[k + 2], turn[k + 3], turn[k + 4]
        to = out[m * stride : m * stride + count]
        for c in range(count):
            to[c] += weights[c] * (a0 * x0[c] + a1 * x1[c] + a2 * x2[c] + a3 * x3[c] + a4 * x4[c])


@njit(nogil=True, fastmath=True, error_model="numpy")
def _from_degree_3(out, weights, turn, x, n_out, stride, count):
    x0, x1, x2 = x[:count], x[count : 2 * count], x[2 * count : 3 * count]
    x3, x4, x5 = x[3 * count : 4 * count], x[4 * count : 5 * count], x[5 * count : 6 * count]
    x6 = x[6 * count : 7 * count]
    for m in range(n_out):
        k = 7 * m
        a0, a1, a2, a3 = turn[k], turn[k + 1], turn[k + 2], turn[k + 3]
        a4, a5, a6 = turn[k + 4], turn[k + 5], turn[k + 6]
        to = out[m * stride : m * stride + count]
        for c in range(count):
            to[c] += weights[c] * (
                a0 * x0[c] + a1 * x1[c] + a2 * x2[c] + a3 * x3[c] + a4 * x4[c] + a5 * x5[c] + a6 * x6[c]
            )


@cached_njit(nogil=True, fastmath=True, error_model="numpy")
def add_messages(x, first, source, length, weights, turns, ways, out):
    """Sum the messages to atoms.

    Bonds stand in the order of the atoms that they lead to.

    Args:
        x: Vectors of all atoms, shape (n, n_x), float32.
        first: Where each atom's bonds begin, and where the last one's end, shape (n_to + 1,), int64.
        source: Atom from which each message comes, shape (n_bonds,), int64.
        length: Row of ``weights`` of each bond, shape (n_bonds,), int64.
        weights: Shape (n_lengths, n_weights), float32.
        turns: Matrices of all ways of each bond, shape (n_bonds, n_turns), float32.
        ways: For each way 2 l1 + 1, 2 l3 + 1, C, its place in ``x``, in ``weights`` and in ``turns``, the numbers of a
            component in ``out``, and its place in an atom's numbers there, shape (n_ways, 8), int64.
        out: Shape (n_to, n_out), float32; overwritten.
    """
    for i in range(first.size - 1):
        to = out[i]
        to[:] = _ZERO
        for bond in range(first[i], first[i + 1]):
            atom, weight, turn = x[source[bond]], weights[length[bond]], turns[bond]
            for way in range(ways.shape[0]):
                n_in, n_out, count, stride, place = (
                    ways[way, 0], ways[way, 1], ways[way, 2], ways[way, 6], ways[way, 7]
                )  # fmt: skip
                vectors = atom[ways[way, 3] : ways[way, 3] + n_in * count]
                some = weight[ways[way, 4] : ways[way, 4] + count]
                matrix = turn[ways[way, 5] : ways[way, 5] + n_in * n_out]
                target = to[place : place + n_out * stride]
                if n_in == 1:
                    _from_scalars(target, some, matrix, vectors, n_out, stride, count)
                elif n_in == 3:
                    _from_degree_1(target, some, matrix, vectors, n_out, stride, count)
                elif n_in == 5:
                    _from_degree_2(target, some, matrix, vectors, n_out, stride, count)
                else:
                    _from_degree_3(target, some, matrix, vectors, n_out, stride, count)
