"""The measurements of run.py: each compares the published recipe with IonVolt on the same crystals."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

import reference
from epochs import batches_of, optimiser_of, our_epoch, reference_epoch, reference_validation
from inputs import Inputs
from ionvolt.graphs import CrystalGraph, build_graph, collate, has_tie
from ionvolt.models.cgcnn.network import CGCNN
from ionvolt.structures import Crystal, check, read_text
from ionvolt.training.cgcnn.networks import new_network, set_scale, transfer_heads
from ionvolt.training.loop import fit
from ionvolt.training.settings import HEAD, Settings
from timing import Comparison, compared, interleaved, seconds

SAMPLE = 64
FLUSHED = ", flushed"
TRANSFER_EPOCHS = 100
TRANSFER = replace(HEAD, epochs=TRANSFER_EPOCHS, patience=0)


@dataclass(frozen=True)
class Workbench:
    """Inputs, both programs' forms of them, and a network that has learned a little."""

    inputs: Inputs
    repeats: int

    @cached_property
    def sample(self) -> list[int]:
        """64 crystals spread over all."""
        n = len(self.inputs.texts)
        return [int(i) for i in np.unique(np.linspace(0, n - 1, min(SAMPLE, n)).round())]

    @cached_property
    def crystals(self) -> list[Crystal]:
        """All crystals as IonVolt reads them."""
        return [read_text(text, f"{index}.cif") for index, text in enumerate(self.inputs.texts)]

    @cached_property
    def graphs(self) -> list[CrystalGraph]:
        """Their graphs."""
        return [build_graph(crystal) for crystal in self.crystals]

    @cached_property
    def dataset(self) -> reference.Crystals:
        """The reference's data, featurised once."""
        data = reference.Crystals(self.inputs.texts, self.inputs.targets.tolist())
        for index in range(len(data)):
            data[index]
        return data

    @cached_property
    def split(self) -> tuple[list[int], list[int]]:
        """Training and validation rows, nine to one as the authors' (229 of 255)."""
        order = np.random.default_rng(0).permutation(len(self.inputs.texts)).tolist()
        n_train = round(0.9 * len(order))
        return order[:n_train], order[n_train:]

    @cached_property
    def network(self) -> CGCNN:
        """Random weights after twenty epochs, so that voltages and batch statistics are those of a real network."""
        network = new_network(0)
        train = np.array(self.split[0])
        set_scale(network.head, self.inputs.targets[train])
        fit(network, self._batch, self.inputs.targets, train, [], Settings(epochs=20))
        return network.eval()

    def _batch(self, rows: np.ndarray) -> object:
        return collate([self.graphs[row] for row in rows])


def voltages(bench: Workbench) -> dict[str, float]:
    """Largest difference of the two programs' voltages in V, without neighbour ties and with them.

    Where the twelfth neighbour ties with the thirteenth the programs may choose differently; such crystals of the
    sample are built with ``ties="published"``, and what IonVolt's own choice changes is told as well.
    """
    tied = [has_tie(crystal) for crystal in bench.crystals]
    theirs = reference.from_ionvolt(bench.network).eval()

    def difference(rows: list[int], graphs: list[CrystalGraph]) -> float:
        if not rows:
            return 0.0
        with torch.inference_mode():
            expected = theirs.voltages(reference.collate([bench.dataset[row][0] for row in rows]))
            return float((bench.network(collate(graphs)) - expected).abs().max())

    free = [row for row, tie in enumerate(tied) if not tie]
    bound = [row for row in bench.sample if tied[row]]
    published = [build_graph(bench.crystals[row], ties="published") for row in bound]
    with torch.inference_mode():
        spread = float(bench.network(collate(bench.graphs)).std())
    return {
        "standard_deviation": spread,
        "crystals_without_ties": len(free),
        "difference_without_ties": difference(free, [bench.graphs[row] for row in free]),
        "crystals_with_ties": len(bound),
        "difference_published_ties": difference(bound, published),
        "difference_own_ties": difference(bound, [bench.graphs[row] for row in bound]),
    }


def featurise(bench: Workbench) -> Comparison:
    """Parsed crystal to what the network takes in."""
    structures = [reference.read(bench.inputs.texts[row]) for row in bench.sample]
    crystals = [bench.crystals[row] for row in bench.sample]
    times = interleaved(
        lambda: [reference.featurise(structure) for structure in structures],
        lambda: [build_graph(crystal) for crystal in crystals],
        repeats=bench.repeats,
        passes=20,
        per=len(crystals) / 1e3,
    )
    return compared("featurise", "featurising", "ms a crystal", times, 100)


def predict(bench: Workbench) -> Comparison:
    """Text of a CIF to voltage, 64 crystals a batch."""
    texts = [bench.inputs.texts[row] for row in bench.sample]
    network = bench.network
    theirs = reference.from_ionvolt(network).eval()

    @torch.inference_mode()
    def by_reference() -> None:
        theirs.voltages(reference.collate([reference.featurise(reference.read(text)) for text in texts]))

    @torch.inference_mode()
    def by_us() -> None:
        network(collate([build_graph(read_text(text, "x.cif")) for text in texts]))

    times = interleaved(by_reference, by_us, repeats=bench.repeats, passes=5, per=len(texts) / 1e3)
    return compared("predict", "CIF text to voltage", "ms a crystal", times, 40)


