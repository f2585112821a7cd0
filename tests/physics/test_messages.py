"""The kernel of SevenNet's messages against sums that are written out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from ionvolt.physics.potentials._sevennet_numba import add_messages
from ionvolt.physics.potentials._sevennet_slopes_numba import add_slopes_of_messages
from ionvolt.typing import Array32


@dataclass
class Sample:
    """What the kernels take, with all sixteen ways."""

    x: Array32
    first: NDArray[np.int64]
    source: NDArray[np.int64]
    length: NDArray[np.int64]
    weights: Array32
    turns: Array32
    ways: NDArray[np.int64]
    size: int

    def messages(self, x: Array32, weights: Array32, turns: Array32) -> NDArray[np.float64]:
        """The sums, written out."""
        found = np.zeros((len(x), self.size))
        owners = np.repeat(np.arange(len(x)), np.diff(self.first))
        for bond, to in enumerate(owners):
            for n_in, n_out, count, begin, weight, turn, stride, place in self.ways.tolist():
                vectors = x[self.source[bond], begin : begin + n_in * count].reshape(n_in, count)
                matrix = turns[bond, turn : turn + n_in * n_out].reshape(n_out, n_in)
                weighed = vectors * weights[self.length[bond], weight : weight + count]
                for m, row in enumerate(matrix @ weighed):
                    found[to, place + m * stride : place + m * stride + count] += row
        return found


def sample() -> Sample:
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
    return Sample(x, first, source, length, weights, turns, np.array(ways, dtype=np.int64), size)


def test_all_ways_give_the_sums_that_are_written_out() -> None:
    given = sample()
    out = np.full((len(given.x), given.size), np.nan, dtype=np.float32)
    add_messages(given.x, given.first, given.source, given.length, given.weights, given.turns, given.ways, out)
    np.testing.assert_allclose(out, given.messages(given.x, given.weights, given.turns), atol=2e-5)


def test_the_way_back_gives_the_slopes_of_these_sums() -> None:
    """Of the sums times any numbers g; they are linear in each of vectors, weights and matrices."""
    given, rng = sample(), np.random.default_rng(1)
    g = rng.normal(size=(len(given.x), given.size)).astype(np.float32)
    slopes = rng.normal(size=given.weights.shape).astype(np.float32)
    d_x, d_turns = np.ones_like(given.x), np.full_like(given.turns, np.nan)
    d_lengths = np.ones(len(given.source), dtype=np.float32)
    add_slopes_of_messages(
        given.x, g, given.first, given.source, given.length, given.weights, slopes, given.turns, given.ways,
        d_x, d_turns, d_lengths,
    )  # fmt: skip

    def total(x: Array32, weights: Array32, turns: Array32) -> float:
        return float((g * given.messages(x, weights, turns)).sum())

    for _ in range(3):
        other = rng.normal(size=given.x.shape).astype(np.float32)
        assert ((d_x - 1) * other).sum() == pytest.approx(total(other, given.weights, given.turns), rel=1e-4)
        matrices = rng.normal(size=given.turns.shape).astype(np.float32)
        assert (d_turns * matrices).sum() == pytest.approx(total(given.x, given.weights, matrices), rel=1e-4)
    for bond in range(len(given.source)):
        only = np.zeros_like(given.turns)
        only[bond] = given.turns[bond]
        assert d_lengths[bond] - 1 == pytest.approx(total(given.x, slopes, only), rel=1e-3)
