"""The messages of SevenNet's convolution (numba), atom after atom: no message is ever stored.

A message is the sum over ways. A way takes the C vectors of degree l1 of the other atom, turns each into one of degree
l3 by a matrix that hangs on the bond's direction, and weighs it by a number that hangs on the bond's length. Vectors
lie component by component, C numbers side by side; ``LANES`` of them are summed over an atom's bonds in registers.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

from numba import njit

from ionvolt.graphs._lanes_numba import LANES, add_turned, write_rows, zeros
from ionvolt.graphs.compilation import cached_njit


def _way(n_out: int) -> Any:
    """A function that sums what one atom gets in a way to one degree."""
    start, add, put = zeros(n_out), add_turned(n_out), write_rows(n_out)

    @njit(nogil=True, error_model="numpy")
    def sum_way(n_in, x, source, length, weights, turns, begin, end, count, first, weight, turn, out, stride, place):
        n_x, n_weights, n_turns = x.shape[1], weights.shape[1], turns.shape[1]
        for c in range(0, count, LANES):
            sums = start()
            for bond in range(begin, end):
                here, own = source[bond] * n_x + first + c, length[bond] * n_weights + weight + c
                for k in range(n_in):
                    sums = add(sums, x, here + k * count, weights, own, turns, bond * n_turns + turn + k, n_in)
            put(sums, out, place + c, stride)

    return sum_way


_to_1, _to_3, _to_5, _to_7 = (_way(n_out) for n_out in (1, 3, 5, 7))


@cached_njit(nogil=True, error_model="numpy")
def add_messages(x, first, source, length, weights, turns, ways, out):
    """Sum the messages to atoms.

    Bonds stand in the order of the atoms that they lead to. Arrays lie in order; numbers side by side (C, and those of
    a component in ``out``) are multiples of ``LANES``.

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
        begin, end, row = first[i], first[i + 1], i * out.shape[1]
        for way in range(ways.shape[0]):
            n_in, n_out, count, at = ways[way, 0], ways[way, 1], ways[way, 2], ways[way, 3]
            weight, turn, stride, place = ways[way, 4], ways[way, 5], ways[way, 6], row + ways[way, 7]
            if n_out == 1:
                _to_1(n_in, x, source, length, weights, turns, begin, end, count, at, weight, turn, out, stride, place)
            elif n_out == 3:
                _to_3(n_in, x, source, length, weights, turns, begin, end, count, at, weight, turn, out, stride, place)
            elif n_out == 5:
                _to_5(n_in, x, source, length, weights, turns, begin, end, count, at, weight, turn, out, stride, place)
            else:
                _to_7(n_in, x, source, length, weights, turns, begin, end, count, at, weight, turn, out, stride, place)
