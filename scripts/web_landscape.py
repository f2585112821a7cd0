"""The table of known electrodes that the page draws, from a table of ``ionvolt data``.

    python scripts/web_landscape.py mp2025.parquet --output src/ionvolt/web/data/electrodes.json

Formula of the discharged electrode, id, voltage (V, two digits) and theoretical capacity (mAh/g, computed here from
the formulas) alone; no structures. Whoever passes the table on states where it comes from: data of the Materials
Project are under CC BY 4.0.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pymatgen.core.composition import Composition

from ionvolt.datasets.parquet import read_dataset
from ionvolt.ions import FARADAY, WORKING_IONS

ATTRIBUTION = (
    "Voltages computed by the Materials Project (A. Jain et al., APL Mater. 1, 011002 (2013); materialsproject.org; "
    "CC BY 4.0), {snapshot}; capacities by IonVolt from the formulas."
)
"""Stands below the plot."""


def capacity(discharged: str, charged: str, ion: str) -> float:
    """Theoretical capacity, mAh/g of the discharged electrode."""
    full, empty = Composition(discharged), Composition(charged)
    hosts = [sum(n for element, n in formula.items() if str(element) != ion) for formula in (full, empty)]
    n_ions = float(full[ion] - empty[ion] * hosts[0] / hosts[1])
    return n_ions * WORKING_IONS[ion].charge * FARADAY / (3.6 * float(full.weight))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--snapshot", default="", help="name of the snapshot, for the attribution")
    given = parser.parse_args()
    ions: dict[str, dict[str, list[Any]]] = {}
    skipped = 0
    for electrode in read_dataset(given.table):
        if electrode.formula_discharge is None:
            skipped += 1
            continue
        columns = ions.setdefault(electrode.working_ion, {"formula": [], "id": [], "voltage": [], "capacity": []})
        columns["formula"].append(electrode.formula_discharge)
        columns["id"].append(electrode.id_discharge)
        columns["voltage"].append(round(electrode.average_voltage, 2))
        columns["capacity"].append(
            round(capacity(electrode.formula_discharge, electrode.formula_charge, electrode.working_ion))
        )
    given.output.parent.mkdir(parents=True, exist_ok=True)
    attribution = ATTRIBUTION.format(snapshot=given.snapshot or given.table.stem)
    text = json.dumps({"attribution": attribution, "ions": ions}, separators=(",", ":"), ensure_ascii=False)
    given.output.write_text(text + "\n", encoding="utf-8")
    n = sum(len(columns["id"]) for columns in ions.values())
    print(f"{given.output}: {n} electrodes, {len(text) / 1000:.0f} kB; {skipped} left out")


if __name__ == "__main__":
    main()
