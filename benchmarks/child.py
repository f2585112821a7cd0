"""What has to be measured in a process of its own: peak memory of training and the time to compile.

``python child.py memory-reference FILE``, ``memory-ours FILE`` (FILE: a pickle that run.py wrote) or ``compile``;
the answer is one line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import pickle
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from pymatgen.core.structure import Structure

import reference
from epochs import batches_of, optimiser_of, our_epoch, reference_epoch
from ionvolt.graphs import build_graph, collate
from ionvolt.structures import Crystal
from ionvolt.training.cgcnn.networks import new_network, set_scale


def memory(kind: str, path: Path) -> dict[str, float]:
    """MiB that two training epochs take on top of the program, the network and the featurised crystals.

    A step on two crystals comes first, so that all code is loaded. Freed memory is then given back to the system and
    the high-water mark put down where Linux allows it (otherwise the mark so far counts as the baseline).
    """
    content = pickle.loads(path.read_bytes())
    data, targets = content["data"], content["targets"]
    network = new_network(0)
    set_scale(network.head, targets)
    theirs = reference.from_ionvolt(network)
    if kind == "memory-reference":
        items: Any = [(sample, float(target)) for sample, target in zip(data, targets, strict=True)]
        optimiser = optimiser_of(theirs)
        size = sum(t.nbytes for s in data for t in (s.elements, s.edges, s.neighbours))

        def epoch(batches: list[list[int]]) -> float:
            return reference_epoch(theirs, optimiser, items, batches)
    else:
        optimiser = optimiser_of(network)
        size = sum(a.nbytes for g in data for a in (g.numbers, g.neighbours, g.distances))

        def epoch(batches: list[list[int]]) -> float:
            return our_epoch(network, optimiser, data, targets, batches)

    epoch([[0, 1]])
    content.clear()
    gc.collect()
    exact = _settle()
    before = _status("VmRSS:") if exact else _high_water()
    for _ in range(2):
        epoch(batches_of(range(len(data))))
    peak = _status("VmHWM:") if exact else _high_water()
    return {"training": peak - before, "features": size / 2**20, "exact": float(exact)}


def compile_time() -> dict[str, float]:
    """Seconds that the first graph, forward pass and training step take beyond a second one."""
    torch.set_num_threads(1)
    cell = Structure.from_spacegroup(
        "Fm-3m", [[4.2, 0, 0], [0, 4.2, 0], [0, 0, 4.2]], ["Mg", "O"], [[0] * 3, [0.5] * 3]
    )
    crystal = Crystal.from_pymatgen(cell)
    network = new_network(0)

    def once() -> float:
        start = time.perf_counter()
        batch = collate([build_graph(crystal)] * 2)
        with torch.inference_mode():
            network.eval()(batch)
        network.train()(batch).sum().backward()
        return time.perf_counter() - start

    first = once()
    return {"seconds": first - once()}


def _settle() -> bool:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except (OSError, AttributeError):
        return False
    return True


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def _high_water() -> float:
    mark = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return mark / 2**20 if sys.platform == "darwin" else mark / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    answer = compile_time() if sys.argv[1] == "compile" else memory(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps(answer))
