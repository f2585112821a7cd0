"""The way back through SevenNet's messages (numba), bond by bond; see ``_sevennet_numba`` for the way there."""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ionvolt.graphs._lanes_numba import LANES, add_slopes, write_totals, zeros
from ionvolt.graphs.compilation import cached_njit


def _way(n_out: int) -> Any:
    """A function that goes back along one bond in a way to one degree; gives what its length adds."""
    start, add, put = zeros(n_out + 1), add_slopes(n_out), write_totals(n_out)

    @njit(nogil=True, error_model="numpy")
    def go_back(n_in, x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns):
        total = np.float32(0)
        for k in range(n_in):
            sums = start()
            begin, column = first + k * count, turn + k
            for c in range(0, count, LANES):
                sums = add(
                    sums, x, begin + c, g, place + c, stride, weights, slopes, weight + c, turns, column, n_in, d_x
                )
            total += put(sums, d_turns, column, n_in)
        return total

    return go_back


_to_1, _to_3, _to_5, _to_7 = (_way(n_out) for n_out in (1, 3, 5, 7))


@cached_njit(nogil=True, error_model="numpy")
def add_slopes_of_messages(x, g, first, source, length, weights, slopes, turns, ways, d_x, d_turns, d_lengths):
    """Gradients of what ``_sevennet_numba.add_messages`` takes; arguments that it takes, too, are as there.

    Args:
        x: Vectors of all atoms.
        g: Gradient of ``out``, shape (n_to, n_out), float32.
        first: Where each atom's bonds begin.
        source: Atom from which each message comes.
        length: Row of ``weights`` of each bond.
        weights: By length.
        slopes: Their derivatives along the length, 1/Å, like ``weights``.
        turns: Matrices of all ways of each bond.
        ways: See there.
        d_x: Gradient of ``x``, to which is added.
        d_turns: That of ``turns``; overwritten.
        d_lengths: That of each bond's length, to which is added, shape (n_bonds,), float32.
    """
    n_x, n_weights, n_turns = x.shape[1], weights.shape[1], turns.shape[1]
    for i in range(first.size - 1):
        row = i * g.shape[1]
        for bond in range(first[i], first[i + 1]):
            from_x, from_weight, from_turn = source[bond] * n_x, length[bond] * n_weights, bond * n_turns
            total = d_lengths[bond]
            for way in range(ways.shape[0]):
                n_in, n_out, count, stride = ways[way, 0], ways[way, 1], ways[way, 2], ways[way, 6]
                begin, place = from_x + ways[way, 3], row + ways[way, 7]
                weight, turn = from_weight + ways[way, 4], from_turn + ways[way, 5]
                if n_out == 1:
                    total += _to_1(
                        n_in, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                elif n_out == 3:
                    total += _to_3(
                        n_in, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                elif n_out == 5:
                    total += _to_5(
                        n_in, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                else:
                    total += _to_7(
                        n_in, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
            d_lengths[bond] = total
