"""Compiled functions without a place for their machine code."""

from __future__ import annotations

import pytest

pytest.importorskip("numba")

from numba import njit
from numba.core import caching

from ionvolt.graphs.compilation import cached_njit


def _double(x):
    return 2 * x


def test_no_writable_cache_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # The name before numba 0.62 had an underscore.
    implementation = getattr(caching, "CacheImpl", None) or caching._CacheImpl  # type: ignore[attr-defined]
    monkeypatch.setattr(implementation, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(_double)
    compiled = cached_njit(nogil=True)(_double)
    assert compiled(21) == 42


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises((RuntimeError, TypeError, KeyError)):
        cached_njit(nosuchoption=True)(_double)(1)
