"""Inputs of a screen: found, counted and named by their content, never held in memory.

Every input becomes a ``Source`` of numbered units. A unit is what is read at once: a row of Parquet, a line of JSON
lines, a file of a folder, or one structure of an archive or of a JSON document that holds many.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from ionvolt.errors import InputError
from ionvolt.screening.places import INPUTS
from ionvolt.store import atomic_file, file_sha256
from ionvolt.structures.contents import wanted
from ionvolt.structures.limits import DEFAULT_LIMITS
from ionvolt.structures.reading import contents, is_structure_file, read_data
from ionvolt.structures.wording import refusal

Kind = Literal["parquet", "lines", "files"]

COLUMNS = ("lattice", "numbers", "frac_coords")
"""Columns that a Parquet file of crystals must have, besides ``id``."""

MAX_LINE = 20_000_000
"""Bytes of one line: the largest CIF that is read, and room for JSON's escapes."""

_LINES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_SEVERAL = (".zip", ".json", ".json.gz")
# A JSON file below this size is one unit, whatever it holds: looking into each would cost as much as reading it.
_SMALL = 200_000
_MARK_EVERY = 256
_REMEDY = "Give CIF or POSCAR files, folders, archives, JSON lines or Parquet with lattice, numbers and frac_coords"


@dataclass(frozen=True)
class Source:
    """One input.

    Attributes:
        kind: How it is read. ``files`` is a list of files that the plan made, in its own folder.
        path: The file; of ``files`` relative to the run's folder.
        units: How many units it holds.
        sha256: SHA-256 of its content; of ``files``, that of the names, sizes and times of all files.
        size: Bytes.
        mtime_ns: Time of the last change. Where size and time are as they were, the content is not read again.
    """

    kind: Kind
    path: str
    units: int
    sha256: str
    size: int
    mtime_ns: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """A source and where one may start to read it.

    Attributes:
        source: The source.
        marks: Byte offset of every ``MARK_EVERY``-th unit, of what is read line by line (after decompression).
    """

    source: Source
    marks: tuple[int, ...] = ()

    def offset(self, unit: int) -> tuple[int, int]:
        """The last marked unit at or before a unit, and its byte offset."""
        if not self.marks:
            return unit, 0
        return unit // _MARK_EVERY * _MARK_EVERY, self.marks[unit // _MARK_EVERY]


def find_sources(inputs: Iterable[str], folder: Path) -> tuple[list[Found], dict[str, int]]:
    """Find every input of a screen.

    Args:
        inputs: Files, folders, glob patterns.
        folder: The run's folder; lists of files are written there.

    Returns:
        The sources, and how many files of folders were passed over, by ending.

    Raises:
        InputError: An input is not there, holds nothing, or cannot be read again by a later run (standard input).
    """
    found: list[Found] = []
    passed_over: Counter[str] = Counter()
    for number, given in enumerate(inputs):
        listed: list[str] = []
        tables: list[Path] = []
        for path in _files(given, passed_over):
            (tables if _is_table(path) else listed).append(str(path))  # type: ignore[arg-type]
        found += [_table(Path(path)) for path in tables]
        if listed:
            found.append(_list_files(sorted(listed), folder, number))
        if not listed and not tables:
            raise refusal(given, "no structure file in it", _REMEDY)
    return found, dict(passed_over)


def unchanged(source: Source) -> bool:
    """Whether an input looks as it did when the plan was made; only what changed has to be read again."""
    try:
        state = Path(source.path).stat()
    except OSError:
        return False
    return (state.st_size, state.st_mtime_ns) == (source.size, source.mtime_ns)


def open_lines(path: str | Path) -> BinaryIO:
    """A file of lines, unpacked where it is gzipped."""
    if str(path).endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return Path(path).open("rb")


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith((".parquet", *_LINES))


def _files(given: str, passed_over: Counter[str]) -> Iterator[Path]:
    if given == "-":
        raise InputError("-", "a screen that is to go on cannot read standard input again", "Write it into a file")
    path = Path(os.path.abspath(given))  # noqa: PTH100
    if path.is_dir():
        for root, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                file = Path(root) / name
                if name.startswith("."):
                    continue
                if _is_table(file) or is_structure_file(file):
                    yield file
                else:
                    passed_over[Path(name.lower().removesuffix(".gz")).suffix or "no ending"] += 1
    elif path.exists():
        if not path.is_file():
            raise refusal(given, "it is not a regular file", "Copy it into a file")
        yield path
    elif glob.has_magic(given):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
        yield from (Path(match) for match in matches if Path(match).is_file())
    else:
        raise refusal(given, "there is no such file", "Check the path")


def _table(path: Path) -> Found:
    return _parquet(path) if path.name.lower().endswith(".parquet") else _lines(path)


def _parquet(path: Path) -> Found:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names, rows = file.schema_arrow.names, file.metadata.num_rows
    except (OSError, ValueError) as error:
        raise refusal(str(path), "it is no Parquet file", _REMEDY) from error
    lacking = [name for name in COLUMNS if name not in names]
    if lacking:
        raise refusal(str(path), f"it has no column {', '.join(lacking)}", _REMEDY)
    if not rows:
        raise refusal(str(path), "it has no rows", _REMEDY)
    digest = file_sha256(path)
    state = path.stat()
    return Found(Source("parquet", str(path), rows, digest, state.st_size, state.st_mtime_ns))


def _lines(path: Path) -> Found:
    digest = hashlib.sha256()
    marks: list[int] = []
    units = offset = 0
    try:
        with open_lines(path) as file:
            while line := file.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise refusal(str(path), f"line {units + 1} has more than {MAX_LINE / 1e6:g} MB", "Split it")
                if units % _MARK_EVERY == 0:
                    marks.append(offset)
                digest.update(line)
                units += 1
                offset += len(line)
    except (OSError, EOFError) as error:
        raise refusal(str(path), f"it cannot be read ({error})", "Check the file") from error
    if not units:
        raise refusal(str(path), "it has no lines", _REMEDY)
    state = path.stat()
    source = Source("lines", str(path), units, digest.hexdigest(), state.st_size, state.st_mtime_ns)
    return Found(source, tuple(marks))


def _list_files(paths: list[str], folder: Path, number: int) -> Found:
    """Write the list of files, one a line: ``"path"``, or ``["path", k]`` for the k-th structure of a large one."""
    digest = hashlib.sha256()
    marks: list[int] = []
    units = offset = 0
    target = folder / INPUTS / f"{number:04d}.jsonl"
    with atomic_file(target) as part, part.open("wb") as file:
        for path in paths:
            state = Path(path).stat()
            digest.update(json.dumps([path, state.st_size, state.st_mtime_ns]).encode())
            for entry in _entries(path, state.st_size):
                line = json.dumps(entry).encode() + b"\n"
                if units % _MARK_EVERY == 0:
                    marks.append(offset)
                file.write(line)
                units += 1
                offset += len(line)
    source = Source("files", f"{INPUTS}/{target.name}", units, digest.hexdigest(), offset, 0)
    return Found(source, tuple(marks))


def _entries(path: str, size: int) -> Iterator[Any]:
    name = path.lower()
    if not name.endswith(_SEVERAL) or (size < _SMALL and not name.endswith(".zip")):
        yield path
        return
    try:
        n = len(wanted(contents(read_data(path), path, None, DEFAULT_LIMITS), path))
    except InputError:
        yield path  # reading it says why
        return
    yield from ([path, k] for k in range(n))
