"""The crystals of all tests: ideal ones, known electrodes, the same crystal described differently, and P1 CIFs.

Crystals as text, as authors and programs write it: ``structures/textbook.py``; disordered ones: ``ordering/cells.py``;
electrodes of the α-NaFeO2 kind: ``ionvolt.testing.layered``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import gemmi
import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

FCC = 0.5 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])


def crystal(cell: np.ndarray, symbols: str, sites: list[list[float]], source: str = "made up") -> Crystal:
    return Crystal(cell, np.array([ATOMIC_NUMBERS[s] for s in symbols.split()]), np.array(sites, dtype=float), source)


# Ideal ones, of any metal


def rock_salt(metal: str = "Mg", a: float = 4.2, anion: str = "O") -> Crystal:
    return crystal(a * FCC, f"{metal} {anion}", [[0] * 3, [0.5] * 3], f"{metal}{anion}")


def fluorite(metal: str, a: float = 5.0) -> Crystal:
    return crystal(a * FCC, f"{metal} O O", [[0] * 3, [0.25] * 3, [0.75] * 3])


def perovskite(metal: str, a: float = 3.9, large: str = "Sr") -> Crystal:
    sites = [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return crystal(a * np.eye(3), f"{large} {metal} O O O", sites)


def caesium_chloride(metal: str = "Cs", anion: str = "Cl", a: float = 4.1) -> Crystal:
    return crystal(a * np.eye(3), f"{metal} {anion}", [[0] * 3, [0.5] * 3])


def nickel_aluminide() -> Crystal:
    """Ni3Al, for ASE's EMT."""
    sites = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return crystal(np.eye(3) * 3.57, "Al Ni Ni Ni", sites, "Ni3Al")


def sodium_chloride() -> Crystal:
    """No electrode, but a small ionic crystal."""
    return rock_salt("Na", 5.64, "Cl")


# Known electrodes, typed in from crystallographic tables and rounded


