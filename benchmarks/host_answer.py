"""Where the time of a default answer from a host goes, and how much faster it is than on the packages' own layers.

``python benchmarks/host_answer.py [--ions Mg,K] [--atoms 12,30,72,144]``

Processor seconds of one thread, warm, by part, of hosts of about so many atoms: charged ends of the shared data
(``IONVOLT_SHARED_DATA``), or the bundled examples where there are none. *All cores*: seconds that pass where ions are
settled in as many threads as there are cores. In the same run, taking turns, the reference: the same models on
SevenNet's and CHGNet's own layers. Ends with status 1 if a voltage differs by more than 1e-3 V.
The last lines say what one evaluation costs at least: its multiplications at the rate of a large matrix product.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import statistics
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ionvolt
from ionvolt import prediction
from ionvolt.errors import InputError
from ionvolt.models.mlip import foundation_model, trial_features
from ionvolt.models.registry import load_model
from ionvolt.parallel import OWN_THREADS, cores
from ionvolt.physics.potentials import chgnet, sevennet
from ionvolt.physics.potentials.sevennet_bonds import bonds_of
from ionvolt.prediction import answers
from ionvolt.structures import as_crystal, read_file
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

TOLERANCE = 1e-3
SAMPLE = 300
"""Electrodes among which hosts of the wanted sizes are looked for."""


@dataclass
class Parts:
    """Processor seconds by part, each without the parts within it, and how often each was entered."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    within: list[float] = field(default_factory=list)

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """The same function, its processor seconds counted as those of a part."""

        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            self.within.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - began
                self.seconds[part] += took - self.within.pop()
                self.calls[part] += 1
                if self.within:
                    self.within[-1] += took

        return call


PARTS: tuple[tuple[Any, str, str], ...] = (
    (prediction, "predict_each", "rest"),
    (trial_features, "sites_for_trials", "voids"),
    (sevennet.SevenNetPotential, "_bonds", "bonds"),
    (sevennet.SevenNetPotential, "evaluate", "potential"),
    (sevennet.SevenNetPotential, "forces", "settling"),
    (answers, "relaxation_doubts", "check"),
    (foundation_model.FoundationModel, "estimate_featurised", "learners"),
)


@contextmanager
def measured() -> Iterator[Parts]:
    """Every part timed within the block."""
    parts = Parts()
    kept = [getattr(owner, name) for owner, name, _ in PARTS]
    for (owner, name, part), function in zip(PARTS, kept, strict=True):
        setattr(owner, name, parts.timed(function, part))
    try:
        yield parts
    finally:
        for (owner, name, _), function in zip(PARTS, kept, strict=True):
            setattr(owner, name, function)


@contextmanager
def with_packages_layers() -> Iterator[None]:
    """The potentials on their packages' own layers, and IonVolt's earlier convolution for SevenNet."""
    potential, relaxer = sevennet.load_sevennet(), chgnet.load_chgnet()
    kept = potential.compiled, relaxer.compiled
    potential.compiled = relaxer.compiled = None
    try:
        yield
    finally:
        potential.compiled, relaxer.compiled = kept


