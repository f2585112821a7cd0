"""Measure a screen: rate and memory by stage, one process against two, and what a kill -9 costs.

    python benchmarks/screening_rates.py INPUT --ion Mg,Ca,Zn,Al --folder DIR [--units 4000] [--keep 25] [--limit 800]
    python benchmarks/screening_rates.py INPUT --ion Mg,Ca,Zn,Al --folder DIR --ray

The first writes DIR/screening.json. The second, with the extra ``ray`` installed, starts a cluster of two cores on this
machine, compares two actors with two processes and writes DIR/ray.json. Other work on the machine shows in the numbers:
the load is written beside them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ionvolt.screening.journal import read_journals
from ionvolt.screening.places import shard_file
from ionvolt.screening.plan import open_plan
from ionvolt.screening.sources import open_lines
from ionvolt.screening.status import status_of

COMMAND = [sys.executable, "-c", "from ionvolt.cli.main import main; main()", "screen"]


def run(*words: object, limit: float | None = None) -> tuple[int, float]:
    """Exit code and seconds of a screen."""
    began = time.monotonic()
    process = subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        code = process.wait()
    return code, time.monotonic() - began


def of_stages(folder: Path) -> list[dict[str, Any]]:
    """What the finished shards tell of each stage."""
    return [
        {
            "stage": stage.name,
            "units": stage.units,
            "rows": stage.rows,
            "cpu_ms_each": 1e3 * stage.cpu_s / stage.units,
            "per_second": stage.per_second,
            "memory_mb": stage.memory_mb,
            "shards": [stage.shards_done, stage.shards],
        }
        for stage in status_of(folder).stages
        if stage.units
    ]


def part_of(source: Path, folder: Path, units: int) -> Path:
    """A file of the first lines."""
    part = folder / "part.jsonl"
    with open_lines(source) as lines, part.open("wb") as file:
        file.writelines(itertools.islice(lines, units))
    return part


def in_turns(part: Path, folder: Path, ion: str, ways: Sequence[tuple[object, ...]]) -> list[float]:
    """Seconds of the first two stages in two ways: the first, the second, the second, the first; of each the sum."""
    seconds = [0.0, 0.0]
    for turn, way in enumerate((0, 1, 1, 0)):
        target = folder / f"turn-{turn}"
        shutil.rmtree(target, ignore_errors=True)
        with ray_cluster() if "--ray" in ways[way] else nullcontext():
            seconds[way] += run(part, "-i", ion, "-o", target, "--stages", "rules,network", *ways[way])[1]
    return seconds


@contextmanager
def ray_cluster() -> Iterator[None]:
    """A cluster of two cores on this machine."""
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    start = [*ray, "start", "--head", "--num-cpus", "2", "--include-dashboard", "false"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([*ray, "stop"], check=True, stdout=subprocess.DEVNULL)


def ray_overhead(source: Path, folder: Path, units: int, ion: str) -> dict[str, Any]:
    """Two actors of Ray against two processes; daemons included."""
    processes, actors = in_turns(part_of(source, folder, units), folder, ion, [("-j", 2), ("--ray", "auto")])
    return {"units": units, "seconds": {"-j": processes, "--ray": actors}, "overhead": actors / processes - 1}


def speed_up(source: Path, folder: Path, units: int, ion: str) -> dict[str, Any]:
    """Two processes against one."""
    one, two = in_turns(part_of(source, folder, units), folder, ion, [("-j", 1), ("-j", 2)])
    return {"units": units, "seconds": {1: one, 2: two}, "speed_up": one / two}


def kill(source: Path, folder: Path, ion: str, keep: int, stages: str, limit: float) -> dict[str, Any]:
    """A screen whose processes are all killed once, in the middle of the first stage, and begun again."""
    target = folder / "whole"
    words = [source, "-i", ion, "-o", target, "--stages", stages, "--keep", f"model={keep}"]
    words = words if "model" in stages else words[:-2]
    found: dict[str, Any] = {}
    if not target.exists():
        process = subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL)
        while not (target / "plan.json").exists() or not any(shard_file(target, 0, k).exists() for k in range(20, 40)):
            time.sleep(0.2)
        listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        workers = [int(one.split()[0]) for one in listed.splitlines() if f"screening.worker {target}" in one]
        for number in (process.pid, *workers):
            os.kill(number, signal.SIGKILL)
        process.wait()
        plan = open_plan(target)
        lost = sum(len(read_journals(path).attempts) for path in plan.files(0))
        found = {"killed": 1 + len(workers), "lost_units": lost, "lost_share": lost / plan.units}
    code, spent = run(*words, limit=limit)
    return {**found, "code": code, "seconds": spent, "stages": of_stages(target)}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--ion", default="Mg")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--units", type=int, default=4000)
    parser.add_argument("--keep", type=int, default=25)
    parser.add_argument("--stages", default="rules,network,model")
    parser.add_argument("--limit", type=float, default=800)
    parser.add_argument("--ray", action="store_true", help="compare Ray with processes, and nothing else")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.ray:
        told = {"load": os.getloadavg()} | ray_overhead(given.source, given.folder, given.units, given.ion)
        (given.folder / "ray.json").write_text(json.dumps(told, indent=1))
        print(json.dumps(told, indent=1))
        return
    path = given.folder / "screening.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found["load"] = [*found.get("load", []), os.getloadavg()]
    found.update(kill(given.source, given.folder, given.ion, given.keep, given.stages, given.limit))
    path.write_text(json.dumps(found, indent=1))
    if given.units and found["code"] != 130:
        found["speed_up"] = speed_up(given.source, given.folder, given.units, given.ion)
        path.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
