"""Ideal crystals, full of equal distances, and ways to write the same crystal differently."""

import numpy as np
from pymatgen.core import Lattice, Structure

from ionvolt.structures.crystal import Crystal


def _from_group(group: str, lattice: Lattice, species: list[str], sites: list[list[float]]) -> Crystal:
    return Crystal.from_pymatgen(Structure.from_spacegroup(group, lattice, species, sites))


def cubic(a: float, *atoms: tuple[int, float, float, float]) -> Crystal:
    return Crystal(np.eye(3) * a, np.array([z for z, *_ in atoms]), np.array([f for _, *f in atoms]).reshape(-1, 3))


IDEAL: dict[str, Crystal] = {
    "rock salt": _from_group("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "spinel": _from_group("Fd-3m", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0.125] * 3, [0.5] * 3, [0.2625] * 3]),
    "ideal spinel": _from_group("Fd-3m", Lattice.cubic(8.0), ["Mn", "Mn", "O"], [[0.125] * 3, [0.5] * 3, [0.25] * 3]),
    "perovskite": cubic(3.9, (38, 0, 0, 0), (22, 0.5, 0.5, 0.5), (8, 0.5, 0.5, 0), (8, 0.5, 0, 0.5), (8, 0, 0.5, 0.5)),
    "fluorite": _from_group("Fm-3m", Lattice.cubic(5.46), ["Ca", "F"], [[0, 0, 0], [0.25] * 3]),
    "caesium chloride": cubic(4.1, (55, 0, 0, 0), (17, 0.5, 0.5, 0.5)),
    "bcc": cubic(2.87, (26, 0, 0, 0), (26, 0.5, 0.5, 0.5)),
    "ordered fcc": cubic(3.75, (79, 0, 0, 0), (29, 0, 0.5, 0.5), (29, 0.5, 0, 0.5), (29, 0.5, 0.5, 0)),
    "ideal hcp": _from_group("P6_3/mmc", Lattice.hexagonal(3.2, 3.2 * (8 / 3) ** 0.5), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    "ideal layered": _from_group(
        "R-3m", Lattice.hexagonal(2.9, 2.9 * 24**0.5), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.25]]
    ),
    "double perovskite": _from_group(
        "Fm-3m", Lattice.cubic(7.8), ["Sr", "Mg", "W", "O"], [[0.25] * 3, [0, 0, 0], [0.5] * 3, [0.25, 0, 0]]
    ),
    "layered": _from_group(
        "R-3m", Lattice.hexagonal(2.82, 14.05), ["Li", "Co", "O"], [[0, 0, 0.5], [0, 0, 0], [0, 0, 0.2604]]
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


def brute_force(crystal: Crystal, radius: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each atom the indices and distances of all its neighbours, nearest first, by plain enumeration."""
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    frac = crystal.frac_coords - np.floor(crystal.frac_coords)
    reach = np.ceil(radius / heights).astype(int) + 1
    cells = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, 3)
    found = []
    for i in range(len(crystal)):
        vectors = (frac[None] - frac[i] + cells[:, None]) @ crystal.lattice
        distances = np.linalg.norm(vectors, axis=-1)
        distances[(cells == 0).all(1), i] = np.inf
        _, atom = np.nonzero(distances <= radius + 1e-6)
        near = distances[distances <= radius + 1e-6]
        order = np.argsort(near, kind="stable")
        found.append((atom[order], near[order]))
    return found


def permuted(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    order = rng.permutation(len(crystal))
    return Crystal(crystal.lattice, crystal.numbers[order], crystal.frac_coords[order])


def shifted(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    return Crystal(crystal.lattice, crystal.numbers, crystal.frac_coords + rng.uniform(-3, 3, 3))


def rotated(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return Crystal(crystal.lattice @ rotation, crystal.numbers, crystal.frac_coords)


def supercell(crystal: Crystal, na: int, nb: int, nc: int) -> Crystal:
    cells = np.stack(np.meshgrid(range(na), range(nb), range(nc), indexing="ij"), -1).reshape(-1, 3)
    frac = (crystal.frac_coords[:, None] + cells).reshape(-1, 3) / [na, nb, nc]
    repeats = np.array([[na], [nb], [nc]])
    return Crystal(crystal.lattice * repeats, np.repeat(crystal.numbers, len(cells)), frac)


def other_cell(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The same lattice spanned by other, more skewed vectors of the same volume."""
    change = np.eye(3, dtype=int)
    for _ in range(3):
        i, j = rng.permutation(3)[:2]
        shear = np.eye(3, dtype=int)
        shear[i, j] = rng.choice([-1, 1])
        change = shear @ change
    return Crystal(change @ crystal.lattice, crystal.numbers, crystal.frac_coords @ np.linalg.inv(change))
