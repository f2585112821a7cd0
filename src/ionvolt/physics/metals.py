"""Cells of the bulk metals of the working ions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

Kind = Literal["bcc", "fcc", "hcp"]


@dataclass(frozen=True)
class MetalCell:
    """The conventional cell of an elemental metal.

    Attributes:
        kind: Lattice.
        a: Lattice parameter in Å.
        c: Height of the hexagonal cell in Å; unused for the cubic ones.
    """

    kind: Kind
    a: float
    c: float = 0.0

    def crystal(self, symbol: str) -> Crystal:
        """The cell filled with an element: 2 atoms, for fcc 4."""
        if self.kind == "hcp":
            lattice = np.array([[1, 0, 0], [-0.5, np.sqrt(3) / 2, 0], [0, 0, self.c / self.a]]) * self.a
            sites = [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]
        else:
            lattice = np.eye(3) * self.a
            sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
            if self.kind == "fcc":
                sites = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        numbers = np.full(len(sites), ATOMIC_NUMBERS[symbol])
        return Crystal(lattice, numbers, np.array(sites, dtype=np.float64), source=f"{symbol} metal")


TEXTBOOK: dict[str, MetalCell] = {
    "Li": MetalCell("bcc", 3.51),
    "Na": MetalCell("bcc", 4.29),
    "K": MetalCell("bcc", 5.33),
    "Rb": MetalCell("bcc", 5.59),
    "Cs": MetalCell("bcc", 6.14),
    "Mg": MetalCell("hcp", 3.21, 5.21),
    "Ca": MetalCell("fcc", 5.59),
    "Zn": MetalCell("hcp", 2.66, 4.95),
    "Al": MetalCell("fcc", 4.05),
    "Y": MetalCell("hcp", 3.65, 5.73),
}
"""Measured cells at room temperature, rounded (CRC Handbook of Chemistry and Physics)."""
