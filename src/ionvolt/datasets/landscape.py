"""The table of known electrodes that the page draws beside a prediction: formulas, voltages, capacities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ionvolt.datasets.records import Electrode, ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.ions import FARADAY, WORKING_IONS

COLUMNS = ("formula", "id", "voltage", "capacity")
"""Of each ion, one list each: formula of the discharged electrode, its id, V, mAh/g of the discharged electrode."""


def theoretical_capacity(discharged: str, charged: str, ion: str) -> float:
    """Capacity between two formulas, mAh/g of the discharged electrode."""
    from pymatgen.core.composition import Composition

    full, empty = Composition(discharged), Composition(charged)
    hosts = [sum(n for element, n in formula.items() if str(element) != ion) for formula in (full, empty)]
    n_ions = float(full[ion] - empty[ion] * hosts[0] / hosts[1])
    return n_ions * WORKING_IONS[ion].charge * FARADAY / (3.6 * float(full.weight))


def landscape_table(data: ElectrodeSet) -> dict[str, Any]:
    """Known electrodes by ion, and whom they are owed to, as plain JSON types.

    Electrodes without a discharged formula are left out.

    Raises:
        DataError: None is left.
    """
    ions: dict[str, dict[str, list[Any]]] = {}
    snapshots = set()
    for electrode in data:
        if electrode.formula_discharge is None:
            continue
        columns = ions.setdefault(electrode.working_ion, {name: [] for name in COLUMNS})
        for name, value in zip(COLUMNS, _row(electrode), strict=True):
            columns[name].append(value)
        snapshots.add(electrode.snapshot)
    if not ions:
        raise DataError("no electrode with a discharged formula. Import a table that states formula_discharge")
    return {"attribution": _attribution(data, sorted(snapshots - {""})), "ions": ions}


def write_landscape(data: ElectrodeSet, path: Path) -> int:
    """Write the table; returns how many electrodes it holds.

    Raises:
        DataError: It cannot be written, or there is nothing to write.
    """
    table = landscape_table(data)
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}). Name a file to write") from error
    return sum(len(columns["id"]) for columns in table["ions"].values())


def _row(electrode: Electrode) -> tuple[str, str, float, int]:
    assert electrode.formula_discharge is not None
    capacity = theoretical_capacity(electrode.formula_discharge, electrode.formula_charge, electrode.working_ion)
    name = electrode.id_discharge or electrode.battery_id
    return electrode.formula_discharge, name, round(electrode.average_voltage, 2), round(capacity)


def _attribution(data: ElectrodeSet, snapshots: list[str]) -> str:
    """Stands below the plot: data that are passed on name their source."""
    owed = str(data.provenance.get("attribution") or "").rstrip(".")
    of = f"snapshot {', '.join(snapshots)}" if snapshots else ""
    parts = [part for part in (owed or "Voltages from a table of this server", of) if part]
    return f"{', '.join(parts)}; capacities from the formulas."
