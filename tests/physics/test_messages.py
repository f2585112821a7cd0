"""The kernel of SevenNet's messages against sums that are written out."""

from __future__ import annotations

from itertools import product

import numpy as np

from ionvolt.physics.potentials._sevennet_numba import add_messages


def test_all_ways_give_the_sums_that_are_written_out() -> None:
    rng = np.random.default_rng(0)
    counts = {1: 48, 3: 32, 5: 16, 7: 16}
    first_of = dict(zip(counts, np.cumsum([0, *(n * count for n, count in counts.items())]), strict=False))
    ways, widths = [], dict.fromkeys(counts, 0)
    n_weights = n_turns = 0
    for n_in, n_out in product(counts, counts):
        ways.append([n_in, n_out, counts[n_in], first_of[n_in], n_weights, n_turns, 0, widths[n_out]])
        n_weights, n_turns = n_weights + counts[n_in], n_turns + n_in * n_out
        widths[n_out] += counts[n_in]
    begins = dict(zip(widths, np.cumsum([0, *(n * width for n, width in widths.items())]), strict=False))
    for way in ways:
        way[6] = widths[way[1]]
        way[7] += begins[way[1]]
    size = sum(n * width for n, width in widths.items())
    n_atoms, n_bonds, n_lengths = 4, 9, 3
    x = rng.normal(size=(n_atoms, sum(n * count for n, count in counts.items()))).astype(np.float32)
    first = np.array([0, 4, 4, 7, 9])  # the second atom has no bond
    source, length = rng.integers(n_atoms, size=n_bonds), rng.integers(n_lengths, size=n_bonds)
    weights = rng.normal(size=(n_lengths, n_weights)).astype(np.float32)
    turns = rng.normal(size=(n_bonds, n_turns)).astype(np.float32)
    out = np.full((n_atoms, size), np.nan, dtype=np.float32)
    add_messages(x, first, source, length, weights, turns, np.array(ways, dtype=np.int64), out)

    expected = np.zeros((n_atoms, size))
    owners = np.repeat(np.arange(n_atoms), np.diff(first))
    for bond, to in enumerate(owners):
        for n_in, n_out, count, begin, weight, turn, stride, place in ways:
            vectors = x[source[bond], begin : begin + n_in * count].reshape(n_in, count)
            matrix = turns[bond, turn : turn + n_in * n_out].reshape(n_out, n_in)
            for m, row in enumerate(matrix @ (vectors * weights[length[bond], weight : weight + count])):
                expected[to, place + m * stride : place + m * stride + count] += row
    np.testing.assert_allclose(out, expected, atol=2e-5)
