"""Explanations as files that crystal viewers read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.explain.explanation import Explanation
from ionvolt.store import write_json, write_text


def to_cif(explanation: Explanation) -> str:
    """The crystal as a P1 CIF with each atom's contribution and local voltage (V).

    They stand in ``_atom_site_ionvolt_contribution`` and ``_atom_site_ionvolt_local_voltage``; the model, its voltage
    and the remainder in ``_ionvolt_model``, ``_ionvolt_voltage`` and ``_ionvolt_remainder``.
    """
    lattice = np.array(explanation.lattice)
    a, b, c = np.linalg.norm(lattice, axis=1)
    angles = [
        np.degrees(np.arccos(lattice[i] @ lattice[j] / np.linalg.norm(lattice[i]) / np.linalg.norm(lattice[j])))
        for i, j in ((1, 2), (0, 2), (0, 1))
    ]
    name = re.sub(r"[^A-Za-z0-9]", "_", explanation.prediction.formula)
    p = explanation.prediction
    lines = [f"data_{name}", "_space_group_name_H-M_alt 'P 1'"]
    model = re.sub(r"[^A-Za-z0-9._-]", "_", p.model)
    lines += [f"_ionvolt_model '{model}'", f"_ionvolt_working_ion '{p.working_ion}'"]
    lines += [f"_ionvolt_voltage {p.voltage:.4f}", f"_ionvolt_remainder {explanation.remainder:.4f}"]
    for key, value in zip(("a", "b", "c"), (a, b, c), strict=True):
        lines.append(f"_cell_length_{key} {value:.6f}")
    for key, value in zip(("alpha", "beta", "gamma"), angles, strict=True):
        lines.append(f"_cell_angle_{key} {value:.6f}")
    lines += ["loop_", "_space_group_symop_operation_xyz", "'x, y, z'", "loop_"]
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "ionvolt_contribution",
               "ionvolt_local_voltage")  # fmt: skip
    lines += [f"_atom_site_{column}" for column in columns]
    lines += [
        f"{site.element}{site.index + 1} {site.element} "
        + " ".join(f"{x:.6f}" for x in site.frac_coords)
        + f" 1 {site.contribution:.6f} {site.local_voltage:.4f}"
        for site in explanation.sites
    ]
    return "\n".join(lines) + "\n"


def to_extxyz(explanation: Explanation) -> str:
    """The crystal as extended XYZ with ``contribution`` and ``local_voltage`` (V) of each atom.

    OVITO, ASE and others read it; OVITO colours the atoms by any of its columns.
    """
    p = explanation.prediction
    lattice = " ".join(f"{x:.8f}" for vector in explanation.lattice for x in vector)
    columns = "species:S:1:pos:R:3:contribution:R:1:local_voltage:R:1"
    model = re.sub(r"[^A-Za-z0-9._-]", "_", p.model)
    head = (
        f'Lattice="{lattice}" Properties={columns} pbc="T T T" ionvolt_voltage={p.voltage:.4f} '
        f"ionvolt_ion={p.working_ion} ionvolt_model={model} ionvolt_remainder={explanation.remainder:.4f}"
    )
    atoms = [
        f"{site.element} {' '.join(f'{x:.6f}' for x in site.cart_coords)} "
        f"{site.contribution:.6f} {site.local_voltage:.4f}"
        for site in explanation.sites
    ]
    return "\n".join([str(len(atoms)), head, *atoms]) + "\n"


def to_structure_json(explanation: Explanation) -> dict[str, Any]:
    """The crystal as pymatgen's JSON of a ``Structure``, with what its atoms add (V) as properties of its sites.

    ``pymatgen.core.Structure.from_dict`` and viewers that are built on it read it.
    """
    from pymatgen.core.structure import Structure

    sites = explanation.sites
    columns = ("contribution", "contribution_std", "contribution_potential", "local_voltage", "local_voltage_std",
               "linear_voltage")  # fmt: skip
    table = {name: [getattr(site, name) for site in sites] for name in columns}
    structure = Structure(
        explanation.lattice,
        [site.element for site in sites],
        [site.frac_coords for site in sites],
        site_properties={
            name: [round(value, 6) for value in values] for name, values in table.items() if values[0] is not None
        },
    )
    content: dict[str, Any] = structure.as_dict()
    return content


def stem_of(explanation: Explanation, before: str = "") -> str:
    """How files of an explanation are named: after the formula and the ion, with ``before`` in front."""
    p = explanation.prediction
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{before}{p.formula}-{p.working_ion}")


def write_all(explanation: Explanation, folder: Path, stem: str = "") -> list[Path]:
    """Write figure, numbers and crystals of an explanation into a folder; returns the files.

    They are named ``stem``, by default ``stem_of`` the explanation, with ``.png``, ``.json``, ``.cif``,
    ``.extxyz`` and ``.structure.json`` behind.
    """
    from ionvolt.explain.drawing import draw_explanation
    from ionvolt.explain.figures import save

    stem = stem or stem_of(explanation)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{stem}{ending}" for ending in (".png", ".json", ".cif", ".extxyz", ".structure.json")]
    save(draw_explanation(explanation=explanation), files[0])
    write_json(files[1], explanation.to_dict())
    write_text(files[2], to_cif(explanation))
    write_text(files[3], to_extxyz(explanation))
    write_json(files[4], to_structure_json(explanation), indent=None)
    return files
