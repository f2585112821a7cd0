"""Whatever ends a worker: nothing is lost, nothing doubled, and at most what it was at is done twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from ionvolt.errors import DataError, InputError
from ionvolt.screening import journal as journals
from ionvolt.screening.executors import LocalProcesses, worker_command
from ionvolt.screening.journal import journals_of, read_journals
from ionvolt.screening.places import shard_file
from ionvolt.screening.plan import Plan
from ionvolt.screening.records import Row, read_records
from ionvolt.screening.run import prepare, remove_torn, screen
from ionvolt.screening.settings import Settings
from ionvolt.screening.stages import Rules, Task
from ionvolt.screening.worker import work
from ionvolt.structures.writing import structure_text
from screening.conftest import Begin, begun, crystal_of, expected, keys, line

pytestmark = pytest.mark.slow

RULES = Settings(("Mg", "Al"), stages=("rules",))


@pytest.fixture
def plan(lines: Path, tmp_path: Path) -> Plan:
    return prepare([str(lines)], RULES, tmp_path / "run", shard_size=10)


def until_begun(tmp_path: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while len(begun(tmp_path)) < n:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_row_for_each_input_and_ion(plan: Plan) -> None:
    assert work(plan.folder)
    assert keys(plan) == expected(plan)
    rows = [row for shard in plan.shards for row in read_records(shard_file(plan.folder, 0, shard.number))]
    assert {row["status"] for row in rows} == {"kept", "dropped", "refused"}
    assert all(row["reason"] for row in rows if row["status"] != "kept")
    assert [row["id"] for row in rows[::2]] == [f"s{number:04d}" for number in range(60)]
    assert not list(plan.folder.rglob("*.journal"))
    assert not list(plan.folder.rglob("*.claim"))
    assert not list(plan.folder.rglob("*.part"))


def test_killed_a_worker_loses_no_more_than_what_it_was_at(plan: Plan, tmp_path: Path, begin: Begin) -> None:
    kills = 4
    for kill in range(kills):
        process = begin(plan.folder)
        until_begun(tmp_path, 8 + 9 * kill, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert begin(plan.folder, 0.0).wait(300) == 0
    assert keys(plan) == expected(plan)
    # Each structure is asked for two ions; one kill repeats one structure at most.
    often = begun(tmp_path)
    assert sum(max(0, n - 2) for n in often.values()) <= 2 * kills


def test_a_worker_ends_with_the_command_that_started_it(plan: Plan) -> None:
    command = [*worker_command(plan.folder), str(os.getpid() + 1)]  # as if it had been handed to another process
    assert subprocess.run(command, timeout=300, check=False).returncode == 1
    assert not finished(plan)
    assert subprocess.run([*command[:-1], str(os.getpid())], timeout=300, check=False).returncode == 0
    assert keys(plan) == expected(plan)


def finished(plan: Plan) -> list[Path]:
    return [path for shard in plan.shards if (path := shard_file(plan.folder, 0, shard.number)).exists()]


def test_two_starters_share_the_work(plan: Plan, tmp_path: Path, begin: Begin) -> None:
    both = [begin(plan.folder), begin(plan.folder)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert keys(plan) == expected(plan)
    assert set(begun(tmp_path).values()) == {2}
    who = {text.split()[1] for text in (tmp_path / "begun").read_text().splitlines()}
    assert len(who) == 2


def test_two_that_begin_the_same_folder_make_one_plan(lines: Path, tmp_path: Path) -> None:
    first = prepare([str(lines)], RULES, tmp_path / "run", shard_size=10)
    second = prepare([str(lines)], RULES, tmp_path / "run", shard_size=20)
    assert second.cuts == first.cuts
    assert second.fingerprint == first.fingerprint


def test_a_stopped_worker_loses_nothing(plan: Plan, tmp_path: Path, begin: Begin) -> None:
    process = begin(plan.folder)
    until_begun(tmp_path, 15, process)
    process.terminate()
    assert process.wait(300) == 1
    assert work(plan.folder)
    assert keys(plan) == expected(plan)
    assert set(begun(tmp_path).values()) == {2}


def test_without_a_heartbeat_another_takes_over_and_nothing_is_doubled(
    plan: Plan, tmp_path: Path, begin: Begin
) -> None:
    sleeper = begin(plan.folder, lease=5.0)
    until_begun(tmp_path, 4, sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        # Its process is there: only the silence of a lease tells that it does nothing.
        assert begin(plan.folder, 0.0, lease=5.0).wait(300) == 0
    finally:
        sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait(300) == 0
    assert keys(plan) == expected(plan)
    assert sum(max(0, n - 2) for n in begun(tmp_path).values()) <= 2
    assert not list(plan.folder.rglob("*.journal"))


def test_a_full_disk_is_told_and_the_same_command_goes_on(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    real = journals.Journal._write

    def full(self: journals.Journal, text: bytes) -> None:
        nonlocal written
        written += 1
        if written > 9:
            with self.path.open("ab") as file:
                file.write(text[: len(text) // 2])  # a part still fits
            raise journals._no_space(self.path, os.strerror(errno.ENOSPC))
        real(self, text)

    monkeypatch.setattr(Rules, "chunk", 1)
    monkeypatch.setattr(journals.Journal, "_write", full)
    with pytest.raises(DataError, match=r"No space left on device.*same command: it goes on"):
        work(plan.folder)
    monkeypatch.setattr(journals.Journal, "_write", real)
    assert work(plan.folder)
    assert keys(plan) == expected(plan)


def test_a_table_that_cannot_be_written_is_written_later(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DataError, match="No space left on device"):
        work(plan.folder)
    monkeypatch.undo()
    asked = []
    real = Rules.answer

    def answer(self: Rules, tasks: Sequence[Task]) -> list[Row]:
        asked.append(len(tasks))
        return real(self, tasks)

    monkeypatch.setattr(Rules, "answer", answer)
    assert work(plan.folder)
    assert keys(plan) == expected(plan)
    assert sum(asked) == 50  # the first shard stands in its journal


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_journal_gives_what_is_whole(plan: Plan, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rules, "chunk", 1)
    target = shard_file(plan.folder, 0, 0)
    real = Rules.answer

    def dies(self: Rules, tasks: object) -> object:
        if len(read_journals(target).rows) == 6:
            raise KeyboardInterrupt
        return real(self, tasks)  # type: ignore[arg-type]

    monkeypatch.setattr(Rules, "answer", dies)
    with pytest.raises(KeyboardInterrupt):
        work(plan.folder)
    (path,) = journals_of(target)
    path.write_bytes(path.read_bytes()[:-cut] + b"\0" * 100)
    assert 5 <= len(read_journals(target).rows) <= 6
    monkeypatch.setattr(Rules, "answer", real)
    assert work(plan.folder)
    assert keys(plan) == expected(plan)


def test_a_torn_table_is_made_again(plan: Plan) -> None:
    assert work(plan.folder)
    victim = shard_file(plan.folder, 0, 3)
    victim.write_bytes(victim.read_bytes()[:-7])
    shard_file(plan.folder, 0, 4).write_bytes(b"")
    assert remove_torn(plan) == 2
    assert work(plan.folder)
    assert keys(plan) == expected(plan)


def test_what_ends_the_process_each_time_is_given_up_and_told(plan: Plan, tmp_path: Path) -> None:
    target = shard_file(plan.folder, 0, 1)
    target.parent.mkdir(parents=True)
    for attempt in range(3):
        target.with_name(f"{target.stem}.{attempt}-x.journal").write_text(json.dumps({"begin": [12]}) + "\n")
    assert work(plan.folder)
    assert keys(plan) == expected(plan)
    failed = [row for row in read_records(target) if row["status"] == "failed"]
    assert [(row["unit"], row["ion"]) for row in failed] == [(12, "Mg"), (12, "Al")]
    assert "ended 3 times" in failed[0]["reason"]
    again = prepare([str(tmp_path / "many.jsonl")], RULES, plan.folder, retry_failed=True)
    assert work(again.folder)
    assert keys(plan) == expected(plan)
    assert all(row["status"] != "failed" for row in read_records(target))


def test_other_settings_and_other_inputs_are_refused(plan: Plan, lines: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"ions is \[\"Mg\"\], and was \[\"Mg\", \"Al\"\].*same command.*another folder"
    ):
        prepare([str(lines)], Settings(("Mg",), stages=("rules",)), plan.folder)
    with pytest.raises(InputError, match=r"min_capacity is 5\.0, and was 0\.0"):
        prepare([str(lines)], Settings(("Mg", "Al"), stages=("rules",), min_capacity=5.0), plan.folder)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(line(1)) + "\n")
    with pytest.raises(InputError, match="it holds a screen of"):
        prepare([str(other)], RULES, plan.folder)
    with lines.open("a") as file:
        file.write(json.dumps(line(61)) + "\n")
    with pytest.raises(InputError, match="has changed since the run began"):
        prepare([str(lines)], RULES, plan.folder)


def test_refused_inputs_are_tried_again_and_the_rest_is_kept(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(6):
        crystal = crystal_of(line(number, "Mn"))
        (folder / f"{number}.cif").write_text(structure_text(crystal, "cif"))
    whole = (folder / "2.cif").read_text()
    state = (folder / "2.cif").stat()
    plan = prepare([str(folder)], RULES, tmp_path / "run2")
    (folder / "2.cif").unlink()
    assert work(plan.folder)
    (refused,) = {row["unit"] for s in plan.shards for row in read_records(shard_file(plan.folder, 0, s.number))
                  if row["status"] == "refused"}  # fmt: skip
    assert refused == 2
    (folder / "2.cif").write_text(whole)
    os.utime(folder / "2.cif", ns=(state.st_atime_ns, state.st_mtime_ns))
    asked: list[str] = []
    real = Rules.answer

    def answer(self: Rules, tasks: Sequence[Task]) -> list[Row]:
        asked.extend(task.crystal.source for task in tasks)
        return real(self, tasks)

    monkeypatch.setattr(Rules, "answer", answer)
    prepare([str(folder)], RULES, tmp_path / "run2", retry_failed=True)
    assert work(plan.folder)
    assert asked == [str(folder / "2.cif")]
    assert keys(plan) == expected(plan)


def test_processes_of_this_machine_are_started_anew_when_they_die(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ionvolt.screening import executors

    deaths = tmp_path / "deaths"
    script = f"""
import os, sys
from pathlib import Path
from ionvolt.screening import stages, worker
real = stages.Rules.answer
def answer(self, tasks):
    if any(task.crystal.source == "s0033" for task in tasks):
        with open({str(deaths)!r}, "a") as file:
            file.write("x")
        os.kill(os.getpid(), 9)
    return real(self, tasks)
stages.Rules.answer = answer
sys.exit(worker.main(sys.argv[1:]))
"""
    command = executors.worker_command
    monkeypatch.setattr(
        executors, "worker_command", lambda folder, lease: [command(folder)[0], "-c", script, str(folder), str(lease)]
    )
    status = screen([str(lines)], "Mg", tmp_path / "run", settings=RULES, executor=LocalProcesses(1), shard_size=10)
    assert status.complete
    assert status.stages[0].rows["failed"] == 1
    assert deaths.read_text() == "xxx"
