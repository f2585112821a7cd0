"""Keep other packages quiet for a moment, without a word less from anybody else.

``warnings.catch_warnings`` changes the filters of the whole process, and before Python 3.14 two threads inside it can
leave each other's filters behind. Here such blocks wait for each other, last for one call and name what they silence:
what could be left behind hides nothing else.
"""

from __future__ import annotations

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
