"""Small sets and files to test with; every number in them is made up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.structures import Crystal

ROCK_SALT = """data_made_up
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{metal} M1 0 0 0
{metal} M2 0.5 0.5 0
{metal} M3 0.5 0 0.5
{metal} M4 0 0.5 0.5
O O1 0.5 0 0
O O2 0 0.5 0
O O3 0 0 0.5
O O4 0.5 0.5 0.5
"""


def rock_salt(metal: str = "Ni", a: float = 4.2) -> str:
    """CIF of a cubic oxide."""
    return ROCK_SALT.format(metal=metal, a=a)


def crystal(n_atoms: int = 2, source: str = "made up") -> Crystal:
    rng = np.random.default_rng(n_atoms)
    return Crystal(np.eye(3) * 4 + rng.random((3, 3)), rng.integers(1, 90, n_atoms), rng.random((n_atoms, 3)), source)


def electrode(name: str = "a", ion: str = "Mg", voltage: float = 1.0, **more: Any) -> Electrode:
    facts = {"formula_charge": "NiO", "host": crystal(), "framework": "NiO", "snapshot": "s", "id_charge": name}
    return Electrode(f"{name}_{ion}", ion, voltage, **(facts | more))


def of_frameworks(frameworks: list[str], ions: list[str] | None = None) -> ElectrodeSet:
    """One electrode for each name in the list."""
    host = crystal()
    ions = ions or ["Li"] * len(frameworks)
    return ElectrodeSet(
        [
            electrode(f"row-{i}", ion, voltage=float(i % 5), framework=name, host=host)
            for i, (name, ion) in enumerate(zip(frameworks, ions, strict=True))
        ]
    )


def write_lines(path: Path, cifs: dict[str, str]) -> Path:
    text = "".join(json.dumps({"id": key, "cif": cif}) + "\n" for key, cif in cifs.items())
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def same(one: Electrode, other: Electrode) -> bool:
    """Whether all facts and all coordinates are equal (a structure's source and warnings are not part of a set)."""
    structures = ("host", "discharged")
    for name in Electrode.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        if name not in structures:
            if a != b:
                return False
        elif (a is None) != (b is None) or (
            a is not None
            and not all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("lattice", "numbers", "frac_coords"))
        ):
            return False
    return True
