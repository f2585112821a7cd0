"""Begin a screen, or go on with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ionvolt.errors import DataError
from ionvolt.screening.executors import Executor, LocalProcesses
from ionvolt.screening.journal import journals_of, keep_rows
from ionvolt.screening.places import MERGED, is_whole, selection_file, shard_file
from ionvolt.screening.plan import Plan, make_plan
from ionvolt.screening.records import Row, read_records
from ionvolt.screening.settings import Settings
from ionvolt.screening.status import Status, progress_of, status_of
from ionvolt.store import claim
from ionvolt.typing import ProgressCallback, no_progress


def screen(
    inputs: Sequence[str],
    ions: str | Sequence[str],
    folder: str | Path,
    *,
    settings: Settings | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    shard_size: int | None = None,
    progress: ProgressCallback = no_progress,
) -> Status:
    """Screen many crystals for one or more working ions.

    What is done already in the folder is not done again, whatever ended the earlier call.

    Args:
        inputs: Files, folders, glob patterns: structures, archives, JSON lines, Parquet.
        ions: A list of symbols, ``"Mg,Ca"`` or ``"all"``.
        folder: Where the run is kept.
        settings: Stages, cuts and budgets; by default those of ``ionvolt screen``. Its ions are replaced.
        executor: Where it runs; by default a process for each core of this machine.
        retry_failed: Try again what was refused or failed.
        shard_size: Units that a worker takes at a time; by default by the size of the input.
        progress: Called with the units of the stage that are done, their number, and which stage it is.

    Returns:
        The state of the finished run.

    Raises:
        InputError: An input cannot be used, or the folder holds another run.
        ModelError: A model is not there or does not know an ion.
        DataError: The folder cannot be written, or workers end again and again.
    """
    from dataclasses import replace

    from ionvolt.ions import parse_ions

    symbols = tuple(ion.symbol for ion in parse_ions(ions if isinstance(ions, str) else ",".join(ions)))
    chosen = Settings(symbols) if settings is None else replace(settings, ions=symbols)
    plan = prepare(inputs, chosen, Path(folder), retry_failed=retry_failed, shard_size=shard_size)
    if progress_of(plan.folder).stage:
        (executor or LocalProcesses()).run(plan.folder, progress)
    return status_of(plan.folder)


def prepare(
    inputs: Sequence[str],
    settings: Settings,
    folder: Path,
    *,
    retry_failed: bool = False,
    shard_size: int | None = None,
) -> Plan:
    """Make the plan or see that it is the same, and put right what a crash left; for arguments see ``screen``."""
    plan = make_plan(inputs, settings, folder, time.time(), shard_size)
    remove_torn(plan)
    if retry_failed:
        reopen_failed(plan)
    return plan


def remove_torn(plan: Plan) -> int:
    """Remove tables that a crash of the machine cut off, so that they are made again; gives their number."""
    torn = 0
    for stage in range(len(plan.settings.stages)):
        for path in plan.files(stage):
            if path.exists() and not is_whole(path):
                path.unlink(missing_ok=True)
                selection_file(plan.folder, stage).unlink(missing_ok=True)
                torn += 1
    return torn


def reopen_failed(plan: Plan) -> int:
    """Open the shards that hold refused or failed rows again; their other rows are kept. Gives the rows to try again.

    Later stages of such shards are opened, too: what passes now enters them, and what was answered there stays.

    Raises:
        DataError: Another run is at work on such a shard.
    """
    stages = plan.settings.stages
    found = 0
    earliest = len(stages)
    for shard in plan.shards:
        opened = False
        for stage in range(len(stages)):
            path = shard_file(plan.folder, stage, shard.number)
            if not path.exists():
                continue
            rows = read_records(path)
            again = {row["unit"] for row in rows if row["status"] in ("refused", "failed")}
            if again or opened:
                earliest = min(earliest, stage)
                opened = True
                found += len(again)
                _reopen(path, rows, again)
    budgets = [number for number, name in enumerate(stages) if name in plan.settings.keep and number > earliest]
    if budgets:
        # Another row may now be among the best: what enters a stage is chosen anew for all shards.
        for stage in range(min(budgets), len(stages)):
            for path in plan.files(stage):
                if path.exists():
                    _reopen(path, read_records(path), set())
    for stage in range(earliest, len(stages)):
        selection_file(plan.folder, stage).unlink(missing_ok=True)
    if found:
        (plan.folder / MERGED).unlink(missing_ok=True)
    return found


def _reopen(path: Path, rows: Sequence[Row], again: set[int]) -> None:
    kept: dict[int, list[Row]] = {}
    for row in rows:
        if row["unit"] not in again:
            kept.setdefault(row["unit"], []).append(row)
    with claim(path) as mine:
        if not mine:
            raise DataError(f"{path}: another run is at work on it. Try again once it has ended")
        for old in journals_of(path):
            old.unlink(missing_ok=True)
        keep_rows(path, kept)
        path.unlink()
