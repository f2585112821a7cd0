"""Inputs for VASP, for those who go on to density functional theory."""

from __future__ import annotations

from pathlib import Path

from ionvolt.quiet import silenced
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal


def write_vasp(crystal: Crystal, folder: Path) -> None:
    """Write INCAR, KPOINTS, POSCAR and POTCAR.spec of a Materials Project relaxation (pymatgen's ``MPRelaxSet``).

    ``POTCAR.spec`` names the potentials; the licensed files themselves are the user's.

    Raises:
        InputError: The folder holds an INCAR already, or the set knows no settings for an element.
        OSError: The folder cannot be written.
    """
    from pymatgen.io.vasp.sets import MPRelaxSet

    if (folder / "INCAR").exists():
        raise refusal(str(folder), "there is an INCAR in it already", "Give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    structure = crystal.to_pymatgen().get_sorted_structure()
    try:
        with silenced():
            MPRelaxSet(structure).write_input(str(folder), potcar_spec=True)
    except (KeyError, ValueError) as error:
        raise refusal(
            crystal.source, f"no VASP settings for it ({error})", "Write the input by hand for these elements"
        ) from error
