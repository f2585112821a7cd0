"""How short the distances in crystals are, as shares of the sum of the two covalent radii.

    python benchmarks/shortest_distances.py structures.jsonl.gz mp_phases.parquet

Takes files of JSON lines ``{"id": …, "cif": …}``, tables with ``lattice``, ``numbers`` and ``frac_coords``, and folders
of structures. Prints how many crystals lie below each share; those without two atoms within 3.3 Å are left out.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from vesin import NeighborList

from ionvolt.datasets.sources import AS_PUBLISHED
from ionvolt.errors import InputError
from ionvolt.structures import Crystal, read_many, read_text
from ionvolt.structures.checks import _radii

SHARES = (0.5, 0.55, 0.58, 0.6, 0.62, 0.64)


def crystals(given: str) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]]:
    """Id, lattice (3, 3), atomic numbers (n,) and fractional coordinates (n, 3)."""
    if given.endswith(".parquet"):
        for batch in pq.ParquetFile(given).iter_batches(2_000, ["id", "lattice", "numbers", "frac_coords"]):
            for row in batch.to_pylist():
                frac = np.array(row["frac_coords"]).reshape(-1, 3)
                yield row["id"], np.array(row["lattice"]).reshape(3, 3), np.array(row["numbers"]), frac
    elif given.endswith(".jsonl.gz"):
        with gzip.open(given, "rt", encoding="utf-8") as file:
            for record in map(json.loads, file):
                try:
                    c = read_text(record["cif"], record["id"], limits=AS_PUBLISHED)
                except InputError:
                    continue
                yield record["id"], c.lattice, c.numbers, c.frac_coords
    else:
        for found in read_many([given], AS_PUBLISHED):
            if isinstance(found, Crystal):
                yield found.source, found.lattice, found.numbers, found.frac_coords


def main(given: list[str]) -> None:
    for name in given:
        shortest: list[tuple[float, str]] = []
        for id_, lattice, numbers, frac in crystals(name):
            search = NeighborList(cutoff=3.3, full_list=False, n_threads=1)
            pairs, distance = search.compute((frac - np.floor(frac)) @ lattice, lattice, True, "Pd")
            if len(distance):
                radii = _radii()[numbers]
                bond = radii[pairs[:, 0].astype(int)] + radii[pairs[:, 1].astype(int)]
                shortest.append((float((distance / bond).min()), id_))
        shares = np.array([share for share, _ in shortest])
        below = ", ".join(f"{int((shares < share).sum())} below {share:g}" for share in SHARES)
        print(f"{name}: {len(shares)} crystals, {below}")
        print("  shortest:", ", ".join(f"{id_} {share:.2f}" for share, id_ in sorted(shortest)[:5]))


if __name__ == "__main__":
    main(sys.argv[1:])