@contextmanager
def subnormals_flushed(flush: bool) -> Iterator[None]:
    """Let the processor take numbers below 1e-38 as zero, on both sides.

    Some four in a hundred numbers of the recipe's Gaussians are so small, and many processors multiply them far more
    slowly than others. IonVolt cuts its Gaussians off before. What the recipe takes without that accident is the
    stricter comparison.
    """
    torch.set_flush_denormal(flush)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def train(bench: Workbench, *, flush: bool = False) -> Comparison:
    """One epoch of the whole network."""
    ours = copy.deepcopy(bench.network)
    theirs = reference.from_ionvolt(ours)
    our_optimiser, their_optimiser = optimiser_of(ours), optimiser_of(theirs)
    batches = batches_of(bench.split[0])
    data = bench.dataset
    with subnormals_flushed(flush):
        times = interleaved(
            lambda: reference_epoch(theirs, their_optimiser, data, batches),
            lambda: our_epoch(ours, our_optimiser, bench.graphs, bench.inputs.targets, batches),
            repeats=bench.repeats + 2,
        )
    note = f"{len(bench.split[0])} crystals, batch 64, SGD on both sides, features cached on both sides"
    if flush:
        return compared("train-flushed", f"training epoch{FLUSHED}", "s an epoch", times, 4)
    return compared("train", "training epoch", "s an epoch", times, 4, note)


def transfer(bench: Workbench, *, flush: bool = False) -> Comparison:
    """The two last layers for another ion."""
    rows, validation = bench.split
    network = bench.network
    theirs = reference.from_ionvolt(network)
    theirs.freeze()
    optimiser = optimiser_of(theirs)
    batches, validation_batches = batches_of(rows), batches_of(validation)
    targets = bench.inputs.targets
    parts = [(np.array(rows), np.array(validation))]

    def one_epoch() -> None:
        reference_epoch(theirs, optimiser, bench.dataset, batches)
        reference_validation(theirs, bench.dataset, validation_batches)

    with subnormals_flushed(flush):
        reference_times, our_times = interleaved(
            one_epoch,
            lambda: transfer_heads([network], bench.graphs, targets, parts, TRANSFER),
            repeats=bench.repeats,
        )
    times = ([TRANSFER_EPOCHS * t for t in reference_times], our_times)
    note = (
        f"{TRANSFER_EPOCHS} epochs, {len(rows)} crystals and {len(validation)} to validate; the reference's time is "
        f"{TRANSFER_EPOCHS} x one epoch (batch 64); ours is whole, pooled vectors included "
        f"(batch {TRANSFER.batch_size})"
    )
    if flush:
        return compared("transfer-flushed", f"fitting one ion{FLUSHED}", "s an ion", times, 50)
    return compared("transfer", "fitting one ion by transfer", "s an ion", times, 50, note)


def memory(bench: Workbench) -> Comparison:
    """Peak memory of training."""
    rows = bench.split[0]
    targets = bench.inputs.targets[rows]
    theirs = _memory("memory-reference", [bench.dataset[row][0] for row in rows], targets)
    ours = _memory("memory-ours", [bench.graphs[row] for row in rows], targets)
    how = "VmHWM, reset" if theirs["exact"] and ours["exact"] else "ru_maxrss"
    note = (
        f"two epochs in a process of its own: high-water mark ({how}) over program, network and featurised crystals, "
        f"which take {theirs['features']:.1f} and {ours['features']:.1f} MiB more"
    )
    times = ([theirs["training"]], [ours["training"]])
    return compared("memory", "peak memory of training", "MiB", times, 2, note)


def stages(bench: Workbench) -> dict[str, float]:
    """Where IonVolt's own time goes between CIF text and voltage, ms a crystal (``check`` is part of ``read_text``)."""
    texts = [bench.inputs.texts[row] for row in bench.sample]
    crystals = [bench.crystals[row] for row in bench.sample]
    graphs = [bench.graphs[row] for row in bench.sample]
    batch = collate(graphs)
    steps: dict[str, Callable[[], object]] = {
        "read_text": lambda: [read_text(text, "x.cif") for text in texts],
        "check": lambda: [check(crystal) for crystal in crystals],
        "build_graph": lambda: [build_graph(crystal) for crystal in crystals],
        "collate": lambda: collate(graphs),
        "forward": lambda: bench.network(batch),
    }
    with torch.inference_mode():
        turns = [{name: seconds(step) for name, step in steps.items()} for _ in range(2 * bench.repeats + 1)]
    return {name: 1e3 * float(np.median([turn[name] for turn in turns])) / len(texts) for name in steps}


def compile_seconds() -> dict[str, float]:
    """Seconds to compile all kernels into an empty cache, and to load them from it in the next process."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"NUMBA_CACHE_DIR": folder}
        first, later = (_child(["compile"], environment)["seconds"] for _ in range(2))
    return {"first": first, "later": later}


def _memory(kind: str, data: list[object], targets: np.ndarray) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.pickle"
        path.write_bytes(pickle.dumps({"data": data, "targets": targets}))
        return _child([kind, str(path)], {})


def _child(arguments: list[str], environment: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).with_name("child.py")), *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"child.py {arguments[0]} failed:\n{done.stderr}")
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


MEASUREMENTS: dict[str, Callable[[Workbench], Comparison]] = {
    "featurise": featurise,
    "predict": predict,
    "train": train,
    "train-flushed": partial(train, flush=True),
    "transfer": transfer,
    "transfer-flushed": partial(transfer, flush=True),
    "memory": memory,
}
