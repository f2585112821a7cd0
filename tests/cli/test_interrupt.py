"""``predict -j 2 -o FILE`` in a process of its own, ended by Ctrl-C and by a kill: nothing that was written is lost."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crystals import cif, rock_salt

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="children are read from /proc")]

COMMAND = "from ionvolt.cli.main import main; main()"
PATIENCE_S = 120.0


def test_rows_are_kept_and_the_same_command_goes_on(ionvolt, tmp_path: Path) -> None:
    files = [tmp_path / f"{number:03d}.cif" for number in range(1500)]
    for number, file in enumerate(files):
        file.write_text(cif(rock_salt("Ni", 4.0 + number / 5000)))
    target = tmp_path / "found.csv"
    options = ("--ion", "all", "--model", "cgcnn-mp2020", "-o", target, "-j", 2)
    before: list[dict[str, str]] = []
    for ending, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        ended = _ended_by(ending, (*files, *options), target, len(before) + 20)
        assert ended == code
        rows = _whole_rows(target)
        assert rows[: len(before)] == before
        assert len(before) < len(rows) < 10 * len(files)
        before = rows
    wanted = files[: len(before) // 10 + 3]
    result = ionvolt("predict", *wanted, *options[:-2])
    assert result.code == 0, result.err
    rows = _whole_rows(target)
    assert rows[: len(before) // 10 * 10] == before[: len(before) // 10 * 10]  # a file is asked again as a whole
    assert [row["source"] for row in rows] == [str(file) for file in wanted for _ in range(10)]
    assert len({(row["source"], row["working_ion"]) for row in rows}) == len(rows)


def _ended_by(ending: int, words: tuple[object, ...], target: Path, rows: int) -> int:
    """The exit code of a command that is ended once its file holds so many rows; its processes must be gone, too."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-c", COMMAND, "predict", *map(str, words)]
    process = subprocess.Popen(
        arguments, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=_hear_interrupts
    )
    try:
        _wait(lambda: target.exists() and target.read_bytes().count(b"\n") > rows)
        children = _children(process.pid)
        assert len(children) >= 2
        process.send_signal(ending)
        _, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert b"Traceback" not in err, err.decode()
    assert (b"rows are kept" in err) == (ending == signal.SIGINT)
    _wait(lambda: not any(_is_alive(child) for child in children))
    return process.returncode


def _hear_interrupts() -> None:
    """Take SIGINT as it comes: tests that run in the background of a shell would hand on that it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait(done) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def _children(parent: int) -> list[int]:
    stats = {int(path.name): _stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return [pid for pid, stat in stats.items() if stat[1:2] == [str(parent)]]


def _is_alive(pid: int) -> bool:
    return _stat(pid)[:1] not in ([], ["Z"])


def _stat(pid: int) -> list[str]:
    """State, parent and so on of a process; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _whole_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file whose last line may be half written."""
    text = path.read_text(encoding="utf-8")
    return list(csv.DictReader(text[: text.rindex("\n") + 1].splitlines()))
