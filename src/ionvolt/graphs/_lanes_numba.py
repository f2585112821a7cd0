"""Sixteen float32 numbers that a processor takes at a time, as a type of numba's.

LLVM turns loops over short rows into such instructions only with checks, for each row, that none overlaps with
another. Where rows are short and many, those checks cost more than the work. Here loads and products are written out,
so that sums stay in registers.
"""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

LANES = 16
"""Numbers of a vector; processors with narrower registers take it in pieces."""

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


def add_turned(n_in: int, n_out: int) -> Callable[..., Any]:
    """An intrinsic that adds weighed and turned vectors to sums.

    It takes sums, x, its first number and the stride from vector to vector, weights and the first of them, matrices
    and the first number of the one to use, shape (n_out, n_in); all three arrays are float32 and lie in order.
    Gives sums + matrix @ (weights * x), ``LANES`` columns.
    """
    kind = types.UniTuple(_LANES, n_out)
    place = types.intp

    @intrinsic
    def add(
        typing_context: Any,
        sums: Any,
        x: Any,
        first: Any,
        stride: Any,
        weights: Any,
        weight: Any,
        matrices: Any,
        matrix: Any,
    ) -> Any:
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            old, x_, first_, stride_, weights_, weight_, matrices_, matrix_ = args
            _, of_x, _, _, of_weights, _, of_matrices, _ = signature.args
            new = [builder.extract_value(old, m) for m in range(n_out)]
            weigh = _load(builder, _address(context, builder, of_weights, weights_, weight_))
            start = _address(context, builder, of_x, x_, first_)
            turn = _address(context, builder, of_matrices, matrices_, matrix_)
            for k in range(n_in):
                vector = _load(builder, start)
                start = builder.gep(start, [stride_])
                vector = builder.fmul(weigh, vector, flags=_FAST)
                for m in range(n_out):
                    number = builder.load(builder.gep(turn, [ir.IntType(64)(m * n_in + k)]))
                    product = builder.fmul(vector, _spread(builder, number), flags=_FAST)
                    new[m] = builder.fadd(new[m], product, flags=_FAST)
            return context.make_tuple(builder, kind, new)

        return kind(kind, x, place, place, weights, place, matrices, place), write

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
