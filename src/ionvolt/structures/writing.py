"""Crystals as files that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ionvolt.store import write_text
from ionvolt.structures.crystal import Crystal

WriteFormat = Literal["cif", "poscar"]

ENDINGS: dict[WriteFormat, str] = {"cif": ".cif", "poscar": ".vasp"}
_DIGITS = 8


def structure_text(crystal: Crystal, fmt: WriteFormat) -> str:
    """A crystal as a CIF in P 1 or as a POSCAR, every atom of the cell listed; a POSCAR has its elements together."""
    structure = crystal.to_pymatgen()
    if fmt == "cif":
        from pymatgen.io.cif import CifWriter

        return str(CifWriter(structure, significant_figures=_DIGITS))
    from pymatgen.io.vasp.inputs import Poscar

    return str(Poscar(structure, sort_structure=True).get_str(significant_figures=_DIGITS + 4))


def write_structure(crystal: Crystal, path: Path, fmt: WriteFormat) -> None:
    """Write a crystal; the folder is made where it is not there.

    Raises:
        OSError: The file cannot be written.
    """
    write_text(path, structure_text(crystal, fmt))
