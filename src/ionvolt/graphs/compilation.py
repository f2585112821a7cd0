"""numba's ``njit`` for functions whose machine code is kept on disk where that is possible.

numba refuses ``cache=True`` while a module is imported if it finds no folder that it may write to: neither beside the
source, nor in the home folder, nor in ``NUMBA_CACHE_DIR``. That is so in read-only containers and in services without
a home. The functions are then compiled anew in each process, which takes some seconds, and answer the same.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from numba import njit

from ionvolt.quiet import without_modules

with without_modules(
    "scipy.linalg"
):  # whose BLAS numba asks for, and no function here: a third of the time to load numba
    import_module("numba.np.arraymath")


def cached_njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``numba.njit(cache=True, **options)``, without the cache where there is no place for one."""

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return njit(**options)(function)

    return compiled
