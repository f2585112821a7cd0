"""The work itself: any number of workers, on any machines that see the run's folder, until nothing is left.

A worker is ``work(folder)``, or ``python -m ionvolt.screening.worker FOLDER``. It knows of no other but by the claims
on shards in the folder. Executors start workers; the shards do not know which one did.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ionvolt.errors import IonVoltError, printable
from ionvolt.parallel import LIBRARY_THREADS, OWN_THREADS
from ionvolt.screening.crystals import Parts, Reader
from ionvolt.screening.journal import MOST_ATTEMPTS, journal, read_journals, remove_journals
from ionvolt.screening.places import selection_file, shard_file
from ionvolt.screening.plan import Plan, Shard, open_plan
from ionvolt.screening.records import Row, read_records, write_records
from ionvolt.screening.rules import IN_PART
from ionvolt.screening.selection import IonSelection, read_selection, select
from ionvolt.screening.stages import Stage, Task, load_stage
from ionvolt.store import claim, unclaimed
from ionvolt.store.claims import LEASE_S

_POLL_S = 0.3
_ENDED = "the process that was at work on it ended {} times without an answer (out of memory?)"

Stop = Callable[[], bool]


class Stopped(Exception):
    """The worker was asked to end."""


@dataclass
class _Worker:
    plan: Plan
    reader: Reader
    lease: float
    stop: Stop


def work(folder: Path, lease: float = LEASE_S, stop: Stop = lambda: False) -> bool:
    """Take shards until the run is complete.

    Args:
        folder: The run's folder, with a plan in it.
        lease: Seconds without a sign of life after which a worker on another machine is taken for dead.
        stop: Asked between chunks; true ends the work early, with all that is done kept.

    Returns:
        Whether the run is complete.

    Raises:
        DataError: The folder cannot be read or written.
        ModelError: A model cannot be used.
    """
    plan = open_plan(folder)
    worker = _Worker(plan, Reader(folder, list(plan.sources)), lease, stop)
    try:
        for number in range(len(plan.settings.stages)):
            _do_stage(worker, number)
    except Stopped:
        return False
    finally:
        worker.reader.close()
    return True


def _do_stage(worker: _Worker, number: int) -> None:
    """All shards of a stage, then what is chosen of it. Those that others are at are waited for, or taken over."""
    plan = worker.plan
    stage: Stage | None = None
    chosen = read_selection(selection_file(plan.folder, number - 1)) if number else {}
    assert chosen is not None
    by_path = {shard_file(plan.folder, number, shard.number): shard for shard in plan.shards}
    while missing := [path for path in by_path if not path.exists()]:
        for target in unclaimed(missing, worker.lease):
            if stage is None:
                stage = load_stage(plan.settings.stages[number], plan.settings)
            _do_shard(worker, number, stage, by_path[target], target, chosen)
            _check(worker)
        _wait(worker)
    done = selection_file(plan.folder, number)
    while read_selection(done) is None:
        with claim(done, worker.lease) as mine:
            if mine and read_selection(done) is None:
                select(plan, number)
                continue
        _wait(worker)


def _do_shard(
    worker: _Worker, number: int, stage: Stage, shard: Shard, target: Path, chosen: Mapping[str, IonSelection]
) -> None:
    plan = worker.plan
    began, cpu = time.time(), time.process_time()
    before = _previous(plan, number, shard, chosen)
    units = range(shard.first, shard.first + shard.units) if before is None else sorted(before)
    found = read_journals(target)
    rows = {unit: kept for unit in units if (kept := _still_wanted(found.rows.get(unit), before, unit)) is not None}
    left = {unit for unit in units if unit not in rows}
    if left:
        with journal(target) as opened:
            for chunk in _chunks(_units(worker, shard, left), stage.chunk, found.attempts):
                if target.exists():
                    return  # this process was taken for dead, and another one has done the shard
                _check(worker)
                opened.begin([unit for unit, _ in chunk])
                answers = _answers(plan, number, stage, chunk, before, found.attempts)
                opened.done(answers)
                rows |= answers
    about = {
        "fingerprint": plan.fingerprint,
        "stage": plan.settings.stages[number],
        "worker": f"{os.uname().nodename}:{os.getpid()}" if hasattr(os, "uname") else str(os.getpid()),
        "began": repr(began),
        "ended": repr(time.time()),
        "cpu_s": repr(time.process_time() - cpu),
        "units": str(len(units)),
        "done_before": str(len(units) - len(left)),
        "memory_mb": repr(memory_mb()),
    }
    write_records(target, [row for unit in units for row in rows[unit]], about)
    remove_journals(target)


def _still_wanted(
    rows: list[Row] | None, before: Mapping[int, Mapping[tuple[int, str], Row]] | None, unit: int
) -> list[Row] | None:
    """Rows of a unit as a journal has them; None where it lacks some that enter the stage by now."""
    if rows is None or before is None:
        return rows
    found = {(row["part"], row["ion"]): row for row in rows}
    return [found[key] for key in before[unit]] if found.keys() >= before[unit].keys() else None


def _previous(
    plan: Plan, number: int, shard: Shard, chosen: Mapping[str, IonSelection]
) -> dict[int, dict[tuple[int, str], Row]] | None:
    """Rows of the stage before that enter this one, by unit, then by part and ion; None for the first stage."""
    if number == 0:
        return None
    found: dict[int, dict[tuple[int, str], Row]] = {}
    for row in read_records(shard_file(plan.folder, number - 1, shard.number)):
        if row["status"] == "kept" and chosen[row["ion"]].admits(row, plan.settings):
            found.setdefault(row["unit"], {})[row["part"], row["ion"]] = row
    return found


def _units(worker: _Worker, shard: Shard, left: Collection[int]) -> Iterator[tuple[int, Parts]]:
    """Structures of those units of a shard that are left to do."""
    first = shard.first
    for piece in shard.pieces:
        shift = first - piece.start
        chosen = {unit - shift for unit in left}
        for unit, parts in worker.reader.read(*piece, chosen=chosen):
            yield unit + shift, parts
        first += piece.stop - piece.start


def _chunks(
    units: Iterator[tuple[int, Parts]], size: int, attempts: Mapping[int, int]
) -> Iterator[list[tuple[int, Parts]]]:
    """Units in chunks; one at which a process has ended before stands alone."""
    chunk: list[tuple[int, Parts]] = []
    for unit in units:
        if attempts.get(unit[0]):
            if chunk:
                yield chunk
            yield [unit]
            chunk = []
            continue
        chunk.append(unit)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _answers(
    plan: Plan,
    number: int,
    stage: Stage,
    chunk: Sequence[tuple[int, Parts]],
    before: Mapping[int, Mapping[tuple[int, str], Row]] | None,
    attempts: Mapping[int, int],
) -> dict[int, list[Row]]:
    tasks: list[Task] = []
    owners: list[int] = []
    for unit, parts in chunk:
        for part, crystal in enumerate(parts):
            ions = plan.settings.ions
            if before is not None:
                ions = tuple(ion for ion in ions if (part, ion) in before[unit])
            if ions:
                tasks.append(Task(part, crystal, ions))
                owners += [unit] * len(ions)
    unit = chunk[0][0]
    name = plan.settings.stages[number]
    if attempts.get(unit, 0) >= MOST_ATTEMPTS:
        words = _ENDED.format(attempts[unit])
        rows: list[Row] = [
            {"part": task.part, "ion": ion, "id": task.crystal.source, "status": "failed", "reason": words}
            for task in tasks
            for ion in task.ions
        ]
    else:
        rows = stage.answer(tasks)
    answers: dict[int, list[Row]] = {unit: [] for unit, _ in chunk}
    for owner, row in zip(owners, rows, strict=True):
        earlier = {} if before is None else before[owner][row["part"], row["ion"]]
        answers[owner].append({**_with_capacity(row, earlier), "unit": owner, "stage": name})
    return answers


def _with_capacity(row: Row, earlier: Row) -> Row:
    """The capacity that the rules told, where a model has none or counts ions that nothing pays for; and the energy."""
    if row.get("voltage") is None or not earlier.get("capacity_is_estimate"):
        return row
    in_part = earlier.get("end_members") == "discharged"
    for size in ("grav", "vol"):
        capacity, told = earlier.get(f"capacity_{size}"), row.get(f"capacity_{size}")
        if capacity is not None and (told is None or in_part):
            row = {**row, f"capacity_{size}": capacity, "capacity_is_estimate": True}
            row[f"energy_{size}"] = capacity * row["voltage"]
    return row | {"warnings": [*(row.get("warnings") or ()), IN_PART]} if in_part else row


def _check(worker: _Worker) -> None:
    if worker.stop():
        raise Stopped


def _wait(worker: _Worker) -> None:
    _check(worker)
    time.sleep(_POLL_S)


def memory_mb() -> float:
    """Memory that this process holds now, MB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m ionvolt.screening.worker FOLDER [LEASE [PARENT]]``: 0 complete, 1 stopped, 2 an error, in one line.

    A worker with a parent ends when that is gone: a command that was killed leaves nothing at work.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _one_thread()
    try:
        lease = float(given[1]) if len(given) > 1 else LEASE_S
        parent = int(given[2]) if len(given) > 2 else None
        ended = work(Path(given[0]), lease, lambda: bool(stopped) or parent not in (None, os.getppid()))
        return 0 if ended else 1
    except IonVoltError as error:
        print(json.dumps({"error": printable(str(error))}), file=sys.stderr, flush=True)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        words = f"{where}{error.strerror or error}. Check path and disk, then give the same command: it goes on"
        print(json.dumps({"error": printable(words)}), file=sys.stderr, flush=True)
    except MemoryError:
        words = "not enough memory. Run fewer processes (-j), then give the same command: it goes on"
        print(json.dumps({"error": words}), file=sys.stderr, flush=True)
    return 2


def _one_thread() -> None:
    """One worker a core: threads of each would only wait for each other. PyTorch reads it where a stage needs it."""
    for name in (*LIBRARY_THREADS, OWN_THREADS):
        os.environ[name] = "1"
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


if __name__ == "__main__":
    sys.exit(main())
