"""Crystals as a Parquet file: what a large screen reads fastest, and can enter anywhere.

Columns: ``id`` (string), ``formula`` (string), ``n_atoms`` (int32), ``lattice`` (nine float64, Å, row after row),
``numbers`` (list of uint8), ``frac_coords`` (list of float64, three for each atom, atom after atom). A screen needs
``lattice``, ``numbers`` and ``frac_coords``; float32 does, further columns are left alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ionvolt.errors import InputError
from ionvolt.screening.crystals import Parts, Reader
from ionvolt.screening.sources import find_sources
from ionvolt.store import atomic_file
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import ProgressCallback, no_progress

ROWS_OF_A_GROUP = 4096
"""Rows that are read together; a shard begins at any of them."""


def write_crystals(
    inputs: Iterable[str], path: Path, refused: Callable[[InputError], None], progress: ProgressCallback = no_progress
) -> int:
    """Write all structures of some inputs.

    Args:
        inputs: Whatever ``ionvolt screen`` takes.
        path: The Parquet file.
        refused: Told of each structure that cannot be used.
        progress: Called with the structures that were read; how many there are is not known.

    Returns:
        How many were written.

    Raises:
        InputError: An input is not there.
        DataError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("formula", pa.string()),
            ("n_atoms", pa.int32()),
            ("lattice", pa.list_(pa.float64(), 9)),
            ("numbers", pa.list_(pa.uint8())),
            ("frac_coords", pa.list_(pa.float64())),
        ]
    )
    written = 0
    with atomic_file(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for number, crystal in enumerate(_all(inputs), start=1):
            progress(number, 0, "")
            if isinstance(crystal, InputError):
                refused(crystal)
                continue
            group.append(
                {
                    "id": crystal.source,
                    "formula": crystal.formula,
                    "n_atoms": len(crystal),
                    "lattice": crystal.lattice.ravel().tolist(),
                    "numbers": crystal.numbers.tolist(),
                    "frac_coords": crystal.frac_coords.ravel().tolist(),
                }
            )
            written += 1
            if len(group) == ROWS_OF_A_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema))
    return written


def _all(inputs: Iterable[str]) -> Iterator[Crystal | InputError]:
    with tempfile.TemporaryDirectory() as folder:
        found, _ = find_sources(inputs, Path(folder))
        reader = Reader(Path(folder), [one.source for one in found])
        try:
            for number, one in enumerate(found):
                units: Iterator[tuple[int, Parts]] = reader.read(number, 0, one.source.units, 0, 0)
                for _, parts in units:
                    yield from parts
        finally:
            reader.close()
