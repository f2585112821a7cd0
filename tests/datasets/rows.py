"""Hand-made electrodes and the files that they are imported from."""

import json

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.structures.crystal import Crystal


def rock_salt(metal: int = 12, anion: int = 8, a: float = 4.2) -> Crystal:
    """The primitive cell, two atoms."""
    lattice = 0.5 * a * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Crystal(lattice, np.array([metal, anion]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))


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


CIF = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{metal}1 {metal} 0 0 0 {occupancy}
{anion}1 {anion} 0.5 0.5 0.5 1
"""


def cif(metal: str = "Cs", anion: str = "Cl", a: float = 4.1, occupancy: float = 1, name: str = "x") -> str:
    return CIF.format(metal=metal, anion=anion, a=a, occupancy=occupancy, name=name)


def lines(**texts: str) -> str:
    return "".join(json.dumps({"id": key, "cif": text}) + "\n" for key, text in texts.items())


def same_crystal(one: Crystal | None, other: Crystal | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(getattr(one, k), getattr(other, k)) for k in ("lattice", "numbers", "frac_coords"))
