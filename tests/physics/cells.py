"""Known electrodes, typed in from crystallographic tables and rounded."""

from functools import cache

from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from ionvolt.structures.crystal import Crystal


def _crystal(name, group, lattice, species, coords):
    cell = Structure.from_spacegroup(group, lattice, species, coords).get_primitive_structure()
    return Crystal.from_pymatgen(cell, source=name)


@cache
def olivine(metal: str = "Fe", ion: str = "Li") -> Crystal:
    """LiFePO4, triphylite."""
    return _crystal(
        "olivine",
        "Pnma",
        Lattice.orthorhombic(10.33, 6.01, 4.69),
        [ion, metal, "P", "O", "O", "O"],
        [[0, 0, 0], [0.282, 0.25, 0.975], [0.095, 0.25, 0.418], [0.097, 0.25, 0.743], [0.457, 0.25, 0.206],
         [0.166, 0.047, 0.285]],
    )  # fmt: skip


@cache
def layered(metal: str = "Co", ion: str = "Li") -> Crystal:
    """LiCoO2, O3 stacking."""
    return _crystal(
        "layered", "R-3m", Lattice.hexagonal(2.816, 14.05), [metal, ion, "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2395]]
    )


@cache
def spinel(ion: str, a: float, u: float = 0.2632, metal: str = "Mn") -> Crystal:
    """LiMn2O4 and its kin, cubic; u is the coordinate of oxygen with the origin at the centre of symmetry
    (the cell below has it on the ion, an eighth of the diagonal away)."""
    return _crystal(
        f"{ion}{metal}2O4 spinel",
        "Fd-3m",
        Lattice.cubic(a),
        [ion, metal, "O"],
        [[0, 0, 0], [0.625, 0.625, 0.625], [u + 0.125, u + 0.125, u + 0.125]],
    )


@cache
def disulfide(ion: str = "Li", metal: str = "Ti") -> Crystal:
    """LiTiS2, octahedral lithium between the layers of 1T-TiS2."""
    return _crystal(
        f"{ion}{metal}S2",
        "P-3m1",
        Lattice.hexagonal(3.46, 6.19),
        [metal, ion, "S"],
        [[0, 0, 0], [0, 0, 0.5], [1 / 3, 2 / 3, 0.23]],
    )


@cache
def rocksalt() -> Crystal:
    """NaCl: no electrode, but a small ionic crystal."""
    return _crystal("NaCl", "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
