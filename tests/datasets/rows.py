"""Hand-made electrodes and the files that they are imported from."""

import json

import numpy as np

from crystals import rock_salt
from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.structures.crystal import Crystal

HOST = rock_salt()


def electrode(number: int, ion: str = "Li", voltage: float = 1.0, framework: str = "MgO", **more) -> Electrode:
    facts = {
        "battery_id": f"b{number}",
        "working_ion": ion,
        "average_voltage": voltage,
        "formula_charge": framework,
        "host": HOST,
        "framework": framework,
        "snapshot": "s",
        "id_charge": f"h{number}",
    }
    return Electrode(**(facts | more))


def electrodes(voltages, ion: str = "Li") -> list[Electrode]:
    return [electrode(n, ion, v, battery_id=f"{ion}{n}", id_charge=f"{ion}{n}") for n, v in enumerate(voltages)]


def electrode_set(*groups) -> ElectrodeSet:
    return ElectrodeSet([row for group in groups for row in group])


def lines(**texts: str) -> str:
    return "".join(json.dumps({"id": key, "cif": text}) + "\n" for key, text in texts.items())


def same_crystal(one: Crystal | None, other: Crystal | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(getattr(one, k), getattr(other, k)) for k in ("lattice", "numbers", "frac_coords"))
