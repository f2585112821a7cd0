"""The one form in which a crystal travels through IonVolt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.reduced_formula import reduced_formula

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure

# Index = atomic number; 0 is no element.
SYMBOLS: tuple[str, ...] = (
    "", "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar",
    "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr",
    "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe",
    "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
    "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra",
    "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db",
    "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
)  # fmt: skip
ATOMIC_NUMBERS: dict[str, int] = {symbol: z for z, symbol in enumerate(SYMBOLS) if symbol}


@dataclass(frozen=True, eq=False)
class Crystal:
    """A periodic, fully ordered crystal.

    Attributes:
        lattice: Cell vectors as rows, shape (3, 3), float64, in Å.
        numbers: Atomic numbers, shape (n_atoms,), int64.
        frac_coords: Fractional coordinates, shape (n_atoms, 3), float64.
        source: Where it came from, as the user would name it (path, id, "Structure").
        warnings: Reservations about the input, in plain words (they travel to the prediction).
        doubts: Those among the warnings that are reasons not to trust what was read, such as a composition other than
            the one that the file states. An answer for such a crystal is not in the domain.
    """

    lattice: NDArray[np.float64]
    numbers: NDArray[np.int64]
    frac_coords: NDArray[np.float64]
    source: str = "structure"
    warnings: tuple[str, ...] = field(default=())
    doubts: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        lattice = np.ascontiguousarray(self.lattice, dtype=np.float64)
        numbers = np.ascontiguousarray(self.numbers, dtype=np.int64)
        frac = np.ascontiguousarray(self.frac_coords, dtype=np.float64)
        if lattice.shape != (3, 3) or numbers.ndim != 1 or frac.shape != (numbers.size, 3):
            raise ValueError(
                f"Crystal needs lattice (3, 3), numbers (n,) and frac_coords (n, 3), "
                f"not {lattice.shape}, {numbers.shape}, {frac.shape}"
            )
        object.__setattr__(self, "lattice", lattice)
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "frac_coords", frac)
        unsaid = [doubt for doubt in self.doubts if doubt not in self.warnings]
        if unsaid:
            object.__setattr__(self, "warnings", (*unsaid, *self.warnings))

    def __len__(self) -> int:
        return int(self.numbers.size)

    @property
    def volume(self) -> float:
        """Cell volume in Å^3."""
        return float(abs(np.linalg.det(self.lattice)))

    @property
    def symbols(self) -> list[str]:
        """Element symbol of each atom."""
        return [SYMBOLS[z] for z in self.numbers]

    @property
    def wrapped(self) -> NDArray[np.float64]:
        """Fractional coordinates moved into the cell by whole lattice vectors, shape (n_atoms, 3)."""
        return self.frac_coords - np.floor(self.frac_coords)

    @property
    def spglib_cell(self) -> tuple[list[list[float]], list[list[float]], list[int]]:
        """Lattice, fractional coordinates and atomic numbers as spglib takes them."""
        return self.lattice.tolist(), self.frac_coords.tolist(), self.numbers.tolist()

    @cached_property
    def composition(self) -> dict[str, int]:
        """Number of atoms of each element in the cell, in order of first appearance."""
        return dict(Counter(self.symbols))

    @cached_property
    def formula(self) -> str:
        """Reduced formula as pymatgen writes it, such as ``LiFePO4``."""
        return reduced_formula(self.composition)

    @classmethod
    def from_pymatgen(cls, structure: Structure, source: str = "Structure") -> Crystal:
        """Take over an ordered pymatgen ``Structure`` (``structures.as_crystal`` checks it first)."""
        return cls(
            lattice=np.array(structure.lattice.matrix),
            numbers=np.array(structure.atomic_numbers),
            frac_coords=np.array(structure.frac_coords),
            source=source,
        )

    def to_pymatgen(self) -> Structure:
        """The same crystal as a pymatgen ``Structure``."""
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        return Structure(Lattice(self.lattice), self.symbols, self.frac_coords)

    @classmethod
    def from_ase(cls, atoms: Atoms, source: str = "Atoms") -> Crystal:
        """Take over ASE ``Atoms`` (``structures.as_crystal`` checks them first)."""
        return cls(
            lattice=np.array(atoms.cell),
            numbers=np.array(atoms.numbers),
            frac_coords=np.array(atoms.get_scaled_positions(wrap=False)),  # type: ignore[no-untyped-call]
            source=source,
        )
