"""Units of work, each a file: written as a whole, claimed while it is made, so that several runs share a folder."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextmanager
def claim(target: Path) -> Iterator[bool]:
    """Claim a file that is to be made, until the block ends; a killed run leaves its claim, which is to be deleted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = target.with_suffix(".claim")
    try:
        mark.open("x").close()
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        mark.unlink(missing_ok=True)


def unclaimed(targets: Iterable[Path]) -> Iterator[Path]:
    """Those of some files that are not there and that no other run is at, each claimed while the caller makes it."""
    for target in targets:
        if target.exists():
            continue
        with claim(target) as mine:
            if mine and not target.exists():
                yield target


def write_arrays(path: Path, arrays: Mapping[str, Any], *, compressed: bool = True) -> None:
    """Write arrays into an npz file that appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)
    part.replace(path)


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """The arrays of a file by name; None where there is no such file or it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_json(path: Path, content: Any, *, indent: int | None = 1) -> None:
    """Write JSON, atomically."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


def fingerprint(facts: object, *arrays: NDArray[Any]) -> str:
    """What makes a run this one and no other: its settings and the arrays it works on, 64 hexadecimal digits."""
    layout = [facts, [[a.dtype.str, list(a.shape)] for a in arrays]]
    digest = hashlib.sha256(json.dumps(layout, sort_keys=True).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
