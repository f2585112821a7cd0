"""The crystals of a piece of a source, one unit after the other.

A worker takes shards in their order, so a reader that stays open goes on where the last shard ended: a file is read
once by each worker, also where it cannot be entered in the middle (gzip, one large row group).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ionvolt.errors import InputError
from ionvolt.screening.sources import MAX_LINE, Source, open_lines
from ionvolt.structures import as_crystal, read_many
from ionvolt.structures.checks import check
from ionvolt.structures.contents import Entry, wanted
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS
from ionvolt.structures.reading import contents, read_data
from ionvolt.structures.structure_documents import of_document
from ionvolt.structures.wording import refusal

Parts = list[Crystal | InputError]
"""The structures of a unit, in their order: one, but for files that hold several."""

_BATCH = 1024
_REMEDY = "Give an object with id and cif, or with id, lattice, numbers and frac_coords"


class Reader:
    """Reads pieces of the sources of one run."""

    def __init__(self, run: Path, sources: list[Source]) -> None:
        self._run, self._sources = run, sources
        self._lines: dict[int, BinaryIO] = {}
        self._tables: dict[int, _Table] = {}

    def read(
        self, number: int, start: int, stop: int, marked: int, offset: int, chosen: Collection[int] | None = None
    ) -> Iterator[tuple[int, Parts]]:
        """The units of a piece.

        Args:
            number: Number of the source.
            start: First unit of the source that is wanted.
            stop: The one after the last.
            marked: A unit at or before ``start`` whose place in the file is known.
            offset: That place, in bytes after decompression.
            chosen: Only these units; None: all.

        Yields:
            The number of the unit and its structures, each a checked crystal or the error that refused it.
        """
        if chosen is not None and not any(start <= unit < stop for unit in chosen):
            return
        source = self._sources[number]
        if source.kind == "parquet":
            table = self._tables.setdefault(number, _Table(source.path))
            yield from table.read(start, stop, chosen)
            return
        file = self._lines.get(number)
        if file is None:
            path = self._run / source.path if source.kind == "files" else Path(source.path)
            file = self._lines.setdefault(number, open_lines(path))
        file.seek(offset)
        of_line = _of_list if source.kind == "files" else _of_line
        for unit in range(marked, stop):
            line = file.readline(MAX_LINE + 1)
            if unit >= start and (chosen is None or unit in chosen):
                yield unit, of_line(line, f"{Path(source.path).name}:{unit + 1}")

    def close(self) -> None:
        """Close all files."""
        for file in self._lines.values():
            file.close()
        for table in self._tables.values():
            table.close()
        self._lines.clear()
        self._tables.clear()


class _Table:
    """A Parquet file that is read forwards; going back opens it anew."""

    def __init__(self, path: str) -> None:
        import pyarrow.parquet as pq

        self._path = Path(path)
        # Without a buffer whole column chunks would be read: a large row group would stand in memory.
        self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        groups = [self._file.metadata.row_group(g).num_rows for g in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(groups)])
        names = self._file.schema_arrow.names
        self._columns = [name for name in ("id", "lattice", "numbers", "frac_coords") if name in names]
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._at = -1

    def close(self) -> None:
        self._batch, self._batches = None, iter(())
        self._file.close()

    def read(self, start: int, stop: int, chosen: Collection[int] | None) -> Iterator[tuple[int, Parts]]:
        self._go_to(start)
        while self._batch is not None and self._at < stop:
            batch, first = self._batch, self._at
            last = first + batch.num_rows
            for unit in range(max(start, first), min(stop, last)):
                if chosen is None or unit in chosen:
                    yield unit, [self._crystal(batch, unit - first, unit)]
            if last > stop:
                return  # the rest of the batch belongs to the next shard
            self._next(last)

    def _go_to(self, start: int) -> None:
        group = int(np.searchsorted(self._starts, start, side="right")) - 1
        ahead = self._at >= 0 and self._batch is not None and self._at <= start
        if not ahead or (start >= self._starts[group] > self._at + self._batch.num_rows):
            groups = range(group, self._file.num_row_groups)
            self._batches = self._file.iter_batches(_BATCH, row_groups=groups, columns=self._columns)
            self._next(int(self._starts[group]))
        while self._batch is not None and self._at + self._batch.num_rows <= start:
            self._next(self._at + self._batch.num_rows)

    def _next(self, at: int) -> None:
        self._batch, self._at = next(self._batches, None), at

    def _crystal(self, batch: Any, row: int, unit: int) -> Crystal | InputError:
        given = {name: batch.column(i)[row].as_py() for i, name in enumerate(self._columns)}
        name = str(given.get("id") or f"{self._path.name}:{unit + 1}")
        return _of_columns(given, name)


def _of_columns(given: dict[str, Any], name: str) -> Crystal | InputError:
    try:
        lattice = np.array(given["lattice"], dtype=np.float64).reshape(3, 3)
        numbers = np.array(given["numbers"], dtype=np.int64)
        places = np.array(given["frac_coords"], dtype=np.float64).reshape(-1, 3)
        crystal = Crystal(lattice, numbers, places, name)
    except (TypeError, ValueError, OverflowError, LookupError):
        return refusal(name, "lattice, numbers and frac_coords are not those of one crystal", _REMEDY)
    return _checked(crystal)


def _checked(crystal: Crystal) -> Crystal | InputError:
    try:
        return check(crystal)
    except InputError as error:
        return error


def _of_line(line: bytes, name: str) -> Parts:
    """The structures of a line of JSON."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return [refusal(name, "the line is not valid JSON", _REMEDY)]
    if not isinstance(document, dict):
        return [refusal(name, "the line is no JSON object", _REMEDY)]
    label = document.get("id") or document.get("material_id")
    name = str(label) if isinstance(label, str | int) and label != "" else name
    text = next((document[key] for key in ("cif", "poscar") if isinstance(document.get(key), str)), None)
    try:
        if text is not None:
            return [as_crystal(text if "\n" in text else text + "\n", name)]
        if all(key in document for key in ("lattice", "numbers", "frac_coords")):
            return [_of_columns(document, name)]
        found = of_document(document, name)
        return [_read(entry, source) for source, entry in wanted(found, name)]
    except InputError as error:
        return [error]


def _of_list(line: bytes, name: str) -> Parts:
    """The structures of a file that a list names."""
    try:
        entry = json.loads(line)
    except ValueError:
        return [refusal(name, "the list of files is damaged", "Begin the screen in another folder")]
    if isinstance(entry, str):
        return list(read_many([entry]))
    path, number = entry
    try:
        source, chosen = _entries(path)[number]
    except InputError as error:
        return [error]
    except IndexError:
        return [refusal(path, "it holds fewer structures than when the plan was made", "Begin in another folder")]
    return [_read(chosen, source)]


@lru_cache(maxsize=1)
def _entries(path: str) -> list[tuple[str, Entry]]:
    return wanted(contents(read_data(path), path, None, DEFAULT_LIMITS), path)


def _read(entry: Entry, source: str) -> Crystal | InputError:
    try:
        return entry.crystal(source)
    except InputError as error:
        return error
