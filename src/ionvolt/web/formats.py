"""A crystal in the formats that other programs read, and what its elements' oxidation states may be."""

from __future__ import annotations

import json
from typing import Any

from ionvolt.structures import Crystal
from ionvolt.structures.writing import structure_text

MOST_SITES = 40
"""Atoms of a formula whose oxidation states are guessed; the combinations of more are too many."""


def formats_of(crystal: Crystal) -> dict[str, Any]:
    """Formula, atoms, files by format and guessed oxidation states, plain JSON types."""
    return {
        "formula": crystal.formula,
        "n_atoms": len(crystal),
        "cif": structure_text(crystal, "cif"),
        "poscar": structure_text(crystal, "poscar"),
        "extxyz": extended_xyz(crystal),
        "pymatgen": json.dumps(crystal.to_pymatgen().as_dict()),
        "oxidation": guessed_oxidation(crystal),
    }


def extended_xyz(crystal: Crystal) -> str:
    """Extended XYZ, as ASE and OVITO read it; positions in Å."""
    lattice = " ".join(f"{x:.10f}" for x in crystal.lattice.ravel())
    lines = [str(len(crystal)), f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"']
    places = crystal.frac_coords @ crystal.lattice
    lines += [f"{s} {x:.8f} {y:.8f} {z:.8f}" for s, (x, y, z) in zip(crystal.symbols, places, strict=True)]
    return "\n".join(lines) + "\n"


def guessed_oxidation(crystal: Crystal) -> dict[str, float] | None:
    """Mean oxidation state of each element, guessed from the formula; None where none balances or it is too large."""
    from pymatgen.core.composition import Composition

    reduced = Composition(crystal.composition).reduced_composition
    if reduced.num_atoms > MOST_SITES:
        return None
    guesses = reduced.oxi_state_guesses()
    return {str(element): float(state) for element, state in guesses[0].items()} if guesses else None
