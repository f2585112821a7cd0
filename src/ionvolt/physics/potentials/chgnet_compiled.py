"""CHGNet on the processor, compiled: crystals in, answers out, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from ionvolt.physics.potentials.chgnet_graph import graph_of
from ionvolt.physics.potentials.chgnet_inference import Pass
from ionvolt.physics.potentials.chgnet_messages import Room
from ionvolt.physics.potentials.chgnet_slopes import slopes_of
from ionvolt.physics.potentials.chgnet_weights import Weights
from ionvolt.physics.potentials.interface import Forces, PotentialOutput
from ionvolt.structures.crystal import Crystal


class CompiledNetwork:
    """A network as it answers. One object serves many threads, each in a room of its own."""

    def __init__(self, weights: Weights) -> None:
        """Take over the weights."""
        self.weights = weights
        self._rooms: list[Room] = []

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies, atom vectors and moments of crystals side by side."""
        graph = graph_of(crystals, self.weights.cutoff, self.weights.angle_cutoff)
        with self._room() as room:
            forward = Pass(self.weights, graph, room)
        n_before = len(self.weights.bond_layers)
        features = np.stack([*forward.stages[:n_before], forward.stages[-1]], axis=1)
        moments = forward.moments()
        return [
            PotentialOutput(float(forward.energies[one].sum()), features[one].copy(), moments[one].copy())
            for one in (slice(begin, end) for begin, end in pairwise(graph.begins.tolist()))
        ]

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal."""
        graph = graph_of([crystal], self.weights.cutoff, self.weights.angle_cutoff)
        with self._room() as room:
            forward = Pass(self.weights, graph, room, keep=True)
            slopes = slopes_of(forward)
        stress = slopes.by_strain / crystal.volume
        return Forces(float(forward.energies.sum()), -slopes.by_position, (stress + stress.T) / 2)

    @contextmanager
    def _room(self) -> Iterator[Room]:
        try:
            room = self._rooms.pop()
        except IndexError:
            room = Room()
        try:
            yield room
        finally:
            room.leave()
            self._rooms.append(room)
