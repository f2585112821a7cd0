"""Made-up records of the Materials Project, and real ones out of a published table."""

from __future__ import annotations

import csv
import json
from itertools import islice
from pathlib import Path
from typing import Any

from ionvolt.structures import read_text
from materials_project import Api, structure


def electrode(number: int, ion: str = "Mg", **more: Any) -> dict[str, Any]:
    """One document, as a builder of the service leaves it: two steps, no functional stated, ids of all phases."""
    ends = [f"mp-{1000 + number}", f"mp-{3000 + number}", f"mp-{5000 + number}"]
    steps = [
        {
            "average_voltage": 1.5 + number / 7,
            "formula_charge": formulas[0],
            "formula_discharge": formulas[1],
            "id_charge": ids[0],
            "id_discharge": ids[1],
            "max_delta_volume": 0.01,
            "fracA_charge": 0.0,
            "fracA_discharge": 0.25,
        }
        for ids, formulas in ((ends[:2], ("NiO", "MgNi2O2")), (ends[1:], ("MgNi2O2", "MgO")))
    ]
    return {
        "material_ids": [*ends, f"mp-{200 + number}", "mvc-1"],
        "working_ion": ion,
        "thermo_type": None,
        "average_voltage": 1.0 + number / 3,
        "formula_charge": "NiO",
        "formula_discharge": "MgO",
        "id_charge": ends[0],
        "id_discharge": ends[2],
        "num_steps": 2,
        "capacity_grav": 100.0 + number / 9,
        "max_delta_volume": 0.0123,
        "stability_charge": 0.03,
        "stability_discharge": 0.0,
        "adj_pairs": steps,
        "warnings": [],
        "last_updated": {"$date": "2025-01-01T00:00:00Z"},
        "host_structure": structure(9.9, "Fe"),
        **more,
    }


def made_up(n: int = 10, ions: tuple[str, ...] = ("Mg",)) -> Api:
    """So many electrodes of each ion; ions share their materials."""
    api = Api([electrode(i, ion) for ion in ions for i in range(n)])
    for i in range(n):
        api.materials[f"mp-{1000 + i}"] = {"structure": structure(4.0 + i / 100, "Ni", "O")}
        api.materials[f"mp-{5000 + i}"] = {"structure": structure(4.1 + i / 100, "Mg", "O")}
    return api


def published_rows(shared_data: Path, ions: tuple[str, ...], n: int) -> list[dict[str, str]]:
    """The first rows of each ion out of the published table."""
    with (shared_data / "electrodes_mp2025.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for ion in ions for row in islice((r for r in rows if r["working_ion"] == ion), n)]


def published(rows: list[dict[str, str]], cifs: dict[str, str]) -> Api:
    """The same records as the service would hold them."""
    numbers = ("average_voltage", "capacity_grav", "max_delta_volume", "stability_charge", "stability_discharge")
    names = ("battery_id", "working_ion", "formula_charge", "formula_discharge", "id_charge", "id_discharge")
    api = Api()
    for row in rows:
        api.electrodes.append(
            {name: row[name] for name in names}
            | {name: float(row[name]) for name in numbers}
            | {"num_steps": int(row["num_steps"]), "adj_pairs": json.loads(row["steps"]), "thermo_type": None}
            | {"material_ids": [row["id_charge"], row["battery_id"].partition("_")[0], row["id_discharge"]]}
        )
        for mp_id in (row["id_charge"], row["id_discharge"]):
            if mp_id not in api.materials:
                crystal = read_text(cifs[mp_id], mp_id, fmt="cif").to_pymatgen()
                api.materials[mp_id] = {"structure": json.loads(json.dumps(crystal.as_dict()))}
    return api
