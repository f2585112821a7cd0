"""Explanations as files that crystal viewers read."""

from __future__ import annotations

import re

import numpy as np

from ionvolt.explain.local import Explanation


def to_cif(explanation: Explanation) -> str:
    """The host as a P1 CIF with each atom's local voltage (V) in ``_atom_site_ionvolt_local_voltage``."""
    lattice = np.array(explanation.lattice)
    a, b, c = np.linalg.norm(lattice, axis=1)
    angles = [
        np.degrees(np.arccos(lattice[i] @ lattice[j] / np.linalg.norm(lattice[i]) / np.linalg.norm(lattice[j])))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    name = re.sub(r"[^A-Za-z0-9]", "_", explanation.prediction.formula)
    lines = [f"data_{name}", "_space_group_name_H-M_alt 'P 1'"]
    for key, value in zip(("a", "b", "c"), (a, b, c), strict=True):
        lines.append(f"_cell_length_{key} {value:.6f}")
    for key, value in zip(("alpha", "beta", "gamma"), angles, strict=True):
        lines.append(f"_cell_angle_{key} {value:.6f}")
    lines += ["loop_", "_space_group_symop_operation_xyz", "'x, y, z'", "loop_"]
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "ionvolt_local_voltage")
    lines += [f"_atom_site_{column}" for column in columns]
    lines += [
        f"{site.element}{site.index + 1} {site.element} "
        + " ".join(f"{x:.6f}" for x in site.frac_coords)
        + f" 1 {site.local_voltage:.4f}"
        for site in explanation.sites
    ]
    return "\n".join(lines) + "\n"
