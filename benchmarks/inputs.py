"""CIF texts and targets to measure on: the published Na crystals where they are, textbook cells elsewhere."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.io.cif import CifWriter

N_GENERATED = 255
MOST_ATOMS = 64


@dataclass(frozen=True)
class Inputs:
    """Texts of CIFs with voltages in V, and where they are from."""

    texts: list[str]
    targets: NDArray[np.float64]
    origin: str


def load(folder: Path | None) -> Inputs:
    """The CIFs of ``folder``; without one the Na crystals of the shared data, or else generated cells."""
    if folder is None:
        beside = Path(__file__).resolve().parents[2] / "shared" / "data"
        folder = Path(os.environ.get("IONVOLT_SHARED_DATA", beside)) / "na_cgcnn"
        if not folder.is_dir():
            texts = generate(N_GENERATED)
            return Inputs(texts, _random_targets(len(texts)), "generated textbook cells")
    paths = sorted(folder.glob("*.cif"))
    if len(paths) < 16:
        raise SystemExit(f"{folder}: {len(paths)} CIFs are too few to measure on; give a folder with at least 16")
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return Inputs(texts, _targets(folder, paths), f"CIFs of {folder.name}")


def generate(n: int) -> list[str]:
    """CIFs of supercells of textbook crystals, strained and every atom displaced (so that no distances tie)."""
    rng = np.random.default_rng(0)
    cells = _textbook()
    texts = []
    for index in range(n):
        structure = cells[index % len(cells)].copy()
        while True:
            axis = int(np.argmin(structure.lattice.abc))
            if 2 * len(structure) > MOST_ATOMS or rng.random() < 0.3:
                break
            structure.make_supercell([2 if a == axis else 1 for a in range(3)])
        structure.apply_strain(rng.uniform(-0.02, 0.04, 3))
        moved = structure.cart_coords + rng.normal(0.0, 0.06, (len(structure), 3))
        texts.append(str(CifWriter(Structure(structure.lattice, structure.species, moved, coords_are_cartesian=True))))
    return texts


def _textbook() -> list[Structure]:
    def cell(group: str, lattice: Lattice, *sites: tuple[str, tuple[float, float, float]]) -> Structure:
        return Structure.from_spacegroup(group, lattice, [s for s, _ in sites], [xyz for _, xyz in sites])

    cubic, tetragonal, hexagonal = Lattice.cubic, Lattice.tetragonal, Lattice.hexagonal
    origin, half = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)
    cells = [cell("Fm-3m", cubic(a), (m, origin), ("O", half)) for m, a in (("Mn", 4.44), ("Fe", 4.33), ("Ni", 4.18))]
    cells += [
        cell("P4_2/mnm", tetragonal(a, c), (m, origin), ("O", (0.305, 0.305, 0.0)))
        for m, a, c in (("Ti", 4.59, 2.96), ("V", 4.55, 2.86), ("Mn", 4.40, 2.87))
    ]
    cells += [
        cell("P-3m1", hexagonal(a, c), (m, origin), (x, (1 / 3, 2 / 3, 0.25)))
        for m, x, a, c in (("Ti", "S", 3.41, 5.70), ("Nb", "Se", 3.45, 6.27), ("Co", "O", 2.82, 4.29))
    ]
    cells += [
        cell("Pm-3m", cubic(a), (m, origin), (t, half), (x, (0.5, 0.5, 0.0)))
        for m, t, x, a in (("Sr", "Ti", "O", 3.91), ("La", "Mn", "O", 3.88), ("K", "Fe", "F", 4.12))
    ]
    cells += [cell("Fd-3m:2", cubic(a), (m, half), ("O", (0.2631,) * 3)) for m, a in (("Mn", 8.03), ("Ti", 8.45))]
    cells += [
        cell("Fm-3m", cubic(a), (m, origin), (x, (0.25,) * 3)) for m, x, a in (("Ca", "F", 5.46), ("Ce", "O", 5.41))
    ]
    cells += [
        cell("R-3c", hexagonal(a, c), (m, (0.0, 0.0, 0.352)), ("O", (0.306, 0.0, 0.25)))
        for m, a, c in (("Al", 4.76, 12.99), ("Fe", 5.04, 13.75), ("Cr", 4.96, 13.59))
    ]
    return cells


def _targets(folder: Path, paths: list[Path]) -> NDArray[np.float64]:
    table = folder / "id_prop.csv"
    if table.exists():
        with table.open(encoding="utf-8") as file:
            known = {row[0]: float(row[1]) for row in csv.reader(file) if len(row) > 1}
        if all(path.stem in known for path in paths):
            return np.array([known[path.stem] for path in paths])
    return _random_targets(len(paths))


def _random_targets(n: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(2.5, 1.0, n)
