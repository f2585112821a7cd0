"""Plain JSON into dataclasses, checked field by field."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def structured(kind: type[T], content: object, where: str = "") -> T:
    """A dataclass from what JSON holds.

    Args:
        kind: The dataclass. Its fields are plain types, literals, unions, lists, tuples, dictionaries with strings as
            keys (or ``Sequence`` and ``Mapping``), ``Any``, and dataclasses of the same sort.
        content: The object.
        where: Its name, for messages.

    Raises:
        ValueError: A field is unknown, missing or of another type; the text names it.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where or 'it'} is no object")
    hints, known = _fields(kind)  # type: ignore[arg-type]
    for name in content:
        if name not in known:
            raise ValueError(f"unknown: {_joined(where, str(name))}")
    missing = [
        name
        for name, field in known.items()
        if name not in content and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"no {_joined(where, missing[0])}")
    return kind(**{name: _checked(hints[name], value, _joined(where, name)) for name, value in content.items()})


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], dict[str, Field[Any]]]:
    """Types and fields of a dataclass by name."""
    return get_type_hints(kind), {field.name: field for field in fields(kind)}


@cache
def _plain_types(hint: Any) -> frozenset[type]:
    """Types whose values fit as they are, without a closer look: cards are full of numbers and words."""
    if get_origin(hint) in (Union, types.UnionType):
        return frozenset(kind for inner in get_args(hint) for kind in _plain_types(inner))
    return frozenset({hint} & {str, int, float, bool, type(None)})


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _checked(hint: Any, value: object, where: str) -> Any:
    if hint is Any or type(value) in _plain_types(hint):
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return structured(hint, value, where)
    if origin in (Union, types.UnionType):
        return _one_of(inner, value, where)
    if origin is Literal:
        if value not in inner:
            raise ValueError(f"{where} is {value!r}, not one of {', '.join(map(str, inner))}")
        return value
    if origin in (list, tuple, Sequence):
        if not isinstance(value, list):
            raise ValueError(f"{where} is no list")
        if origin is not tuple:
            as_is = _plain_types(inner[0])
            return [
                item if type(item) in as_is else _checked(inner[0], item, f"{where}[{i}]")
                for i, item in enumerate(value)
            ]
        if len(value) != len(inner):
            raise ValueError(f"{where} holds {len(value)} items, not {len(inner)}")
        return tuple(_checked(h, item, f"{where}[{i}]") for i, (h, item) in enumerate(zip(inner, value, strict=True)))
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is no object")
        as_is = _plain_types(inner[1])
        return {
            str(key): item if type(item) in as_is else _checked(inner[1], item, _joined(where, str(key)))
            for key, item in value.items()
        }
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = type(None) if hint is None else hint
    if type(value) is not plain:
        raise ValueError(f"{where} is no {plain.__name__}")
    return value


def _one_of(hints: tuple[Any, ...], value: object, where: str) -> Any:
    for hint in hints:
        try:
            return _checked(hint, value, where)
        except ValueError:
            continue
    names = " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints)
    raise ValueError(f"{where} is no {names}")
