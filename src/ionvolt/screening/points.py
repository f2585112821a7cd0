"""The numbers of a run as arrays, for a picture of many points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.errors import DataError
from ionvolt.screening.places import MERGED
from ionvolt.screening.plan import open_plan
from ionvolt.screening.records import Row
from ionvolt.screening.results import merge, rows_of
from ionvolt.screening.status import progress_of
from ionvolt.typing import Array, Indices, Mask

MOST_POINTS = 5_000_000
"""Points that are held in memory, some 60 bytes each."""

COLOURS = ("energy_grav", "energy_vol", "voltage_std", "volume_change")
"""Columns that colour the points."""

_NUMBERS = ("voltage", "capacity_grav", *COLOURS)
_SHOWN = (
    "unit", "part", "id", "formula", "ion", "status", "voltage", "voltage_lower", "voltage_upper", "capacity_grav",
    "energy_grav", "energy_vol", "volume_change", "in_domain", "model",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Points:
    """All rows of a run that have a voltage and a capacity.

    Attributes:
        ions: Symbols.
        ion: Number of each row's ion, shape (n,).
        unit: Unit of each row, shape (n,).
        part: Part of each row, shape (n,).
        kept: Whether it passed all stages, shape (n,).
        values: Columns by name, each of shape (n,); what is not known is NaN.
    """

    ions: tuple[str, ...]
    ion: Indices
    unit: Indices
    part: Indices
    kept: Mask
    values: dict[str, Array]

    def __len__(self) -> int:
        return len(self.unit)

    def within(self, ion: str, kept: bool, x: tuple[float, float], y: tuple[float, float]) -> Indices:
        """Numbers of the points of an ion (empty: of all) in a rectangle of capacity and voltage."""
        capacity, voltage = self.values["capacity_grav"], self.values["voltage"]
        chosen = (capacity >= x[0]) & (capacity <= x[1]) & (voltage >= y[0]) & (voltage <= y[1])
        if ion:
            chosen &= self.ion == (self.ions.index(ion) if ion in self.ions else -1)
        if kept:
            chosen &= self.kept
        return np.flatnonzero(chosen)

    def density(
        self, chosen: Indices, x: tuple[float, float], y: tuple[float, float], shape: tuple[int, int], colour: str
    ) -> list[list[float | None]]:
        """Points counted in the cells of a grid.

        Returns:
            For each cell with points in it its column, its row, their number, and the mean of the colour.
        """
        if not len(chosen):
            return []
        columns, rows = shape
        across = (self.values["capacity_grav"][chosen] - x[0]) / (x[1] - x[0]) * columns
        up = (self.values["voltage"][chosen] - y[0]) / (y[1] - y[0]) * rows
        cell = np.minimum(across.astype(np.int64), columns - 1) + columns * np.minimum(up.astype(np.int64), rows - 1)
        value = self.values[colour][chosen]
        known = np.isfinite(value)
        counts = np.bincount(cell, minlength=columns * rows)
        sums = np.bincount(cell[known], value[known], minlength=columns * rows)
        of = np.bincount(cell[known], minlength=columns * rows)
        return [
            [int(k % columns), int(k // columns), int(counts[k]), float(sums[k] / of[k]) if of[k] else None]
            for k in np.flatnonzero(counts)
        ]


def load_points(folder: Path) -> Points:
    """Read a run; a complete one is merged first, so that it is read column by column.

    Raises:
        DataError: There is no run, nothing is done, or there are too many points.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    plan = open_plan(folder)
    names = ["unit", "part", "ion", "status", *_NUMBERS]
    if not progress_of(folder).stage and not (folder / MERGED).exists():
        merge(folder)
    if (folder / MERGED).exists():
        table = pq.read_table(
            folder / MERGED, columns=names, filters=[("voltage", ">", -1e9), ("capacity_grav", ">", 0)]
        )
    else:
        listed = [
            {name: row[name] for name in names}
            for row in rows_of(folder)
            if row["voltage"] is not None and row["capacity_grav"]
        ]
        table = pa.Table.from_pylist(listed) if listed else pa.table({})
    if not table.num_rows:
        raise DataError(f"{folder}: no row has a voltage yet. Look again when the stage network or model is at work")
    if table.num_rows > MOST_POINTS:
        raise DataError(
            f"{folder}: {table.num_rows:,} points, more than {MOST_POINTS:,}. Screen with a budget (--keep)"
        )
    ions = plan.settings.ions
    numbers = {ion: number for number, ion in enumerate(ions)}
    return Points(
        ions=ions,
        ion=np.array([numbers[ion] for ion in table["ion"].to_pylist()]),
        unit=table["unit"].to_numpy(),
        part=table["part"].to_numpy().astype(np.int64),
        kept=np.array(table["status"].to_pylist()) == "kept",
        values={name: _floats(table[name]) for name in _NUMBERS},
    )


def rows_at(folder: Path, points: Points, chosen: Sequence[int]) -> list[Row]:
    """The rows of a few points, in their order."""
    import pyarrow.parquet as pq

    keys = [(int(points.unit[k]), int(points.part[k]), points.ions[points.ion[k]]) for k in chosen]
    units = sorted({unit for unit, _, _ in keys})
    if not units:
        return []
    if (folder / MERGED).exists():
        found = pq.read_table(folder / MERGED, columns=list(_SHOWN), filters=[("unit", "in", units)]).to_pylist()
    else:
        found = [row for row in rows_of(folder) if row["unit"] in set(units)]
    by_key = {(row["unit"], row["part"], row["ion"]): row for row in found}
    return [{name: by_key[key].get(name) for name in _SHOWN} for key in keys if key in by_key]


def _floats(column: Any) -> Array:
    values: Array = np.array(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    return values
