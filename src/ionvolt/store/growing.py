"""Tables of results that grow while a long run goes on, and on which the same run goes on after an end that came early.

The rows of one input are written together, in one piece. What a kill left half-written is dropped when the table is
opened again. ``results.csv`` and ``results.jsonl`` grow themselves; Parquet cannot, so that ``results.parquet`` is made
of ``results.parquet.rows.jsonl`` when the run ends. What the run is, its settings, stands in ``results.csv.run.json``.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from ionvolt.errors import DataError, InputError, printable
from ionvolt.store.cells import spreadsheet_cell
from ionvolt.store.claims import claim
from ionvolt.store.files import atomic_file, write_json

Column = Literal["text", "number", "whole", "truth", "texts", "numbers"]
Row = Mapping[str, Any]
FORMS = (".csv", ".jsonl", ".parquet")
AT_ONCE = 10_000
"""Rows that are held while a Parquet file is made."""


@dataclass
class GrowingTable:
    """A table that is open for more rows.

    Attributes:
        path: The file that was asked for.
        columns: Kind of each column.
        key: Column that names the input of a row.
        mark: Column whose filled cells are counted.
        done: Inputs whose rows are there already, as they stand in the column ``key``.
        marked: Number of rows that are there and have something in the column ``mark``.
        rows: Number of rows that are there.
    """

    path: Path
    columns: Mapping[str, Column]
    key: str
    mark: str
    done: set[str] = field(default_factory=set)
    marked: int = 0
    rows: int = 0
    _file: IO[bytes] | None = None

    def append(self, rows: Sequence[Row]) -> None:
        """Write the rows of one or more whole inputs: what is on disk afterwards outlives a kill."""
        assert self._file is not None
        try:
            # A name that is no text is escaped, in JSON as JSON escapes it.
            self._file.write("".join(map(self.line, rows)).encode("utf-8", "backslashreplace"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _refusal(self.path, error) from error
        self.rows += len(rows)
        self.marked += sum(bool(row.get(self.mark)) for row in rows)

    def has(self, name: str) -> bool:
        """Whether the rows of an input are there."""
        return name in self.done or (str(_csv_cell(name)) if self.path.suffix == ".csv" else _text(name)) in self.done

    def line(self, row: Row) -> str:
        """A row as a line of the file."""
        if self.path.suffix != ".csv":
            return json.dumps(dict(row), ensure_ascii=False, allow_nan=False) + "\n"
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(_csv_cell(row.get(name)) for name in self.columns)
        return line.getvalue()


@contextmanager
def growing_table(
    path: Path,
    columns: Mapping[str, Column],
    settings: Mapping[str, Any],
    *,
    key: str,
    mark: str,
    whole: Callable[[Sequence[Row]], bool],
) -> Iterator[GrowingTable]:
    """Open a table, a new one or that of an earlier run with the same settings.

    Args:
        path: ``.csv``, ``.jsonl`` or ``.parquet``.
        columns: Kind of each column of a CSV or Parquet file.
        settings: What makes the rows what they are, as plain JSON types: other settings do not go on with the table.
        key: The column with the name of the input; an input's rows stand together.
        mark: A column whose filled cells are counted.
        whole: Whether these are all rows of an input. What a kill has left of the last one is dropped.

    Raises:
        InputError: The name ends in no known form, another file is there, or one of other settings.
        DataError: The file cannot be read or written, or another run writes it.
    """
    if path.suffix not in FORMS:
        raise InputError(str(path), "no kind of table", f"End its name in {', '.join(FORMS)}")
    with claim(path) as mine:
        if not mine:
            raise DataError(f"{path}: another run is writing it. Wait for it, or name another file")
        _check_settings(path, json.loads(json.dumps(settings)))
        table = GrowingTable(path, columns, key, mark)
        growing = _growing(path)
        if growing != path and path.exists() and not growing.exists():
            _unpack(path, growing)
        if growing.exists():
            _take_up(table, growing, whole)
        with _writable(path, growing) as file:
            table._file = file
            if path.suffix == ".csv" and growing.stat().st_size == 0:
                file.write((",".join(columns) + "\n").encode())
                file.flush()
            yield table
        if growing != path:
            _pack(growing, path, columns)
            growing.unlink()


def _writable(path: Path, growing: Path) -> IO[bytes]:
    try:
        return growing.open("ab")
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: it cannot be written ({error.strerror or error}). Choose another place")


def _growing(path: Path) -> Path:
    return path.with_name(path.name + ".rows.jsonl") if path.suffix == ".parquet" else path


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    about = path.with_name(path.name + ".run.json")
    if not path.exists() and not _growing(path).exists():
        write_json(about, settings)
        return
    try:
        there = json.loads(about.read_text(encoding="utf-8"))
        if not isinstance(there, dict):
            raise ValueError
    except (OSError, ValueError, RecursionError):
        raise InputError(
            str(path), "another file of that name is there, which is no run that could go on", "Name another file"
        ) from None
    other = [name for name in {**there, **settings} if there.get(name) != settings.get(name)]
    if other:
        shown = ", ".join(f"{printable(str(name))} {printable(str(there.get(name)))}" for name in other)
        raise InputError(
            str(path), f"it holds results of other settings ({shown})", "Name another file, or remove it to begin anew"
        )


def _text(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _csv_cell(value: Any) -> Any:
    """One line a row: line breaks and the like are escaped."""
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    return spreadsheet_cell(printable(value)) if isinstance(value, str) else value


def _take_up(table: GrowingTable, growing: Path, whole: Callable[[Sequence[Row]], bool]) -> None:
    """Note what a file holds, and cut off what a kill has left half-written."""
    begin_of_last, end = 0, 0
    last: list[Row] = []
    for number, (begin, line) in enumerate(_whole_lines(growing), start=1):
        end = begin + len(line)
        if number == 1 and growing.suffix == ".csv":
            if line.decode("utf-8", "replace").rstrip("\n") != ",".join(table.columns):
                raise DataError(f"{growing}: its columns are not those of this command. Name another file")
            begin_of_last = end
            continue
        row = _parsed(line, table, growing, number)
        if last and row[table.key] != last[0][table.key]:
            _note(table, last)
            begin_of_last, last = begin, []
        last.append(row)
    if last and whole(last):
        _note(table, last)
        begin_of_last = end
    if begin_of_last < growing.stat().st_size:
        os.truncate(growing, begin_of_last)


def _note(table: GrowingTable, rows: Sequence[Row]) -> None:
    table.done.add(str(rows[0][table.key]))
    table.rows += len(rows)
    table.marked += sum(bool(row.get(table.mark)) for row in rows)


def _whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Where each line begins, and the line; one without its end is left out."""
    begin = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield begin, line
            begin += len(line)


