"""A data set as one Parquet file.

One row an electrode:

==================== ============ =========================================================================
column               type         meaning
==================== ============ =========================================================================
battery_id           string       the source's id of the row
working_ion          string       symbol of the ion
average_voltage      double       V against the ion's metal, over the whole charge
formula_charge       string       reduced formula of the charged host
formula_discharge    string, null reduced formula of the discharged electrode
id_charge            string       id of the charged host
id_discharge         string, null id of the discharged electrode
framework            string       charged formula less the working ion and the alkali metals, reduced
snapshot             string       which calculation the voltage belongs to
num_steps            int32, null  voltage steps
capacity_grav        double, null mAh/g of the discharged electrode
max_delta_volume     double, null largest relative volume change of a step
stability_charge     double, null eV/atom above the hull, charged
stability_discharge  double, null eV/atom above the hull, discharged
steps                string, null the steps as JSON
structure_charge     struct       the charged host
structure_discharge  struct, null the discharged electrode
==================== ============ =========================================================================

A structure is an Arrow struct of ``lattice`` list<double>, the three cell vectors one after another in Å;
``numbers`` list<int16>, atomic numbers; ``frac_coords`` list<double>, three an atom.

The file's key-value metadata hold ``ionvolt.format`` (a number) and ``ionvolt.provenance`` (JSON: source, licence,
attribution, files with sha256, version, refused rows with their reasons, cleaning rules with what they removed).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ionvolt.datasets.records import Electrode, ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.store import atomic_file, read_parquet
from ionvolt.structures.crystal import SYMBOLS, Crystal

FORMAT = 1

_REMEDY = "Make one with `ionvolt data import`"
_REQUIRED = (
    "battery_id",
    "working_ion",
    "average_voltage",
    "formula_charge",
    "id_charge",
    "framework",
    "snapshot",
    "structure_charge",
)

SCALARS: dict[str, pa.DataType] = {
    "battery_id": pa.string(),
    "working_ion": pa.string(),
    "average_voltage": pa.float64(),
    "formula_charge": pa.string(),
    "formula_discharge": pa.string(),
    "id_charge": pa.string(),
    "id_discharge": pa.string(),
    "framework": pa.string(),
    "snapshot": pa.string(),
    "num_steps": pa.int32(),
    "capacity_grav": pa.float64(),
    "max_delta_volume": pa.float64(),
    "stability_charge": pa.float64(),
    "stability_discharge": pa.float64(),
    "steps": pa.string(),
}
STRUCTURE = pa.struct(
    [
        ("lattice", pa.list_(pa.float64())),
        ("numbers", pa.list_(pa.int16())),
        ("frac_coords", pa.list_(pa.float64())),
    ]
)
SCHEMA = pa.schema([*SCALARS.items(), ("structure_charge", STRUCTURE), ("structure_discharge", STRUCTURE)])


def write_dataset(data: ElectrodeSet, path: Path | str) -> None:
    """Write a data set; the file appears only when it is complete.

    Raises:
        DataError: The file cannot be written there.
    """
    path = Path(path)
    columns: dict[str, list[Any]] = {name: [getattr(e, name) for e in data] for name in SCALARS}
    columns["structure_charge"] = [_to_arrow(e.host) for e in data]
    columns["structure_discharge"] = [_to_arrow(e.discharged) for e in data]
    metadata = {"ionvolt.format": str(FORMAT), "ionvolt.provenance": json.dumps(data.provenance)}
    table = pa.table(columns, schema=SCHEMA.with_metadata(metadata))
    with atomic_file(path) as part:
        pq.write_table(table, part, compression="zstd")


def read_dataset(path: Path | str) -> ElectrodeSet:
    """Read a data set written by ``write_dataset``.

    Raises:
        DataError: No such file, not Parquet, not a data set of IonVolt, a newer format, or rows that make no sense.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such data set. {_REMEDY}")
    try:
        table = read_parquet(path)
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: not a Parquet file ({reason}). {_REMEDY}") from error
    metadata = table.schema.metadata or {}
    version = metadata.get(b"ionvolt.format", b"").decode("ascii", "replace")
    missing = [name for name in SCHEMA.names if name not in table.schema.names]
    if not version.isdecimal() or missing:
        what = f"without {', '.join(missing)}" if missing else "it carries no format number"
        raise DataError(f"{path}: not a data set of IonVolt ({what}). {_REMEDY}")
    if int(version) > FORMAT:
        raise DataError(f"{path}: format {version} is newer than this IonVolt reads ({FORMAT}). Upgrade IonVolt")
    try:
        provenance = json.loads(metadata.get(b"ionvolt.provenance", b"{}"))
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is not an object")
        return ElectrodeSet(_rows(table.select(SCHEMA.names).cast(SCHEMA)), provenance)
    except (pa.ArrowException, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: its rows make no sense ({error}). {_REMEDY}") from error


def _rows(table: pa.Table) -> list[Electrode]:
    for name in _REQUIRED:
        if table.column(name).null_count:
            raise ValueError(f"{table.column(name).null_count} rows have no {name}")
    scalars = {name: table.column(name).to_pylist() for name in SCALARS}
    hosts = _from_arrow(table.column("structure_charge"), scalars["battery_id"])
    discharged = _from_arrow(table.column("structure_discharge"), scalars["battery_id"])
    return [
        Electrode(**{name: column[i] for name, column in scalars.items()}, host=host, discharged=discharged[i])
        for i, host in enumerate(hosts)
        if host is not None
    ]


def _to_arrow(crystal: Crystal | None) -> dict[str, Any] | None:
    if crystal is None:
        return None
    return {
        "lattice": crystal.lattice.ravel(),
        "numbers": crystal.numbers.astype(np.int16),
        "frac_coords": crystal.frac_coords.ravel(),
    }


def _from_arrow(column: pa.ChunkedArray, sources: list[str]) -> list[Crystal | None]:
    """Crystals as views into the column's flat buffers: no Python object an atom."""
    found: list[Crystal | None] = []
    for chunk in column.chunks:
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        flat: dict[str, Any] = {}
        offsets: dict[str, Any] = {}
        for name in ("lattice", "numbers", "frac_coords"):
            lists = chunk.field(name)
            if lists.values.null_count:
                raise ValueError(f"empty places in {name}")
            flat[name] = lists.values.to_numpy(zero_copy_only=False)
            offsets[name] = lists.offsets.to_numpy()
        if not (np.isfinite(flat["lattice"]).all() and np.isfinite(flat["frac_coords"]).all()):
            raise ValueError("a lattice or coordinate is not a number")
        if flat["numbers"].size and not 0 < flat["numbers"].min() <= flat["numbers"].max() < len(SYMBOLS):
            raise ValueError("an atomic number belongs to no element")
        for i, there in enumerate(valid):
            if not there:
                found.append(None)
                continue
            part = {name: flat[name][offsets[name][i] : offsets[name][i + 1]] for name in flat}
            found.append(
                Crystal(
                    lattice=part["lattice"].reshape(3, 3),
                    numbers=part["numbers"],
                    frac_coords=part["frac_coords"].reshape(-1, 3),
                    source=sources[len(found)],
                )
            )
    return found
