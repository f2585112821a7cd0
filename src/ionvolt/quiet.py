"""Keep other packages quiet, or from loading what is not needed, without a word less to anybody else.

``warnings.catch_warnings`` changes the filters of the whole process, and before Python 3.14 two threads inside it can
leave each other's filters behind. Here such blocks wait for each other, last for one call and name what they silence:
what could be left behind hides nothing else.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_lock = threading.RLock()


@contextmanager
def silenced(*messages: str, category: type[Warning] = Warning) -> Iterator[None]:
    """Ignore some warnings in a block; keep the block short, for others wait.

    Args:
        messages: Regular expressions that the beginnings of the messages match; none: all of the category.
        category: Their category.
    """
    with _lock, warnings.catch_warnings():
        for message in messages or ("",):
            warnings.filterwarnings("ignore", message, category)
        yield


@contextmanager
def without_prints(module: ModuleType) -> Iterator[None]:
    """Let a module print nothing in a block; what other modules and threads print is printed."""
    with _lock:
        module.__dict__["print"] = lambda *_, **__: None
        try:
            yield
        finally:
            del module.__dict__["print"]


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Let imports of this thread in a block do without some modules, unless they are loaded already.

    For packages that load others only to see whether they are there. Other threads import what they like.
    """
    finder = _WithoutModules(names, threading.get_ident())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _WithoutModules:
    """Says that there are no such modules, to one thread."""

    def __init__(self, names: tuple[str, ...], thread: int) -> None:
        self._names, self._thread = names, thread

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is left out", name=name)
