"""Read ASE trajectories, which are JSON and plain arrays; nothing in them is executed or imported."""

from __future__ import annotations

import json
import math
import struct
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.checks import check_atom_count
from ionvolt.structures.contents import Contents, Entry
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal
from ionvolt.structures.xyz import from_cartesian

MAGIC = b"- of Ulm"
"""What the file begins with."""
OLD_MAGIC = b"PickleTrajectory"
"""What the pickles of old versions begin with."""

_TAG = b"ASE-Trajectory"
_HEADER = struct.Struct("<8s16sqqq")
_TYPES = {"int64": "<i8", "int32": "<i4", "float64": "<f8", "float32": "<f4"}
_LONGEST = 1_000_000
_REMEDY = "Write the structure anew with ASE, as a CIF or extended XYZ"


def read_trajectory(data: bytes, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The frames of an ASE trajectory (``.traj``).

    Frames of the same atoms are steps of one structure; others are a structure each.

    Args:
        data: The file.
        source: Its name, for messages.
        limits: The bounds.

    Raises:
        InputError: It is damaged, or of a version that is not known.
    """
    if data.startswith(OLD_MAGIC):
        raise refusal(source, "it is a pickle of an old version of ASE, which could run code when it is read", _REMEDY)

    def refuse(rule: str) -> NoReturn:
        raise refusal(source, rule, _REMEDY)

    if len(data) < _HEADER.size:
        refuse("the trajectory is cut short")
    _, tag, version, count, begin = _HEADER.unpack_from(data)
    if tag.rstrip(b"\0 ") != _TAG or not 1 <= version <= 3:
        refuse("it is no ASE trajectory, or one of an unknown version")
    if not 0 < count <= limits.max_blocks:
        refuse(f"it holds {count} frames, not 1 to {limits.max_blocks}")
    if not 0 <= begin <= len(data) - 8 * count:
        refuse("the trajectory is damaged")
    offsets = np.frombuffer(data, dtype="<i8", count=count, offset=begin)
    frames = [_record(data, int(offset), source) for offset in offsets]
    first = _array(data, frames[0].get("numbers."), source)
    kinds = {_numbers_of(data, frame, first, source).tobytes() for frame in frames}
    entries = [
        Entry(str(k), partial(_crystal, data, frame, frames[0], first, limits=limits))
        for k, frame in enumerate(frames, start=1)
    ]
    return Contents(entries, steps=len(kinds) == 1 and len(entries) > 1)


def _numbers_of(data: bytes, frame: dict[str, Any], first: NDArray[Any], source: str) -> NDArray[Any]:
    return _array(data, frame["numbers."], source) if "numbers." in frame else first


def _crystal(
    data: bytes, frame: dict[str, Any], head: dict[str, Any], first: NDArray[Any], source: str, limits: Limits
) -> Crystal:
    numbers = _numbers_of(data, frame, first, source)
    positions = _array(data, frame.get("positions."), source)
    try:
        lattice = np.array(frame["cell"], dtype=np.float64).reshape(3, 3)
        periodic = np.array(frame.get("pbc", head.get("pbc")), dtype=np.bool_)
    except (LookupError, TypeError, ValueError):
        raise refusal(source, "the trajectory has no cell", "Set a cell with three vectors") from None
    check_atom_count(source, numbers.size, limits)
    if numbers.ndim != 1 or numbers.dtype.kind != "i" or positions.shape != (numbers.size, 3):
        raise refusal(source, "the trajectory is damaged", _REMEDY)
    if not periodic.all():
        raise refusal(source, "it is not periodic in all three directions", "Set pbc=True and a cell")
    return from_cartesian(lattice, numbers.astype(np.int64), positions.astype(np.float64), source, limits)


def _record(data: bytes, offset: int, source: str) -> dict[str, Any]:
    """The JSON at an offset."""
    try:
        if not 0 <= offset <= len(data) - 8:
            raise ValueError("outside")
        (size,) = struct.unpack_from("<q", data, offset)
        if not 0 < size <= min(_LONGEST, len(data) - offset - 8):
            raise ValueError("outside")
        record = json.loads(data[offset + 8 : offset + 8 + size])
        if not isinstance(record, dict):
            raise ValueError("no record")
    except (ValueError, RecursionError):
        raise refusal(source, "the trajectory is damaged", _REMEDY) from None
    return record


def _array(data: bytes, described: object, source: str) -> NDArray[Any]:
    """An array that the JSON describes by shape, type and place in the file."""
    try:
        shape, kind, offset = described["ndarray"]  # type: ignore[index]
        shape = tuple(shape)
        if not all(isinstance(size, int) and 0 <= size <= 1_000_000 for size in (*shape, len(shape))):
            raise ValueError("shape")
        count = math.prod(shape)
        dtype = np.dtype(_TYPES[kind])
        if not 0 <= offset <= len(data) - count * dtype.itemsize or not isinstance(offset, int):
            raise ValueError("outside")
        return np.frombuffer(data, dtype=dtype, count=count, offset=offset).reshape(shape)
    except (LookupError, TypeError, ValueError, OverflowError):
        raise refusal(source, "the trajectory is damaged, or lacks numbers or positions", _REMEDY) from None
