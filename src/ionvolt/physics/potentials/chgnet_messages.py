"""Gated messages of CHGNet along directed bonds and angles, forward and back, a few hundred at once.

Each atom and bond is multiplied once, and what comes of it is gathered; only angles carry something of their own. What
lies between the matrix products is one pass over the rows (``_chgnet_numba``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials import _chgnet_numba as kernels
from ionvolt.physics.potentials.chgnet_graph import Rows

Array = NDArray[np.float32]

WIDTH = kernels.WIDTH

TOGETHER = 512
"""Rows that pass at once, 1 kB and more each: they stay in the processor's cache."""

LINE = 16
"""Numbers in a line of the processor's cache."""

LARGEST_ROOM = 2**25
"""Numbers that stay taken from one crystal to the next, 4 bytes each."""

_NONE: Array = np.empty((0, 2 * WIDTH), dtype=np.float32)
_NO_WEIGHTS: Array = np.empty((0, WIDTH), dtype=np.float32)
_ONES: Array = np.ones((1, WIDTH), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Gate:
    """What is learned of a gated network behind the tables.

    Attributes:
        inner: Second matrices of core and gate, shape (2, 64, 64), or none (0, 64, 64).
        bias: Added before the norms, shape (128,).
        norms: Scale and shift of the core's norm, then the gate's, shape (4, 64), or none (0, 64).
    """

    inner: Array
    bias: Array
    norms: Array


@dataclass(frozen=True, eq=False)
class Tables:
    """What rows take: one of a group, one of a bond, and one of an atom or their own.

    Attributes:
        base: Of each group, shape (n_groups, 128).
        second: Shape (n_bonds, 128).
        third: Of each atom or pair of bonds, shape (n, 128); with ``own`` of each angle, shape (n_angles, 64).
        own: By which the vectors of angles are multiplied, shape (64, 128).
        weights: By which messages are multiplied, by bond, shape (n_bonds, 64); None where each row is its own message.
    """

    base: Array
    second: Array
    third: Array
    own: Array | None = None
    weights: Array | None = None


class Room:
    """Memory for what a way through the network leaves behind, taken piece by piece and used again the next time.

    Fresh memory costs as much as what is written into it.
    """

    def __init__(self) -> None:
        self.block = np.empty(0, dtype=np.float32)
        self.used = self.asked = 0

    def take(self, *shape: int) -> Array:
        """Numbers as they were left, in whole lines of the processor's cache."""
        size = math.prod(shape)
        start = self.used
        whole = -(-size // LINE) * LINE
        self.asked += whole
        if start + whole > self.block.size:
            return np.empty(shape, dtype=np.float32)
        self.used += whole
        return self.block[start : start + size].reshape(shape)

    def leave(self) -> None:
        """Nothing that was taken is needed any more."""
        if self.block.size < self.asked <= LARGEST_ROOM:
            block = np.empty(self.asked + LINE, dtype=np.float32)
            begin = -(block.ctypes.data // 4) % LINE
            self.block = block[begin : begin + self.asked]
        self.used = self.asked = 0


class Messages:
    """One set of messages. What the way back needs is kept only if asked for."""

    def __init__(self, gate: Gate, rows: Rows, tables: Tables, room: Room, *, keep: bool) -> None:
        """Pass the messages on.

        Args:
            gate: The network.
            rows: Who passes.
            tables: What they take.
            room: For what is written on the way.
            keep: Whether ``back`` will be called.
        """
        self.gate, self.rows, self.tables, self.room = gate, rows, tables, room
        self.spans = list(_spans(rows.starts))
        self.largest = max((stop - start for _, _, start, stop in self.spans), default=0)
        n = len(rows.second)
        size = n if keep else self.largest
        self.slopes = room.take(size if len(gate.inner) else 0, 2 * WIDTH)
        self.kept = room.take(size, 2 * WIDTH)
        self.inverse = room.take(size, 2)
        self.alone = np.arange(self.largest + 1, dtype=np.int32)
        self.same = np.zeros(self.largest, dtype=np.int32)
        self.out = room.take(n if tables.weights is None else len(tables.base), WIDTH)
        self._forward(keep=keep)

    def _forward(self, *, keep: bool) -> None:
        rows, tables, gate = self.rows, self.tables, self.gate
        before, after, own = (self.room.take(self.largest, 2 * WIDTH) for _ in range(3))
        for begin, end, start, stop in self.spans:
            n = stop - start
            place = slice(start, stop) if keep else slice(n)
            third, k = tables.third, rows.third[start:stop]
            if tables.own is not None:
                third, k = np.matmul(tables.third[start:stop], tables.own, out=own[:n]), self.alone[:n]
            slopes, some = self.slopes[place], before[:n]
            starts, second = rows.starts[begin : end + 1], rows.second[start:stop]
            activated = len(gate.inner) > 0
            kernels.gather(tables.base[begin:end], starts, tables.second, second, third, k, activated, some, slopes)
            if activated:
                some = _halves(some, gate.inner, after[:n])
            starts, weights, second, out = self._end(begin, end, start, stop)
            kernels.gate(
                some, gate.bias, gate.norms, starts, weights, second, self.kept[place], self.inverse[place], out
            )

    def _end(
        self, begin: int, end: int, start: int, stop: int
    ) -> tuple[NDArray[np.int32], Array, NDArray[np.int32], Array]:
        """How rows end: where groups begin, weights, which of them, and what comes out."""
        if self.tables.weights is None:
            n = stop - start
            return self.alone[: n + 1], _ONES, self.same[:n], self.out[start:stop]
        return (
            self.rows.starts[begin : end + 1],
            self.tables.weights,
            self.rows.second[start:stop],
            self.out[begin:end],
        )

    def back(self, d_out: Array, d_third: Array, d_weights: Array | None = None) -> tuple[Array, Array]:
        """Gradients of ``base`` and ``second``.

        Args:
            d_out: Gradient of ``out``.
            d_third: That of ``third``, to which is added; may be ``d_out`` where each row is its own message.
            d_weights: That of ``weights``, to which is added.
        """
        rows, tables, gate = self.rows, self.tables, self.gate
        d_base, d_second = self.room.take(*tables.base.shape), self.room.take(*tables.second.shape)
        d_second[:] = 0
        before, after = (self.room.take(self.largest, 2 * WIDTH) for _ in range(2))
        inner = gate.inner.transpose(0, 2, 1)
        own = None if tables.own is None else tables.own.T
        for begin, end, start, stop in self.spans:
            n, place = stop - start, slice(start, stop)
            starts, weights, second, _ = self._end(begin, end, start, stop)
            some = after[:n]
            kernels.gate_backward(
                self.kept[place],
                self.inverse[place],
                gate.norms,
                starts,
                weights,
                second,
                d_out[place] if tables.weights is None else d_out[begin:end],
                some,
                _NO_WEIGHTS if d_weights is None else d_weights,
            )
            slopes = self.slopes
            if len(inner):
                some, slopes = _halves(some, inner, before[:n]), self.slopes[place]
            kernels.gather_backward(
                some,
                slopes,
                rows.starts[begin : end + 1],
                rows.second[place],
                rows.third[place],
                d_base[begin:end],
                d_second,
                d_third if own is None else _NONE,
            )
            if own is not None:
                d_third[place] += some @ own
        return d_base, d_second


def _halves(rows: Array, matrices: Array, out: Array) -> Array:
    """The core's and the gate's halves of rows, each times its matrix."""
    for half, matrix in zip((slice(WIDTH), slice(WIDTH, None)), matrices, strict=True):
        np.matmul(rows[:, half], matrix, out=out[:, half])
    return out


def _spans(starts: NDArray[np.int32]) -> Iterator[tuple[int, int, int, int]]:
    """First and last group, first and last row of what passes at once."""
    begin, n_groups = 0, len(starts) - 1
    while begin < n_groups:
        end = max(int(np.searchsorted(starts, starts[begin] + TOGETHER, side="right")) - 1, begin + 1)
        yield begin, end, int(starts[begin]), int(starts[end])
        begin = end
