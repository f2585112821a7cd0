"""Import a package's network without what it imports beside it: data frames, computer algebra, molecular dynamics.

That is three seconds before the first number. Stand-ins take the places of such modules while the network is imported;
whoever asks for the real ones afterwards gets them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Later:
    """What a module has under a name, imported when it is used."""

    def __init__(self, module: str, name: str) -> None:
        self.__dict__["_from"] = module, name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_real(*self._from), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what stands there."""
        return _real(*self._from)(*args, **kwargs)

    def __mul__(self, other: Any) -> Any:
        return _real(*self._from) * other

    __rmul__ = __mul__


def _real(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


class StandIn(ModuleType):
    """A module that imports the real one when something is asked of it, once it has left its place."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return _real(self.__name__, name)


@contextmanager
def left_out(modules: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Keep modules from being imported in a block.

    Args:
        modules: Names of modules, each with what is taken from it by name. Those that are there already are no
            trouble: they stay.
    """
    missing = {name: taken for name, taken in modules.items() if name not in sys.modules}
    for name, taken in missing.items():
        stand_in = StandIn(name)
        stand_in.__dict__.update({one: Later(name, one) for one in taken})
        sys.modules[name] = stand_in
    try:
        yield
    finally:
        for name, taken in missing.items():
            del sys.modules[name]
            _give_when_asked(name, taken)


def _give_when_asked(name: str, taken: Sequence[str]) -> None:
    """Make the package of a module, which hands its names on, import it when one of them is asked for."""
    package, _, module = name.rpartition(".")
    if package not in sys.modules:
        return
    names = sys.modules[package].__dict__
    for one in (*taken, module):
        if isinstance(names.get(one), Later | ModuleType):
            del names[one]
    names["__getattr__"] = _getter(name, taken)


def _getter(name: str, taken: Sequence[str]) -> Callable[[str], Any]:
    def get(asked: str) -> Any:
        if asked in taken:
            return _real(name, asked)
        raise AttributeError(f"module {name.rpartition('.')[0]!r} has no attribute {asked!r}")

    return get
