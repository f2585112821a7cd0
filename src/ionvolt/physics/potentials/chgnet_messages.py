"""Gated messages of CHGNet along directed bonds and angles, forward and back, a few hundred at once.

Each atom and bond is multiplied once, and what comes of it is gathered; only angles carry something of their own. What
lies between the matrix products is one pass over the rows (``_chgnet_numba``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials import _chgnet_numba as kernels
from ionvolt.physics.potentials.chgnet_graph import Rows, Span
from ionvolt.physics.potentials.chgnet_linear import Array, Linear

WIDTH = kernels.WIDTH

LINE = 16
"""Numbers in a line of the processor's cache."""

LARGEST_ROOM = 2**25
"""Numbers that stay taken from one crystal to the next, 4 bytes each."""

_HALVES = slice(WIDTH), slice(WIDTH, None)
_NO_ROWS: Array = np.empty((0, 2 * WIDTH), dtype=np.float32)
_NO_WEIGHTS: Array = np.empty((0, WIDTH), dtype=np.float32)
_ONES: Array = np.ones((1, WIDTH), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Gate:
    """What is learned of a gated network behind the tables.

    Attributes:
        inner: Second matrices of core and gate, shapes (64, 64), or none.
        bias: Added before the norms, shape (128,).
        norms: Scale and shift of the core's norm, then the gate's, shape (4, 64), or none (0, 64).
    """

    inner: tuple[Linear, ...]
    bias: Array
    norms: Array


@dataclass(frozen=True, eq=False)
class Tables:
    """What rows take: one of a group, one of a bond, and one of an atom, of a pair of bonds or their own.

    Attributes:
        base: Of each group, shape (n_groups, 128).
        second: Of each bond, shape (n_bonds, 128).
        third: Of each atom or pair of bonds, shape (n, 128); with ``own``: of each row, shape (n_rows, 64).
        own: By which the rows' own vectors are multiplied, shape (64, 128).
        weights: By which messages are multiplied, by bond, shape (n_bonds, 64), before those of a group are summed;
            without them each row is its own message.
    """

    base: Array
    second: Array
    third: Array
    own: Linear | None = None
    weights: Array | None = None


class Room:
    """Memory for one way through the network, taken piece by piece and used again for the next crystal.

    Fresh memory costs as much as what is written into it.
    """

    def __init__(self) -> None:
        self.block = np.empty(0, dtype=np.float32)
        self.used = self.asked = 0
        self.shared: dict[str, Array] = {}

    def take(self, *shape: int) -> Array:
        """Numbers as they were left, in whole lines of the processor's cache."""
        size = math.prod(shape)
        start, whole = self.used, -(-size // LINE) * LINE
        self.asked += whole
        if start + whole > self.block.size:
            return np.empty(shape, dtype=np.float32)
        self.used += whole
        return self.block[start : start + size].reshape(shape)

    def share(self, name: str, n: int, width: int = 2 * WIDTH) -> Array:
        """Rows that are written anew by each set of messages, under a name."""
        found = self.shared.get(name)
        if found is None or len(found) < n:
            found = self.shared[name] = self.take(n, width)
        return found[:n]

    def leave(self) -> None:
        """Nothing that was taken is needed any more."""
        if self.block.size < self.asked <= LARGEST_ROOM:
            block = np.empty(self.asked + LINE, dtype=np.float32)
            begin = -(block.ctypes.data // 4) % LINE
            self.block = block[begin : begin + self.asked]
        self.used = self.asked = 0
        self.shared.clear()


class Messages:
    """One set of messages.

    Attributes:
        out: Sums of messages by group, shape (n_groups, 64), or the messages, shape (n_rows, 64).
    """

    def __init__(self, gate: Gate, rows: Rows, tables: Tables, room: Room, *, keep: bool) -> None:
        """Pass the messages on.

        Args:
            gate: The network.
            rows: Who passes.
            tables: What they take.
            room: For what is written on the way.
            keep: Whether ``back`` will be called.
        """
        self.gate, self.rows, self.tables, self.room, self.keep = gate, rows, tables, room, keep
        n = len(rows.second)
        if keep:
            self.slopes, self.kept = room.take(n if len(gate.inner) else 0, 2 * WIDTH), room.take(n, 2 * WIDTH)
            self.inverse = room.take(n, 2)
        else:
            self.slopes, self.kept = (room.share(name, rows.largest) for name in ("slopes", "kept"))
            self.inverse = room.share("inverse", rows.largest, 2)
        self.alone = np.arange(rows.largest + 1, dtype=np.int32)
        self.same = np.zeros(rows.largest, dtype=np.int32)
        self.out = room.take(n if tables.weights is None else len(tables.base), WIDTH)
        for span in rows.spans:
            self._forward(span)

    def _forward(self, span: Span) -> None:
        rows, tables, gate = self.rows, self.tables, self.gate
        begin, end, start, stop = span
        n = stop - start
        place = slice(start, stop) if self.keep else slice(n)
        starts, second, slopes = rows.starts[begin : end + 1], rows.second[start:stop], self.slopes[place]
        if tables.own is None:
            third, k = tables.third, rows.third[start:stop]
        else:
            third, k = self.room.share("own", n), self.alone[:n]
            tables.own(tables.third[start:stop], out=third)
        some, activated = self.room.share("before", n), len(gate.inner) > 0
        kernels.gather(tables.base[begin:end], starts, tables.second, second, third, k, activated, some, slopes)
        if activated:
            some, source = self.room.share("after", n), some
            for half, linear in zip(_HALVES, gate.inner, strict=True):
                linear(source[:, half], out=some[:, half])
        starts, weights, second = self._ends(span)
        out = self.out[start:stop] if tables.weights is None else self.out[begin:end]
        kernels.gate(some, gate.bias, gate.norms, starts, weights, second, self.kept[place], self.inverse[place], out)

    def _ends(self, span: Span) -> tuple[NDArray[np.int32], Array, NDArray[np.int32]]:
        """Where the groups begin in which rows end, weights, and which of them each row takes."""
        begin, end, start, stop = span
        if self.tables.weights is None:
            return self.alone[: stop - start + 1], _ONES, self.same[: stop - start]
        return self.rows.starts[begin : end + 1], self.tables.weights, self.rows.second[start:stop]

    def back(self, d_out: Array, d_third: Array, d_weights: Array | None = None) -> tuple[Array, Array]:
        """Gradients of ``base`` and ``second``.

        Args:
            d_out: Gradient of ``out``.
            d_third: That of ``third``, to which is added; may be ``d_out`` where each row is its own message.
            d_weights: That of ``weights``, to which is added.
        """
        tables = self.tables
        d_base, d_second = self.room.take(*tables.base.shape), self.room.take(*tables.second.shape)
        d_second[:] = 0
        for span in self.rows.spans:
            begin, end, start, stop = span
            self._backward(
                span,
                d_out[start:stop] if tables.weights is None else d_out[begin:end],
                d_base[begin:end],
                d_second,
                d_third,
                _NO_WEIGHTS if d_weights is None else d_weights,
            )
        return d_base, d_second

    def _backward(
        self, span: Span, d_out: Array, d_base: Array, d_second: Array, d_third: Array, d_weights: Array
    ) -> None:
        rows, gate, own = self.rows, self.gate, self.tables.own
        begin, end, start, stop = span
        place = slice(start, stop)
        starts, weights, second = self._ends(span)
        some, slopes = self.room.share("after", stop - start), self.slopes
        kernels.gate_backward(
            self.kept[place], self.inverse[place], gate.norms, starts, weights, second, d_out, some, d_weights
        )
        if len(gate.inner):
            some, source = self.room.share("before", stop - start), some
            for half, linear in zip(_HALVES, gate.inner, strict=True):
                linear.back(source[:, half], out=some[:, half])
            slopes = slopes[place]
        starts, added = rows.starts[begin : end + 1], d_third if own is None else _NO_ROWS
        kernels.gather_backward(some, slopes, starts, rows.second[place], rows.third[place], d_base, d_second, added)
        if own is not None:
            d_third[place] += own.back(some, out=self.room.share("back", stop - start, WIDTH))
