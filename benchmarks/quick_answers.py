"""The quick model: how much an answer hangs on the description of the crystal, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/quick_answers.py mp2025.parquet

Costs are processor seconds in one process, of crystals of which nothing is known yet, beside those of the 341 features
of the classical models under the same load.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ionvolt.datasets import clean, read_dataset
from ionvolt.descriptors import features
from ionvolt.models.interface import Query
from ionvolt.models.registry import QUICK_MODEL, load_model

ASKED, REPEATS = 150, 7


def fresh(queries: Sequence[Query]) -> list[Query]:
    """The same electrodes as objects of which nothing is remembered."""
    return [replace(query, host=replace(query.host)) for query in queries]


def milliseconds(work: Callable[[list[Query]], object], queries: Sequence[Query]) -> str:
    """Median and least processor time of one electrode."""
    work(fresh(queries))
    times = []
    for _ in range(REPEATS):
        some = fresh(queries)
        began = time.process_time()
        work(some)
        times.append(1000 * (time.process_time() - began) / len(queries))
    return f"{np.median(times):.2f} (least {min(times):.2f})"


def main() -> None:
    data = clean(read_dataset(Path(sys.argv[1])), ["abs7"])[0]
    model, rng = load_model(QUICK_MODEL), np.random.default_rng(0)
    some = data[np.sort(rng.choice(len(data), ASKED, replace=False))]
    queries = [Query(e.working_ion, e.host) for e in some]
    turned = []
    for query in queries:
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        host = replace(
            query.host, lattice=query.host.lattice @ turn, frac_coords=query.host.frac_coords + rng.random(3)
        )
        turned.append(replace(query, host=host))
    pairs = zip(model.estimate(queries), model.estimate(turned), strict=True)
    apart = np.array([abs(a.voltage - b.voltage) for a, b in pairs])
    print(f"turned and shifted, {ASKED} electrodes: {np.mean(apart <= 0.003):.0%} within 0.003 V, ", end="")
    print(f"{np.mean(apart <= 0.03):.0%} within 0.03 V, at most {apart.max():.3f} V")
    print(f"atoms: {np.mean([len(e.host) for e in some]):.0f} on average")
    print(f"together, ms each: {milliseconds(model.estimate, queries)}")
    print(f"one by one, ms each: {milliseconds(lambda qs: [model.estimate([q]) for q in qs], queries)}")
    print(f"341 features together, ms each: {milliseconds(lambda qs: features([q.host for q in qs]), queries)}")
    print(f"341 features one by one, ms each: {milliseconds(lambda qs: [features([q.host]) for q in qs], queries)}")


if __name__ == "__main__":
    main()
