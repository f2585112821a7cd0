"""Where everything of a run lies in its folder."""

from __future__ import annotations

from pathlib import Path

PLAN = "plan.json"
INPUTS = "inputs"
"""Folder of the lists of files that a plan has made."""

MERGED = "records.parquet"
_PER_FOLDER = 100


def stage_folder(run: Path, number: int) -> Path:
    """Folder of a stage, counted from 0."""
    return run / f"stage-{number + 1}"


def shard_file(run: Path, stage: int, shard: int) -> Path:
    """The table of a finished shard. Folders stay small, as claims list them."""
    return stage_folder(run, stage) / f"{shard // _PER_FOLDER:04d}" / f"{shard:06d}.parquet"


def selection_file(run: Path, stage: int) -> Path:
    """What is chosen of a finished stage for the next."""
    return stage_folder(run, stage) / "selection.json"


def is_whole(path: Path) -> bool:
    """Whether a Parquet file is there with its end; one that was torn by a crash of the machine is not."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 12:
                return False
            file.seek(size - 8)
            tail = file.read(8)
    except OSError:
        return False
    return tail[4:] == b"PAR1" and 0 < int.from_bytes(tail[:4], "little") <= size - 12
