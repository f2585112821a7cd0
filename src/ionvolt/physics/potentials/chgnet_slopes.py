"""The way back through CHGNet: slopes of the energy by positions and strain (see ``chgnet_inference``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet_inference import Pass
from ionvolt.physics.potentials.chgnet_linear import Array
from ionvolt.physics.potentials.chgnet_messages import WIDTH
from ionvolt.physics.potentials.chgnet_weights import Layer


@dataclass(frozen=True, eq=False)
class Slopes:
    """First derivatives of the energy of all crystals of a graph.

    Attributes:
        by_position: Shape (n_atoms, 3), eV/Å.
        by_strain: Shape (3, 3), eV.
    """

    by_position: NDArray[np.float64]
    by_strain: NDArray[np.float64]


def slopes_of(forward: Pass) -> Slopes:
    """Slopes of the energy, once for each way forward, which must have kept everything."""
    back = _Back(forward)
    for number in reversed(range(len(forward.weights.atom_layers))):
        back.angles(number)
        back.bonds(number)
        back.atoms(number)
    return back.slopes()


class _Back:
    """Gradients of the vectors that atoms, bonds and angles have at one stage after the other, backwards."""

    def __init__(self, forward: Pass) -> None:
        self.forward, self.weights, self.graph = forward, forward.weights, forward.graph
        n_bonds, short = len(forward.lengths), self.graph.n_short
        self.by_atoms = self._readout()
        self.by_bonds = _zeros(short, WIDTH)
        self.by_angles = _zeros(self.graph.angles.size, WIDTH)
        self.by_atom_weights = _zeros(n_bonds, WIDTH)
        self.by_bond_weights = _zeros(short, WIDTH)
        self.by_lengths = _zeros(n_bonds, len(self.weights.bonds.matrix) + 1)
        self.by_pairs = _zeros(self.graph.pairs.shape[1], len(self.weights.angles.matrix))

    def _readout(self) -> Array:
        """Gradient of the vectors after the last convolution."""
        weights, forward = self.weights, self.forward
        d: Array = np.repeat(weights.readout[-1][0].turned, len(self.graph.numbers), axis=0)
        for (linear, _), slope in zip(reversed(weights.readout[:-1]), reversed(forward.steps), strict=True):
            d = linear.back(d * slope)
        if weights.norm is not None:
            d = d * weights.norm[0]
            along = (d * forward.normal).mean(1, keepdims=True)
            d -= d.mean(1, keepdims=True) + forward.normal * along
            d *= forward.inverse
        return d

    def angles(self, number: int) -> None:
        """Through an update of angles, where there is one."""
        if number < len(self.weights.angle_layers) and self.graph.angles.size:
            self._along_angles(self.weights.angle_layers[number], self.by_angles)
            if not number:
                one, other = self.graph.angles
                self.by_pairs += self.weights.angles.back(self.by_angles[one] + self.by_angles[other])

    def bonds(self, number: int) -> None:
        """Through a convolution of bonds, where there is one."""
        if number < len(self.weights.bond_layers) and self.graph.angles.size:
            layer = self.weights.bond_layers[number]
            by_sum = layer.out.back(self.by_bonds)
            self.by_bond_weights += by_sum * self.forward.sums.pop()
            by_sum *= self.forward.bond_weights
            self._along_angles(layer, np.concatenate([by_sum, by_sum]), self.by_bond_weights)

    def _along_angles(self, layer: Layer, by_out: Array, by_weights: Array | None = None) -> None:
        messages, (first, second, own, center) = self.forward.passed.pop(), layer.parts
        of_pairs = messages.tables.own is None
        by_third = _zeros(self.graph.pairs.shape[1], 2 * WIDTH) if of_pairs else self.by_angles
        by_base, by_second = messages.back(by_out, by_third, by_weights)
        if of_pairs:
            self.by_pairs += own.back(by_third)
        short = len(self.by_bonds)
        self.by_bonds += first.back(by_base[:short] + by_base[short:]) + second.back(by_second)
        order, atoms, begins = self.forward.by_center
        self.by_atoms[atoms] += center.back(np.add.reduceat(by_base[order], begins))

    def atoms(self, number: int) -> None:
        """Through a convolution of atoms. What elements are at first has no slope."""
        layer, table = self.weights.atom_layers[number], self.weights.bond_tables[number]
        center, bond, neighbour = layer.parts
        by_neighbours = _zeros(len(self.by_atoms), 2 * WIDTH)
        by_centers, by_table = self.forward.passed.pop().back(
            layer.out.back(self.by_atoms), by_neighbours, self.by_atom_weights
        )
        if number:
            self.by_atoms = self.by_atoms + center.back(by_centers) + neighbour.back(by_neighbours)
        if number and self.graph.angles.size:
            self.by_bonds += bond.back(by_table[: self.graph.n_short])
            by_table[: self.graph.n_short] = 0
        self.by_lengths += table.back(by_table)

    def slopes(self) -> Slopes:
        """Through the functions of lengths and angles to the atoms."""
        forward, weights, graph, short = self.forward, self.weights, self.graph, self.graph.n_short
        by_lengths = self.by_lengths[:, :-1]  # the last number is none of a length
        by_lengths += weights.atom_weights.back(self.by_atom_weights)
        by_lengths[:short] += weights.bonds.back(self.by_bonds)
        lengths, arrows = forward.lengths, forward.arrows
        along = weights.long.slopes(lengths, _turned(by_lengths))
        across = np.zeros_like(arrows)
        if graph.angles.size:
            by_short = _turned(weights.bond_weights.back(self.by_bond_weights))
            along[:short] += weights.short.slopes(lengths[:short], by_short)
            across[:short] = self._by_arrows()
            across -= arrows * np.einsum("ij,ij->i", across, arrows)[:, None]
        by_vector = arrows * along[:, None] + across / lengths[:, None]
        by_position = np.empty((len(graph.numbers), 3))
        for axis in range(3):
            to, back = (np.bincount(end, by_vector[:, axis], len(by_position)) for end in graph.ends)
            by_position[:, axis] = to - back
        return Slopes(by_position, graph.vectors.T @ by_vector)

    def _by_arrows(self) -> NDArray[np.float64]:
        """Gradient of the directions of short bonds, shape (n_short, 3)."""
        forward, (first, second), short = self.forward, self.graph.pairs, self.graph.n_short
        by_cosine = self.weights.angle.slopes(forward.cosines, forward.angles, _turned(self.by_pairs))
        found = np.empty((short, 3))
        for axis, along in enumerate(forward.directed.T):
            d = np.bincount(first, by_cosine * along[second], 2 * short)
            d += np.bincount(second, by_cosine * along[first], 2 * short)
            found[:, axis] = d[:short] - d[short:]
        return found


def _zeros(n: int, width: int) -> Array:
    return np.zeros((n, width), dtype=np.float32)


def _turned(rows: Array) -> Array:
    return np.ascontiguousarray(rows.T)