def shared_data() -> Path:
    """Where the shared data are, if they are there."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("IONVOLT_SHARED_DATA", beside))


def hosts(sizes: list[int]) -> list[Crystal]:
    """Primitive cells of about so many atoms."""
    folder = shared_data()
    found: list[Crystal] = []
    if (folder / "structures.jsonl.gz").is_file():
        with (folder / "electrodes_mp2025.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        wanted = {row["id_charge"] for row in random.Random(0).sample(rows, SAMPLE)}
        with gzip.open(folder / "structures.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts = [entry["cif"] for entry in map(json.loads, lines) if entry["id"] in wanted]
        for text in texts:
            try:
                found.append(primitive_cell(as_crystal(text)))
            except InputError:
                continue
    else:
        examples = Path(ionvolt.__file__).parent / "examples"
        found = [primitive_cell(read_file(examples / f"{name}.cif")) for name in ("TiS2", "V2O5", "MoO3", "Mn2O4")]
    return [min(found, key=lambda crystal: abs(len(crystal) - size)) for size in sizes]


def answer(host: Crystal, ions: str, model: Any) -> tuple[list[float], Parts, float]:
    """Voltages, parts and processor seconds of one answer from scratch, in one thread."""
    trial_features._LATEST.clear()
    os.environ[OWN_THREADS] = "1"
    with measured() as parts:
        began = time.process_time()
        found = prediction.predict_each([host], ions, model=model, assume="charged")
        took = time.process_time() - began
    return [getattr(one, "voltage", float("nan")) for one in found], parts, took


def passing(host: Crystal, ions: str, model: Any) -> float:
    """Seconds that pass during such an answer in as many threads as there are cores."""
    trial_features._LATEST.clear()
    os.environ[OWN_THREADS] = str(cores())
    began = time.perf_counter()
    prediction.predict_each([host], ions, model=model, assume="charged")
    return time.perf_counter() - began


def limit(host: Crystal) -> None:
    """What one evaluation of a host takes, and what its multiplications would take at the machine's rate."""
    potential = sevennet.load_sevennet()
    ends, vectors = potential._bonds(host)
    if potential.compiled is None:
        return
    kinds = [potential.compiled.kinds[number] for number in host.numbers.tolist()]
    lengths = len(bonds_of(potential.compiled.embedding, len(host), ends, vectors).basis)
    work = 0.0
    for layer in potential.compiled.layers:
        convolution = layer.convolution
        ways = convolution.ways
        work += lengths * sum(one.size for one in convolution.radial)
        work += ends.shape[1] * float((ways[:, 0] * ways[:, 1] * ways[:, 2] + ways[:, 1] * ways[:, 2]).sum())
        for mixing in (layer.self_connection, layer.mix_before, layer.mix_after):
            work += len(host) * sum((2 * degree + 1) * one.size for degree, one in enumerate(mixing.maps))
    square = np.random.default_rng(0).random((1024, 1024)).astype(np.float32)
    rate = max(2 * 1024**3 / seconds(lambda: square @ square) for _ in range(5))
    took = min(seconds(lambda: potential.compiled(kinds, ends, vectors)) for _ in range(5))  # type: ignore[misc]
    share = 100 * 2 * work / rate / took
    print(
        f"\none evaluation, {len(host)} atoms, {ends.shape[1]} directed bonds of {lengths} lengths: {2e-9 * work:.2f} "
        f"Gflop in {1000 * took:.0f} ms; at the {rate / 1e9:.0f} Gflop/s of a matrix product it were "
        f"{2000 * work / rate:.0f} ms ({share:.0f} %)"
    )


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ions", default="Mg,K", help="each is a row of its own; all: all ten in one row")
    parser.add_argument("--atoms", default="12,30,72,144", help="about how many the hosts have")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    model = load_model()
    chosen = hosts([int(size) for size in options.atoms.split(",")])
    answer(chosen[0], "Mg,K", model)  # warm
    with with_packages_layers():
        answer(chosen[0], "Mg,K", model)
    columns = ("voids", "bonds", "potential", "settling", "check", "learners", "rest")
    print(
        f"| host | ion | s | all cores, s | {' | '.join(columns)} | evaluations | packages' layers, s | times faster "
        "| apart, V |"
    )
    print("|---" * (len(columns) + 8) + "|")
    worst = 0.0
    for host in chosen:
        for ions in options.ions.split(","):
            turns, passed = [], float("inf")
            for _ in range(options.repeats):
                passed = min(passed, passing(host, ions, model))
                own = answer(host, ions, model)
                with with_packages_layers():
                    turns.append((own, answer(host, ions, model)))
            (voltages, parts, took), _ = min(turns, key=lambda turn: turn[0][2])
            before = min(other[2] for _, other in turns)
            ratio = statistics.median(other[2] / own[2] for own, other in turns)
            apart = float(np.nanmax(np.abs(np.subtract(voltages, turns[0][1][0]))))
            worst = max(worst, apart)
            by_part = " | ".join(f"{parts.seconds[column]:.3f}" for column in columns)
            print(
                f"| {host.formula}, {len(host)} atoms | {ions} | {took:.2f} | {passed:.2f} | {by_part} "
                f"| {parts.calls['bonds']} | {before:.2f} | {ratio:.1f} | {apart:.0e} |",
                flush=True,
            )
    limit(chosen[min(1, len(chosen) - 1)])
    return 0 if worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
