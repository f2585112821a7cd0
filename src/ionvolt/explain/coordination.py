"""Coordination numbers and nearest shells of the atoms of a crystal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs import CrystalGraph
from ionvolt.structures.crystal import SYMBOLS


def coordination(graph: CrystalGraph) -> tuple[NDArray[np.float64], list[str]]:
    """Hoppe's effective coordination number of each atom and the make-up of its shell.

    A neighbour at d counts exp(1 - (d / l)^6), l being the mean distance weighted in the same way from the shortest.
    """
    d = graph.distances.astype(np.float64)
    shortest = d.min(axis=1, keepdims=True)
    weight = np.exp(1 - (d / shortest) ** 6)
    mean = (d * weight).sum(1, keepdims=True) / weight.sum(1, keepdims=True)
    weight = np.minimum(np.exp(1 - (d / mean) ** 6), 1.0)
    shells = []
    for counted, neighbours in zip(weight > 0.25, graph.neighbours, strict=True):
        symbols, counts = np.unique(graph.numbers[neighbours[counted]], return_counts=True)
        shells.append(" ".join(f"{SYMBOLS[z]}{n}" for z, n in zip(symbols[::-1], counts[::-1], strict=True)))
    return weight.sum(1), shells
