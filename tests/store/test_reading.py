"""Files that would fill the memory or never end are refused; no cell is written that a spreadsheet would run."""

from __future__ import annotations

import csv
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionvolt.errors import DataError, InputError, printable
from ionvolt.store import read_parquet, read_regular, reading, spreadsheet_cell, write_rows


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert read_regular(tmp_path / "a", 7, "") == b"content"
    with pytest.raises(InputError, match="more than"):
        read_regular(tmp_path / "a", 6, "")


@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "/dev/zero"])
def test_what_never_ends_is_not_begun(what: str, tmp_path: Path) -> None:
    path = Path(what) if what.startswith("/") else tmp_path / what
    if what == "folder":
        path.mkdir()
    if what == "pipe":
        os.mkfifo(path)
    done: list[BaseException] = []

    def read() -> None:
        try:
            read_regular(path, 10, "Give a file")
        except InputError as error:
            done.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(20)
    assert done, "it still waits"
    assert "Give a file" in str(done[0])


def table() -> pa.Table:
    structure = pa.struct([("numbers", pa.list_(pa.int16()))])
    return pa.table(
        {
            "name": pa.array(["a", None, "b" * 40]),
            "value": pa.array([1.5, None, -2.0]),
            "structure": pa.array([{"numbers": [1, 2]}, None, {"numbers": []}], structure),
        }
    ).replace_schema_metadata({"kind": "test"})


def test_parquet_reads_as_before(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "a.parquet")
    found = read_parquet(tmp_path / "a.parquet")
    assert found.equals(table())
    assert found.schema.metadata[b"kind"] == b"test"


def test_many_rows_in_a_small_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"x": pa.array([0] * 100_000)}), tmp_path / "a.parquet", compression="zstd")
    monkeypatch.setattr(reading, "MOST_VALUES", 50_000)
    with pytest.raises(DataError, match="unpacks to 100,000 values"):
        read_parquet(tmp_path / "a.parquet")


def test_one_long_text_many_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is as small as the text; written out it would be a thousand times as large."""
    pq.write_table(pa.table({"x": pa.array(["y" * 10_000] * 1000)}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    monkeypatch.setattr(reading, "MOST_TEXT", 5_000_000)
    with pytest.raises(DataError, match="texts have more than"):
        read_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert spreadsheet_cell(text) == "'" + text


@pytest.mark.parametrize("value", ["LiFePO4", "-0.12", "+3", "1e-3", "", -2.5, 3, None, "a=b", "–"])
def test_others_stay(value: object) -> None:
    assert spreadsheet_cell(value) == value


@given(st.text())
def test_no_cell_begins_a_formula(text: str) -> None:
    cell = spreadsheet_cell(text)
    begins = cell[:1] in ("=", "+", "-", "@", "\t", "\r")
    assert not begins or float(cell) == float(text)
    assert cell.endswith(text)


def test_tables_are_written_so(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [{"file": "=cmd.cif", "voltage": -1.5}])
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"file": "'=cmd.cif", "voltage": "-1.5"}]


@given(st.text())
def test_nothing_that_a_terminal_obeys(text: str) -> None:
    assert printable(text).isprintable()
    assert "\x1b" not in printable(text, keep="\n")


def test_pickles_are_read_in_one_place() -> None:
    """``torch.load`` can run what is in a file; whoever needs it asks ``store.checkpoints``."""
    source = Path(__file__).parents[2] / "src" / "ionvolt"
    readers = ("torch.load(", "pickle.load", "allow_pickle=True", "joblib", "weights_only=False")
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if any(reader in path.read_text(encoding="utf-8") for reader in readers)
    }
    assert found == {"store/checkpoints.py"}
