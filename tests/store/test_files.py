"""Files appear when they are complete."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ionvolt.errors import DataError
from ionvolt.store import (
    atomic_file,
    atomic_folder,
    read_arrays,
    write_arrays,
    write_json,
    write_rows,
    write_text,
)
from ionvolt.store.files import ABANDONED_AFTER_S

SOURCE = Path(__file__).parents[2] / "src" / "ionvolt"


def test_a_file_is_not_there_before_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "x.txt"
    with atomic_file(path) as part:
        part.write_text("words")
        assert not path.exists()
        assert part.parent == path.parent
    assert path.read_text() == "words"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "before")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as part:
        part.write_text(f"half {1 / 0}")
    assert path.read_text() == "before"
    with pytest.raises(TypeError), atomic_file(path) as part, part.open("w") as file:
        file.write(1)  # type: ignore[arg-type]
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(DataError, match=rf"{path}: it cannot be written \(.+\)\. Choose another place"):
            write_text(path, "words")
    with pytest.raises(DataError, match="cannot be written"), atomic_folder(tmp_path / "file" / "y"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_killed_run_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "before")
    code = (
        "import os, sys; from pathlib import Path; from ionvolt.store import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as part: part.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 9
    assert path.read_text() == "before"
    (part,) = tmp_path.glob("*.part")

    write_text(path, "again")
    assert part.exists()  # its run may live
    long_ago = time.time() - ABANDONED_AFTER_S - 10
    os.utime(part, (long_ago, long_ago))
    write_text(path, "once more")
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ionvolt.store import write_bytes\n"
        "for _ in range(100): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 100_000)"
    )
    path = tmp_path / "x"
    runs = [subprocess.Popen([sys.executable, "-c", code, path, letter]) for letter in "ab"]
    while any(run.poll() is None for run in runs):
        if path.exists():
            assert path.read_bytes() in (b"a" * 100_000, b"b" * 100_000)
    assert [run.returncode for run in runs] == [0, 0]


def test_a_folder_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    (tmp_path / "x.part").mkdir()
    (tmp_path / "x.part" / "unfinished").touch()
    for name in ("first", "second"):
        with atomic_folder(path) as part:
            (part / name).touch()
    assert [p.name for p in path.iterdir()] == ["second"]
    with pytest.raises(ZeroDivisionError), atomic_folder(path) as part:
        raise ZeroDivisionError
    assert [p.name for p in path.iterdir()] == ["second"]


def test_text_json_and_tables(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"Δ": [1, None]})
    assert "Δ" in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"Δ": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {"Δ": [1, None]}
    write_rows(tmp_path / "x.csv", [{"a": 1, "b": "x,y"}, {"a": 2, "b": ""}])
    assert (tmp_path / "x.csv").read_bytes() == b'a,b\n1,"x,y"\n2,\n'


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "x.npz"
    assert read_arrays(path) is None
    write_arrays(path, {"a": np.arange(6).reshape(2, 3), "b": 1.5, "c": "word"}, compressed=compressed)
    found = read_arrays(path)
    assert found is not None
    assert (found["a"] == np.arange(6).reshape(2, 3)).all()
    assert (float(found["b"]), str(found["c"])) == (1.5, "word")
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"no zip"):
        path.write_bytes(damaged)
        assert read_arrays(path) is None
    np.savez(path, a=np.array([object()], dtype=object))
    assert read_arrays(path) is None  # a pickle is not loaded


def test_packed_arrays_that_are_damaged_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": np.sin(np.arange(1000)).round(2)})
    whole = path.read_bytes()
    for start in range(60, len(whole) - 300, 100):
        turned = bytes(byte ^ 255 for byte in whole[start : start + 40])
        path.write_bytes(whole[:start] + turned + whole[start + 40 :])
        assert read_arrays(path) is None


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99)], ids=["encrypted", "packed in an unknown way"])
def test_arrays_of_an_archive_that_cannot_be_unpacked_are_not_there(tmp_path: Path, offset: int, value: int) -> None:
    path = tmp_path / "a.npz"
    write_arrays(path, {"x": np.arange(3)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value  # in the archive's list of files
    path.write_bytes(content)
    assert read_arrays(path) is None


def test_no_other_room_writes_parts() -> None:
    for path in SOURCE.rglob("*.py"):
        if path.parent.name != "store":
            assert not re.search(r"""\.part["']""", path.read_text(encoding="utf-8")), path
