"""The way back through SevenNet's messages (numba), bond by bond; see ``_sevennet_numba`` for the way there."""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

from numba import njit

from ionvolt.graphs._lanes_numba import LANES, add_slopes, write_totals, zeros
from ionvolt.graphs.compilation import cached_njit


def _way(n_in: int, n_out: int) -> Any:
    """A function that goes back along one bond in a way between two degrees; gives what its length adds."""
    start, add, put = zeros(n_in * n_out + 1), add_slopes(n_in, n_out), write_totals(n_in * n_out)

    @njit(nogil=True, error_model="numpy")
    def go_back(x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns):
        sums = start()
        for c in range(0, count, LANES):
            sums = add(sums, x, first + c, count, g, place + c, stride, weights, slopes, weight + c, turns, turn, d_x)
        return put(sums, d_turns, turn)

    return go_back


def _ways_from(n_in: int) -> Any:
    """The same for all ways that begin at one degree."""
    to_1, to_3, to_5, to_7 = (_way(n_in, n_out) for n_out in (1, 3, 5, 7))

    @njit(nogil=True, error_model="numpy")
    def go_back(n_out, x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns):
        if n_out == 1:
            return to_1(x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns)
        if n_out == 3:
            return to_3(x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns)
        if n_out == 5:
            return to_5(x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns)
        return to_7(x, first, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns)

    return go_back


_from_1, _from_3, _from_5, _from_7 = (_ways_from(n_in) for n_in in (1, 3, 5, 7))


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
                if n_in == 1:
                    total += _from_1(
                        n_out, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                elif n_in == 3:
                    total += _from_3(
                        n_out, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                elif n_in == 5:
                    total += _from_5(
                        n_out, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
                else:
                    total += _from_7(
                        n_out, x, begin, count, g, place, stride, weights, slopes, weight, turns, turn, d_x, d_turns
                    )
            d_lengths[bond] = total
