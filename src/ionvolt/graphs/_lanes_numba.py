"""A few float32 numbers that a processor takes at a time, as a type of numba's.

LLVM turns loops over short rows into such instructions only with checks, for each row, that none overlaps with
another. Where rows are short and many, those checks cost more than the work. Here loads and products are written out,
so that sums stay in registers.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

LANES = 16 if get_host_cpu_features().get("avx512f") else 8
"""Numbers of a vector. Where registers hold fewer than sixteen, that many would leave the sums no registers: with AVX2
alone SevenNet's way back took 49 instead of 24 ms for 30 atoms, as long as others left it the memory."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_FAST = ("fast",)


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"Lanes({LANES})")


_LANES = _Lanes()


@register_model(_Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def _load(builder: Any, address: Any) -> Any:
    return builder.load(builder.bitcast(address, _VECTOR.as_pointer()), align=4)


def _spread(builder: Any, number: Any) -> Any:
    """A number in all places of a vector."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def zeros(n_out: int) -> Callable[..., Any]:
    """An intrinsic that gives ``n_out`` vectors of zeros."""
    kind = types.UniTuple(_LANES, n_out)

    @intrinsic
    def nothing(typing_context: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, _: Any) -> Any:
            return context.make_tuple(builder, kind, [ir.Constant(_VECTOR, [0.0] * LANES)] * n_out)

        return kind(), write

    return nothing


def add_turned(n_out: int) -> Callable[..., Any]:
    """An intrinsic that adds a weighed vector, turned by a column of a matrix, to sums.

    It takes sums, x and the vector's first number, weights and the first of them, matrices, the first number of the
    column and the stride in it; all three arrays are float32 and lie in order. Gives sums + column * weights * x,
    ``n_out`` vectors of ``LANES`` columns.
    """
    kind = types.UniTuple(_LANES, n_out)
    place = types.intp

    @intrinsic
    def add(
        typing_context: Any,
        sums: Any,
        x: Any,
        first: Any,
        weights: Any,
        weight: Any,
        matrices: Any,
        column: Any,
        stride: Any,
    ) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            old, x_, first_, weights_, weight_, matrices_, column_, stride_ = args
            _, of_x, _, of_weights, _, of_matrices, _, _ = signature.args
            new = [builder.extract_value(old, m) for m in range(n_out)]
            weigh = _load(builder, _address(context, builder, of_weights, weights_, weight_))
            vector = builder.fmul(weigh, _load(builder, _address(context, builder, of_x, x_, first_)), flags=_FAST)
            number = _address(context, builder, of_matrices, matrices_, column_)
            for m in range(n_out):
                product = builder.fmul(vector, _spread(builder, builder.load(number)), flags=_FAST)
                new[m] = builder.fadd(new[m], product, flags=_FAST)
                number = builder.gep(number, [stride_])
            return context.make_tuple(builder, kind, new)

        return kind(kind, x, place, weights, place, matrices, place, place), write

    return add


def write_rows(n_out: int) -> Callable[..., Any]:
    """An intrinsic that writes ``n_out`` vectors into an array of float32, from a number on, so far from each other."""
    kind = types.UniTuple(_LANES, n_out)

    @intrinsic
    def put(typing_context: Any, sums: Any, out: Any, first: Any, stride: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors, out_, first_, stride_ = args
            to = _address(context, builder, signature.args[1], out_, first_)
            for m in range(n_out):
                builder.store(builder.extract_value(vectors, m), builder.bitcast(to, _VECTOR.as_pointer()), align=4)
                to = builder.gep(to, [stride_])
            return context.get_dummy_value()

        return types.void(kind, out, types.intp, types.intp), write

    return put


def add_slopes(n_out: int) -> Callable[..., Any]:
    """An intrinsic for the way back through ``add_turned`` and a sum over its results, for one of its vectors.

    It takes sums, x and the place of that vector's first number, g (the gradient of what ``add_turned`` gives) with its
    first number and stride, weights, their slopes and the first number of both, matrices, the first number of a column
    and the stride in it, and an array like x, to which the gradient of x is added. Gives sums + weights * x * g,
    ``n_out`` vectors of ``LANES`` columns whose totals are the gradient of the column, and last slopes * x * (column^T
    @ g).
    """
    kind = types.UniTuple(_LANES, n_out + 1)
    place = types.intp

    @intrinsic
    def add(
        typing_context: Any,
        sums: Any,
        x: Any,
        first: Any,
        g: Any,
        first_g: Any,
        stride_g: Any,
        weights: Any,
        slopes: Any,
        weight: Any,
        matrices: Any,
        column: Any,
        stride: Any,
        d_x: Any,
    ) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            old, x_, first_, g_, first_g_, stride_g_, weights_, slopes_, weight_, matrices_, column_, stride_, d_x_ = (
                args
            )
            _, of_x, _, of_g, _, _, of_weights, of_slopes, _, of_matrices, _, _, of_d_x = signature.args
            new = [builder.extract_value(old, m) for m in range(n_out + 1)]
            weigh = _load(builder, _address(context, builder, of_weights, weights_, weight_))
            slope = _load(builder, _address(context, builder, of_slopes, slopes_, weight_))
            vector = _load(builder, _address(context, builder, of_x, x_, first_))
            weighed, turned = builder.fmul(weigh, vector, flags=_FAST), None
            number = _address(context, builder, of_matrices, matrices_, column_)
            here = _address(context, builder, of_g, g_, first_g_)
            for m in range(n_out):
                gradient = _load(builder, here)
                product = builder.fmul(gradient, _spread(builder, builder.load(number)), flags=_FAST)
                turned = product if turned is None else builder.fadd(turned, product, flags=_FAST)
                new[m] = builder.fadd(new[m], builder.fmul(weighed, gradient, flags=_FAST), flags=_FAST)
                here, number = builder.gep(here, [stride_g_]), builder.gep(number, [stride_])
            to = _address(context, builder, of_d_x, d_x_, first_)
            after = builder.fadd(_load(builder, to), builder.fmul(weigh, turned, flags=_FAST), flags=_FAST)
            builder.store(after, builder.bitcast(to, _VECTOR.as_pointer()), align=4)
            along = builder.fmul(builder.fmul(slope, vector, flags=_FAST), turned, flags=_FAST)
            new[-1] = builder.fadd(new[-1], along, flags=_FAST)
            return context.make_tuple(builder, kind, new)

        arguments = (kind, x, place, g, place, place, weights, slopes, place, matrices, place, place, d_x)
        return kind(*arguments), write

    return add


def write_totals(n: int) -> Callable[..., Any]:
    """An intrinsic that writes the totals of ``n`` vectors into an array of float32, so far from each other.

    It gives the total of one more vector, which comes last; together they are ``LANES`` at the most.
    """
    kind = types.UniTuple(_LANES, n + 1)

    @intrinsic
    def put(typing_context: Any, sums: Any, out: Any, first: Any, stride: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vectors, out_, first_, stride_ = args
            totals = _totals(builder, [builder.extract_value(vectors, m) for m in range(n + 1)])
            to = _address(context, builder, signature.args[1], out_, first_)
            for m in range(n):
                builder.store(builder.extract_element(totals, ir.IntType(32)(m)), to)
                to = builder.gep(to, [stride_])
            return builder.extract_element(totals, ir.IntType(32)(n))

        return types.float32(kind, out, types.intp, types.intp), write

    return put


def _totals(builder: Any, vectors: list[Any]) -> Any:
    """The totals of up to ``LANES`` vectors as one vector: two halves of two are added until one is left.

    Each by itself would take twice as many steps.
    """
    size = LANES  # numbers that are still to be added for each total
    while size > 1:
        half = size // 2
        low = [begin + k for begin in range(0, 2 * LANES, size) for k in range(half)]
        if len(vectors) % 2:
            vectors = [*vectors, ir.Constant(_VECTOR, ir.Undefined)]
        halves = (
            [
                builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [k + more for k in low]))
                for more in (0, half)
            ]
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        )
        vectors = [builder.fadd(a, b, flags=_FAST) for a, b in halves]
        size = half
    return vectors[0]
