"""Small inputs of many crystals, and workers that can be slowed down, killed and counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ionvolt.screening.places import shard_file
from ionvolt.screening.plan import Plan
from ionvolt.screening.records import read_records
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

METALS = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Zr", "Mo")

SLOW = """
import os, sys, time
from pathlib import Path
from ionvolt.screening import stages, worker
wait, log = float(sys.argv[3]), Path(sys.argv[4])
stages.Rules.chunk = 1
judged = stages.Rules._judged
def slowly(self, crystal, ion):
    with log.open("a") as file:
        file.write(f"{crystal.source} {os.getpid()}\\n")
    time.sleep(wait)
    return judged(self, crystal, ion)
stages.Rules._judged = slowly
code = worker.main(sys.argv[1:3])
sys.exit(4 if "torch" in sys.modules else code)
"""
"""A worker that takes a while for each structure and notes what it begins; rules need no PyTorch (4)."""


def line(number: int, metal: str | None = None) -> dict[str, Any]:
    """A rutile of some metal; every fifth holds no anion, every seventh is no crystal at all."""
    metal = metal or METALS[number % len(METALS)]
    name = f"s{number:04d}"
    if number % 7 == 6:
        return {"id": name, "lattice": [1, 2, 3], "numbers": [1], "frac_coords": [0, 0, 0]}
    a, c, u = 4.6 + 0.01 * (number % 13), 3.0, 0.305
    anion = "Al" if number % 5 == 4 else "O"
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0], [0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]]
    return {
        "id": name,
        "lattice": np.diag([a, a, c]).ravel().tolist(),
        "numbers": [ATOMIC_NUMBERS[s] for s in (metal, metal, anion, anion, anion, anion)],
        "frac_coords": np.ravel(places).tolist(),
    }


def crystal_of(line: dict[str, Any]) -> Crystal:
    lattice, places = (np.reshape(line[key], (-1, 3)) for key in ("lattice", "frac_coords"))
    return Crystal(lattice, np.array(line["numbers"]), places, line["id"])


def sixty(folder: Path) -> Path:
    """Sixty structures as JSON lines."""
    path = folder / "many.jsonl"
    path.write_text("".join(json.dumps(line(number)) + "\n" for number in range(60)))
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return sixty(tmp_path)


Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts a slow worker on a folder."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, wait: float = 0.02, lease: float = 300.0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SLOW, str(folder), str(lease), str(wait), str(tmp_path / "begun")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def begun(tmp_path: Path) -> Counter[str]:
    """How often each structure was begun by slow workers."""
    path = tmp_path / "begun"
    text = path.read_text() if path.exists() else ""
    return Counter(found.split()[0] for found in text.splitlines())


def keys(plan: Plan, stage: int = 0) -> list[tuple[int, int, str]]:
    """Unit, part and ion of every row of a finished stage."""
    return [
        (row["unit"], row["part"], row["ion"])
        for shard in plan.shards
        for row in read_records(shard_file(plan.folder, stage, shard.number))
    ]


def expected(plan: Plan) -> list[tuple[int, int, str]]:
    """What ``keys`` has to be for inputs of one structure each."""
    return [(unit, 0, ion) for unit in range(plan.units) for ion in plan.settings.ions]
