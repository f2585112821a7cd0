"""What SevenNet's network is built with beside its weights, without work whose result is not used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def moments_once() -> Iterator[None]:
    """Let e3nn integrate each activation once, not for each of its twenty uses: a million draws from one seed."""
    from e3nn.math import _normalize_activation as normalisation

    integrate: Any = normalisation.moment
    known: dict[tuple[Any, ...], Any] = {}

    def moment(function: Any, order: int, dtype: Any = None, device: Any = None) -> Any:
        key = function, order, dtype, device
        if key not in known:
            known[key] = integrate(function, order, dtype=dtype, device=device)
        return known[key]

    normalisation.moment = moment
    try:
        yield
    finally:
        normalisation.moment = integrate


@contextmanager
def forms_only() -> Iterator[None]:
    """Let products that are only asked for the form of their result not write code for it."""
    from e3nn.o3 import FullTensorProduct
    from sevenn import util as package_util

    util: Any = package_util
    util.FullTensorProduct = partial(FullTensorProduct, compile_left_right=False)
    try:
        yield
    finally:
        util.FullTensorProduct = FullTensorProduct