def _parsed(line: bytes, table: GrowingTable, path: Path, number: int) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
        if path.suffix != ".csv":
            row = json.loads(text)
            if not isinstance(row, dict) or not isinstance(row.get(table.key), str):
                raise ValueError
            return row
        (cells,) = csv.reader([text], strict=True)
        return dict(zip(table.columns, cells, strict=True))
    except (ValueError, csv.Error, RecursionError):
        raise DataError(f"{path}: line {number} is not of this command. Name another file") from None


def _schema(columns: Mapping[str, Column]) -> Any:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "number": pa.float64(),
        "whole": pa.int64(),
        "truth": pa.bool_(),
        "texts": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float64()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in columns.items()])


def _pack(growing: Path, path: Path, columns: Mapping[str, Column]) -> None:
    """The Parquet file of the rows, a part at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(columns)
    with (
        atomic_file(path) as part,
        pq.ParquetWriter(part, schema, compression="zstd") as writer,
        growing.open(encoding="utf-8") as lines,
    ):
        for several in _parts(map(json.loads, lines)):
            rows = [{name: _text(row.get(name)) for name in columns} for row in several]
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _unpack(path: Path, growing: Path) -> None:
    """The rows of a Parquet file of an earlier run, so that it grows on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file, atomic_file(growing) as part, part.open("w", encoding="utf-8") as lines:
            for batch in file.iter_batches(AT_ONCE):
                lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no Parquet file of this command. Name another file") from error


def _parts(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while part := list(islice(left, AT_ONCE)):
        yield part