def in_group(group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Structure:
    """The full cell of a space group, by the name in gemmi: pymatgen takes seconds for a cubic one."""
    operations = gemmi.SpaceGroup(group).operations()
    cell = Structure(lattice, [], [])
    for symbol, site in zip(species, sites, strict=True):
        places: list[np.ndarray] = []
        for operation in operations:
            place = np.array(operation.apply_to_xyz(site)) % 1
            if all(np.abs((place - other + 0.5) % 1 - 0.5).max() > 1e-5 for other in places):
                places.append(place)
        for place in places:
            cell.append(symbol, place)
    return cell


def _from_group(group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(in_group(group, lattice, species, sites))


def _primitive(name: str, group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(in_group(group, lattice, species, sites).get_primitive_structure(), source=name)


@cache
def olivine(metal: str = "Fe", ion: str = "Li") -> Crystal:
    """LiFePO4, triphylite."""
    return _primitive(
        "olivine",
        "P n m a",
        Lattice.orthorhombic(10.33, 6.01, 4.69),
        [ion, metal, "P", "O", "O", "O"],
        [[0, 0, 0], [0.282, 0.25, 0.975], [0.095, 0.25, 0.418], [0.097, 0.25, 0.743], [0.457, 0.25, 0.206],
         [0.166, 0.047, 0.285]],
    )  # fmt: skip


@cache
def layered(metal: str = "Co", ion: str = "Li") -> Crystal:
    """LiCoO2, O3 stacking."""
    return _primitive(
        "layered",
        "R -3 m:H",
        Lattice.hexagonal(2.816, 14.05),
        [metal, ion, "O"],
        [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2395]],
    )


@cache
def spinel(ion: str, a: float, u: float = 0.2632, metal: str = "Mn") -> Crystal:
    """LiMn2O4 and its kin, cubic; u is the coordinate of oxygen with the origin at the centre of symmetry
    (the cell below has it on the ion, an eighth of the diagonal away)."""
    return _primitive(
        f"{ion}{metal}2O4 spinel",
        "F d -3 m:1",
        Lattice.cubic(a),
        [ion, metal, "O"],
        [[0, 0, 0], [0.625, 0.625, 0.625], [u + 0.125, u + 0.125, u + 0.125]],
    )


@cache
def disulfide(ion: str = "Li", metal: str = "Ti") -> Crystal:
    """LiTiS2, octahedral lithium between the layers of 1T-TiS2."""
    return _primitive(
        f"{ion}{metal}S2",
        "P -3 m 1",
        Lattice.hexagonal(3.46, 6.19),
        [metal, ion, "S"],
        [[0, 0, 0], [0, 0, 0.5], [1 / 3, 2 / 3, 0.23]],
    )


# Full of equal distances, in conventional cells

IDEAL: dict[str, Crystal] = {
    "rock salt": _from_group("F m -3 m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "spinel": _from_group("F d -3 m:1", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0.125] * 3, [0.5] * 3, [0.2625] * 3]),
    "ideal spinel": _from_group(
        "F d -3 m:1", Lattice.cubic(8.0), ["Mn", "Mn", "O"], [[0.125] * 3, [0.5] * 3, [0.25] * 3]
    ),
    "perovskite": perovskite("Ti"),
    "fluorite": _from_group("F m -3 m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25] * 3]),
    "caesium chloride": caesium_chloride(),
    "bcc": crystal(2.87 * np.eye(3), "Fe Fe", [[0] * 3, [0.5] * 3]),
    "ordered fcc": crystal(3.75 * np.eye(3), "Au Cu Cu Cu", [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "ideal hcp": _from_group(
        "P 63/m m c", Lattice.hexagonal(3.2, 3.2 * (8 / 3) ** 0.5), ["Mg"], [[1 / 3, 2 / 3, 0.25]]
    ),
    "ideal layered": _from_group(
        "R -3 m:H", Lattice.hexagonal(2.9, 2.9 * 24**0.5), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.25]]
    ),
    "double perovskite": _from_group(
        "F m -3 m", Lattice.cubic(7.8), ["Sr", "Mg", "W", "O"], [[0.25] * 3, [0, 0, 0], [0.5] * 3, [0.25, 0, 0]]
    ),
    "layered": _from_group(
        "R -3 m:H", Lattice.hexagonal(2.82, 14.05), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2604]]
    ),
}


def random_crystal(rng: np.random.Generator, n_atoms: int, elements: tuple[int, ...] = (8, 12, 25, 26)) -> Crystal:
    """Atoms anywhere in a skewed cell of some 14 Å^3 an atom, at least 1.2 Å apart."""
    lattice = np.diag(rng.uniform(0.8, 1.3, 3)) + rng.uniform(-0.25, 0.25, (3, 3))
    lattice *= (14 * n_atoms / abs(np.linalg.det(lattice))) ** (1 / 3)
    frac = rng.uniform(0, 1, (1, 3))
    while len(frac) < n_atoms:
        new = rng.uniform(0, 1, 3)
        if np.linalg.norm((frac[None] - new + _AROUND[:, None]) @ lattice, axis=-1).min() > 1.2:
            frac = np.vstack([frac, new])
    return Crystal(lattice, rng.choice(elements, n_atoms), frac)


_AROUND = np.stack(np.meshgrid(*[range(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3)


# The same crystal, drawn at random in another way (``ionvolt.testing.descriptions`` has one of each kind)


def permuted(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    order = rng.permutation(len(crystal))
    return Crystal(crystal.lattice, crystal.numbers[order], crystal.frac_coords[order])


def shifted(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    return Crystal(crystal.lattice, crystal.numbers, crystal.frac_coords + rng.uniform(-3, 3, 3))


def bent(crystal: Crystal, by: float) -> Crystal:
    """Every atom moved at random, along each axis with that deviation in Å."""
    moves = np.random.default_rng(3).normal(0, by, (len(crystal), 3))
    return replace(crystal, frac_coords=crystal.frac_coords + moves @ np.linalg.inv(crystal.lattice))


def rotated(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return Crystal(crystal.lattice @ rotation, crystal.numbers, crystal.frac_coords)


def other_cell(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The same lattice spanned by other, more skewed vectors of the same volume."""
    change = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        shear = np.eye(3, dtype=int)
        shear[i, j] = rng.choice([-1, 1])
        change = shear @ change
    return Crystal(change @ crystal.lattice, crystal.numbers, crystal.frac_coords @ np.linalg.inv(change))


def cif(of: Crystal, name: str = "x", occupancy: float | None = None) -> str:
    """A P1 CIF; an occupancy, if stated, is that of every site of the first element."""
    lengths = np.linalg.norm(of.lattice, axis=1)
    cosines = [of.lattice[i] @ of.lattice[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    angles = np.degrees(np.arccos(cosines))
    text = [f"data_{name}"]
    text += [f"_cell_length_{k} {v:.8f}" for k, v in zip("abc", lengths, strict=True)]
    text += [f"_cell_angle_{k} {v:.8f}" for k, v in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    text += ["_symmetry_space_group_name_H-M 'P 1'", "loop_"]
    text += [f"_atom_site_{k}" for k in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    text += ["_atom_site_occupancy"] if occupancy is not None else []
    for n, (symbol, site) in enumerate(zip(of.symbols, of.frac_coords, strict=True)):
        filled = "" if occupancy is None else f" {occupancy if symbol == of.symbols[0] else 1}"
        text.append(f"{symbol}{n} {symbol} " + " ".join(f"{x:.8f}" for x in site) + filled)
    return "\n".join(text) + "\n"


MG_PEROVSKITE = perovskite("Ti", 3.95, "Mg")
"""Discharged as a Mg electrode: MgTiO3, of which TiO3 is the host."""
