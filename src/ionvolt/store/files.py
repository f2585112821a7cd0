"""Files and folders that appear, or change, only when they are complete.

Each is written beside its place under a name that ends in ``.part`` and then renamed. A run that is killed while it
writes leaves the earlier file as it was. Nothing outside this room writes ``.part``.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ionvolt.errors import DataError
from ionvolt.store.cells import spreadsheet_cell

ABANDONED_AFTER_S = 3600.0
"""Age of a part file from which on the run that wrote it is taken for dead."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a path to write to; the file takes its place when the block ends without an error.

    Several runs may write the same file at once: each writes its own part, and the last one to end wins. The folder is
    made where it is missing.

    Raises:
        DataError: The file cannot be written there: no right to, no space, a folder in its place.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
        _remove_abandoned(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _refusal(path, error) from error
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to write to; it takes its place when the block ends without an error.

    What stood in its place goes. What an earlier run left unfinished goes, too, so one run at a time may write a
    folder: hold a ``claim`` on it where there could be several.

    Raises:
        DataError: The folder cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    except OSError as error:
        raise _refusal(path, error) from error


def is_trace(path: Path) -> bool:
    """Whether a file is none of its own, but what a run that writes or was killed leaves: a part or a claim."""
    return path.name.endswith((".part", ".claim"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, atomically. For errors see ``atomic_file``, as in all functions below."""
    with atomic_file(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int | None = 1) -> None:
    """Write JSON, atomically; not-a-number and infinity are refused with ``ValueError``."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=indent, allow_nan=False) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV table, atomically: a column for each key of the first row, which has to be there.

    No cell is taken for a formula by a spreadsheet (``spreadsheet_cell``).
    """
    rows = list(rows)
    with atomic_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: spreadsheet_cell(value) for name, value in row.items()} for row in rows)


def _remove_abandoned(path: Path) -> None:
    """Remove part files of this path that killed runs have left."""
    with contextlib.suppress(OSError):
        for part in path.parent.iterdir():
            of_this = part.name.startswith(path.name + ".") and part.name.endswith(".part") and part.is_file()
            if of_this and time.time() - part.stat().st_mtime > ABANDONED_AFTER_S:
                part.unlink(missing_ok=True)


def _refusal(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: it cannot be written ({error.strerror or error}). Choose another place")


def cache_folder(name: str) -> Path:
    """A folder of IonVolt's among what the system keeps of programs (Linux: ``XDG_CACHE_HOME``, ``~/.cache``)."""
    from platformdirs import user_cache_path

    return user_cache_path("ionvolt", appauthor=False) / name
