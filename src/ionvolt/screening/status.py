"""How far a run is: units and rows by stage, rate and time left, refusals by reason, memory of the workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ionvolt.screening.places import MERGED, selection_file, shard_file, stage_folder
from ionvolt.screening.plan import Plan, open_plan
from ionvolt.screening.records import kind_of
from ionvolt.screening.selection import IonSelection, read_selection
from ionvolt.typing import ProgressCallback

_RECENT_S = 600.0


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        stage: Name of the stage that is at work; empty where all are done.
        number: Its number, counted from 1.
        stages: Number of stages in all.
        shards_done: Finished shards of the stage.
        shards: Number of shards in all.
        units_done: Units done of the stage, those of unfinished shards included; of all stages where all are done.
        units: Units of the run.
    """

    stage: str
    number: int
    stages: int
    shards_done: int
    shards: int
    units_done: int
    units: int

    def report(self, progress: ProgressCallback) -> None:
        """Tell of units, and which stage they are of."""
        words = f"stage {self.number} of {self.stages}: {self.stage}" if self.stage else ""
        progress(self.units_done, self.units, words)


@dataclass(frozen=True)
class StageState:
    """What is known of a stage.

    Attributes:
        name: Name of the stage.
        shards_done: Finished shards.
        shards: Number of shards in all.
        rows: Rows of finished shards by status.
        reasons: Rows of finished shards that were dropped, refused or failed, by kind of reason.
        selection: What enters the next stage, by ion; None until the stage is done.
        units: Units that were answered.
        cpu_s: Processor time of all workers for finished shards, s.
        per_second: Units a second of all workers together, over the last ten minutes of work; None if not known.
        left_s: Seconds until the stage is done at this rate; None if not known.
        memory_mb: Least and most memory of a worker at the end of a shard, MB.
    """

    name: str
    shards_done: int
    shards: int
    rows: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    selection: dict[str, IonSelection] | None = None
    units: int = 0
    cpu_s: float = 0.0
    per_second: float | None = None
    left_s: float | None = None
    memory_mb: tuple[float, float] | None = None


@dataclass(frozen=True)
class Status:
    """A run and its stages.

    Attributes:
        folder: The run's folder.
        complete: Whether all stages are done.
        merged: Whether the one table of all rows is there.
        units: Units of the inputs.
        ions: Symbols of the working ions.
        stages: In their order.
        passed_over: Files of folders that are no structures, by ending.
    """

    folder: str
    complete: bool
    merged: bool
    units: int
    ions: tuple[str, ...]
    stages: tuple[StageState, ...]
    passed_over: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def progress_of(folder: Path) -> Progress:
    """How far a run is; no table is read for it."""
    plan = open_plan(folder)
    names = plan.settings.stages
    for number, name in enumerate(names):
        done, units = 0, 0
        if selection_file(folder, number).exists():
            continue
        for shard in plan.shards:
            path = shard_file(folder, number, shard.number)
            if path.exists():
                done, units = done + 1, units + shard.units
        units += sum(_units_in(path) for path in _open_journals(folder, number))
        return Progress(name, number + 1, len(names), done, len(plan.shards), min(units, plan.units), plan.units)
    return Progress("", len(names), len(names), len(plan.shards), len(plan.shards), plan.units, plan.units)


def status_of(folder: Path) -> Status:
    """All that finished shards tell.

    Raises:
        DataError: There is no run in the folder.
    """
    plan = open_plan(folder)
    stages = tuple(_stage(plan, number) for number in range(len(plan.settings.stages)))
    return Status(
        folder=str(folder),
        complete=all(stage.selection is not None for stage in stages),
        merged=(folder / MERGED).exists(),
        units=plan.units,
        ions=plan.settings.ions,
        stages=stages,
        passed_over=plan.passed_over,
    )


def _stage(plan: Plan, number: int) -> StageState:
    import pyarrow.parquet as pq

    rows: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    spans: list[tuple[float, float, int]] = []
    cpu, memory, units = 0.0, list[float](), 0
    kinds: dict[str, str] = {}
    for path in plan.files(number):
        try:
            with pq.ParquetFile(path) as file:
                about = {key.decode(): value.decode() for key, value in (file.schema_arrow.metadata or {}).items()}
                table = file.read(columns=["status", "reason"])
        except FileNotFoundError:
            continue
        for found in table.group_by(["status", "reason"]).aggregate([([], "count_all")]).to_pylist():
            rows[found["status"]] += found["count_all"]
            if found["status"] != "kept":
                reason = found["reason"] or ""
                kind = kinds.get(reason) or kind_of(reason)
                if len(kinds) < 100_000:
                    kinds[reason] = kind
                reasons[kind] += found["count_all"]
        answered = int(about["units"])
        new = answered - int(about["done_before"])
        spans.append((float(about["began"]), float(about["ended"]), new))
        cpu, units = cpu + float(about["cpu_s"]), units + answered
        memory.append(float(about["memory_mb"]))
    rate = _rate(spans)
    left = None
    if rate and len(spans) < len(plan.cuts):
        left = (len(plan.cuts) - len(spans)) * (units / len(spans)) / rate
    return StageState(
        name=plan.settings.stages[number],
        shards_done=len(spans),
        shards=len(plan.cuts),
        rows=dict(sorted(rows.items())),
        reasons=dict(reasons.most_common()),
        selection=read_selection(selection_file(plan.folder, number)),
        units=units,
        cpu_s=cpu,
        per_second=rate,
        left_s=left,
        memory_mb=(min(memory), max(memory)) if memory else None,
    )


def _rate(spans: list[tuple[float, float, int]]) -> float | None:
    """Units a second over the last ten minutes in which shards were finished."""
    if not spans:
        return None
    last = max(ended for _, ended, _ in spans)
    recent = [span for span in spans if span[1] > last - _RECENT_S]
    first = max(min(began for began, _, _ in recent), last - _RECENT_S)
    return sum(new for _, _, new in recent) / (last - first) if last > first else None


def _open_journals(folder: Path, number: int) -> Iterator[Path]:
    yield from stage_folder(folder, number).glob("*/*.journal")


def _units_in(path: Path) -> int:
    """Units that a journal holds; a shard that was taken over has several, so this is no more than a hint."""
    target = path.with_name(path.name.split(".")[0] + ".parquet")
    if target.exists():
        return 0
    units = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if line.startswith(b'{"begin"') and line.endswith(b"\n"):
                    units += len(json.loads(line)["begin"])
    except (OSError, ValueError):
        return units
    return units


def age(seconds: float) -> str:
    """``2 h 05 min``, ``3 min``, ``12 s``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
