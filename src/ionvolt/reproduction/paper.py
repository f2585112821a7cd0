"""The paper's numbers, and where each of them stands.

Zhang, Zhou, Lu, Shen, npj Comput. Mater. 8, 175 (2022). The text of the preprint gives some errors; the others are what
the authors' published checkpoints store as their best validation error. Both are of the part on which the training
epoch was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number of the paper.

    Attributes:
        value: In V.
        source: Where it stands.
    """

    value: float
    source: str

    def __str__(self) -> str:
        return f"{self.value:.2f} V ({self.source})"


_TEXT = "text"
_STORED = "authors' checkpoint"

TRANSFER = {
    "Li": Number(0.32, _TEXT),
    "Zn": Number(0.47, _TEXT),
    "Mg": Number(0.451, _STORED),
    "Ca": Number(0.403, _STORED),
    "Al": Number(0.680, _STORED),
    "Na": Number(0.508, _STORED),
    "K": Number(0.656, _STORED),
}
"""Mean absolute error of the transfer model, of Li the network itself."""

CLASSICAL = {"Li": Number(0.40, _TEXT)}
"""Of the classical models."""

LI_MODEL = {"Zn": Number(2.14, _TEXT), "Al": Number(1.71, "text: transfer improves by 1.03 V")}
"""Of the Li model applied as it is."""

ENTRIES = {"Li": 2291, "Mg": 393, "Ca": 484, "Zn": 385, "Al": 149, "Na": 328, "K": 125}
"""Electrodes of the Materials Project (Table S1)."""

KEPT = {"Li": 2190, "Mg": 387, "Ca": 471, "Zn": 378, "Al": 149, "Na": 287, "K": 125}
"""Left after trimming."""

FIGURE_2 = {"a": "Li", "b": "Ca", "c": "Mg", "d": "Zn", "e": "Al"}
"""Panels of Fig. 2; the order of the ions is that of its caption."""

OXYGEN_ENVIRONMENTS = 23022
RADIUS_IMPORTANCE = 0.20
FOREST_FEATURES = 273
