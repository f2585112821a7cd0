"""Out-of-fold predictions: one row for each tested electrode, model, seed and fold, kept as Parquet."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.store import atomic_file, read_parquet

FORMAT = 1
SCHEMA = pa.schema(
    [
        ("battery_id", pa.string()),
        ("ion", pa.string()),
        ("framework", pa.string()),
        ("snapshot", pa.string()),
        ("fold", pa.int32()),
        ("seed", pa.int64()),
        ("target", pa.float64()),
        ("predicted", pa.float64()),
        ("model", pa.string()),
        ("split", pa.string()),
        ("seconds", pa.float64()),
    ]
)


@dataclass(frozen=True, eq=False)
class Results:
    """Predictions of one protocol on one data set.

    Attributes:
        table: Columns of ``SCHEMA``; voltages in V, ``seconds`` those of the whole unit (model, seed and fold).
        about: Split, folds, ions, cleaning rules and the data's checksum.
        marks: For each unit that is done, ``model|seed|fold``, what tells whether it still holds.
    """

    table: pa.Table
    about: dict[str, Any]
    marks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, about: dict[str, Any]) -> Results:
        """Nothing done yet."""
        return cls(SCHEMA.empty_table(), about)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """One column as numpy."""
        column: NDArray[Any] = np.array(self.table.column(name).to_pylist())
        return column

    @property
    def models(self) -> list[str]:
        """Names of the models that have been tested."""
        return list(dict.fromkeys(self.table.column("model").to_pylist()))

    def of_seeds(self, seeds: Collection[int]) -> Results:
        """The rows of some seeds, to look at; no units are marked as done."""
        kept = np.isin(self.column("seed"), list(seeds))
        return Results(self.table.filter(pa.array(kept)), self.about)

    def has(self, model: str, seed: int, fold: int, mark: str) -> bool:
        """Whether a unit is done, in exactly this way."""
        return self.marks.get(_unit(model, seed, fold)) == mark

    def replaced(
        self,
        model: str,
        seed: int,
        fold: int,
        mark: str,
        tested: ElectrodeSet,
        predicted: NDArray[np.float64],
        split: str,
        seconds: float,
    ) -> Results:
        """The results with a unit's rows in place of what stood there before."""
        n = len(tested)
        rows = {
            "battery_id": [e.battery_id for e in tested],
            "ion": [e.working_ion for e in tested],
            "framework": [e.framework for e in tested],
            "snapshot": [e.snapshot for e in tested],
            "fold": [fold] * n,
            "seed": [seed] * n,
            "target": tested.voltages,
            "predicted": predicted,
            "model": [model] * n,
            "split": [split] * n,
            "seconds": [seconds] * n,
        }
        table = self.table
        if _unit(model, seed, fold) in self.marks:
            same = (self.column("model") == model) & (self.column("seed") == seed) & (self.column("fold") == fold)
            table = table.filter(pa.array(~same))
        marks = self.marks | {_unit(model, seed, fold): mark}
        return Results(pa.concat_tables([table, pa.table(rows, schema=SCHEMA)]), self.about, marks)


def write_results(results: Results, path: Path) -> None:
    """Write results; the file appears, or changes, only when it is complete.

    Raises:
        DataError: The file cannot be written there.
    """
    metadata = {
        "ionvolt.results": str(FORMAT),
        "ionvolt.about": json.dumps(results.about),
        "ionvolt.units": json.dumps(results.marks),
    }
    with atomic_file(path) as part:
        pq.write_table(results.table.replace_schema_metadata(metadata), part, compression="zstd")


def read_results(path: Path, about: dict[str, Any] | None = None) -> Results:
    """Read results.

    Args:
        path: A file of ``write_results``.
        about: What they must be about; None takes anything.

    Raises:
        DataError: No such file, no results, or those of another protocol or other data.
    """
    try:
        table = read_parquet(path)
        metadata = table.schema.metadata or {}
        if metadata[b"ionvolt.results"].decode() != str(FORMAT):
            raise ValueError("another format")
        found = json.loads(metadata[b"ionvolt.about"])
        marks = json.loads(metadata[b"ionvolt.units"])
        table = table.select(SCHEMA.names).cast(SCHEMA)
        if not isinstance(found, dict) or not isinstance(marks, dict):
            raise ValueError("its metadata are no objects")
    except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"{path}: no results of `ionvolt evaluate` ({str(error).splitlines()[0]})") from error
    if about is not None and found != about:
        differing = ", ".join(sorted(k for k in about if found.get(k) != about[k])) or "what they are about"
        raise DataError(f"{path}: it holds results of another evaluation (other {differing}). Give another file to -o")
    return Results(table, found, marks)


def _unit(model: str, seed: int, fold: int) -> str:
    return f"{model}|{seed}|{fold}"
