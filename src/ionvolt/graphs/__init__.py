"""Crystals as graphs: neighbours, element vectors, batches. Knows no voltages and needs no torch."""

from ionvolt.graphs.batch import GraphBatch, collate, iterate_batches
from ionvolt.graphs.graph import CrystalGraph, build_graph
from ionvolt.graphs.neighbours import MAX_NEIGHBOURS, RADIUS, Ties, has_tie, nearest_neighbours

__all__ = [
    "MAX_NEIGHBOURS",
    "RADIUS",
    "CrystalGraph",
    "GraphBatch",
    "Ties",
    "build_graph",
    "collate",
    "has_tie",
    "iterate_batches",
    "nearest_neighbours",
]
