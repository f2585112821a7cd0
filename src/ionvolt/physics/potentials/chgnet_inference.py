"""CHGNet as it answers on the processor: energies, vectors, moments and slopes without PyTorch.

The network of Deng et al. (see ``chgnet``) is written out, forward and back. Where two matrices follow one another with
nothing between them, their product stands here; bonds that make no angles never change, so that they are multiplied only as
the functions of their lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet_graph import Graph
from ionvolt.physics.potentials.chgnet_messages import WIDTH, Array, Messages, Room, Tables
from ionvolt.physics.potentials.chgnet_weights import Layer, Weights


@dataclass(frozen=True, eq=False)
class Slopes:
    """First derivatives of the energy of all crystals of a graph, without the elements' energies.

    Attributes:
        by_position: Shape (n_atoms, 3), eV/Å.
        by_strain: Shape (3, 3), eV.
    """

    by_position: NDArray[np.float64]
    by_strain: NDArray[np.float64]


class Pass:
    """One way through the network, and back again if ``keep`` is set.

    Attributes:
        energies: Of each atom, eV, shape (n_atoms,), float64.
        stages: Vectors of atoms after each convolution, and after the norm before the last network if there is one.
    """

    def __init__(self, weights: Weights, graph: Graph, room: Room, *, keep: bool = False) -> None:
        """Go forward."""
        self.weights, self.graph, self.room, self.keep = weights, graph, room, keep
        self._bases()
        self.energies = weights.references[graph.numbers - 1] + self._forward()

    def _bases(self) -> None:
        """Functions of lengths and angles, and what comes of them at once."""
        weights, graph = self.weights, self.graph
        short = graph.n_short
        self.lengths = np.sqrt((graph.vectors**2).sum(1))
        self.arrows = graph.vectors / self.lengths[:, None]
        self.bonds = np.vstack([weights.long(self.lengths), graph.bent.astype(np.float32)])
        self.atom_weights = self.bonds[:-1].T @ weights.atom_weights
        self.bond_tables = np.matmul(self.bonds.T, weights.bond_tables)
        if graph.partner.size:
            near = self.arrows[:short]
            self.directed = np.concatenate([near, -near])
            self.first = np.repeat(np.arange(2 * short), np.diff(graph.at_bonds.starts))
            self.cosines = np.einsum("ij,ij->i", self.directed[self.first], self.directed[graph.partner])
            self.angles = weights.angle(self.cosines)
            order = np.argsort(graph.centers, kind="stable")
            self.by_center = order, *np.unique(graph.centers[order], return_index=True)
            self.bond_weights = weights.short(self.lengths[:short]).T @ weights.bond_weights

    def _forward(self) -> NDArray[np.float64]:
        weights, graph = self.weights, self.graph
        short, any_angle = graph.n_short, bool(graph.partner.size)
        atoms = weights.elements[graph.numbers - 1]
        bonds = self.bonds[:-1, :short].T @ weights.bonds
        angles, functions = self.angles.T if any_angle else _no_rows(0), True
        self.stages: list[Array] = []
        self.passed: list[Messages] = []
        self.sums: list[Array] = []
        for number, layer in enumerate(weights.atom_layers):
            if number and any_angle:
                np.matmul(bonds, layer.parts[1], out=self.bond_tables[number, :short])
            center, _, neighbour = layer.parts
            tables = Tables(
                atoms @ center + layer.bias, self.bond_tables[number], atoms @ neighbour, weights=self.atom_weights
            )
            found = self._pass(layer, tables, of_atoms=True)
            atoms = atoms + found @ layer.out + layer.out_bias
            self.stages.append(atoms)
            if not any_angle or number == len(weights.bond_layers):
                continue
            layer = weights.bond_layers[number]
            found = self._pass(layer, self._tables(layer, atoms, bonds, angles, functions, self.bond_weights))
            summed = found[:short] + found[short:]
            self.sums.append(summed)
            bonds = bonds + (self.bond_weights * summed) @ layer.out + graph.bent[:short, None] * layer.out_bias
            if number < len(weights.angle_layers):
                layer = weights.angle_layers[number]
                found = self._pass(layer, self._tables(layer, atoms, bonds, angles, functions, None))
                found += angles @ weights.angles if functions else angles
                angles, functions = found, False
        return self._readout(atoms)

    def _tables(
        self, layer: Layer, atoms: Array, bonds: Array, angles: Array, functions: bool, weights: Array | None
    ) -> Tables:
        """What angles take: of their first bond with its atom, of their second, and their own."""
        first, second, own, center = layer.parts
        of_bonds = bonds @ first
        base = (atoms @ center + layer.bias)[self.graph.centers]
        base[: len(bonds)] += of_bonds
        base[len(bonds) :] += of_bonds
        return Tables(base, bonds @ second, angles, self.weights.angles @ own if functions else own, weights)

    def _pass(self, layer: Layer, tables: Tables, *, of_atoms: bool = False) -> Array:
        rows = self.graph.at_atoms if of_atoms else self.graph.at_bonds
        messages = Messages(layer.gate, rows, tables, self.room, keep=self.keep)
        if self.keep:
            self.passed.append(messages)
        return messages.out

    def _readout(self, atoms: Array) -> NDArray[np.float64]:
        weights = self.weights
        if weights.norm is not None:
            centred = atoms - atoms.mean(1, keepdims=True)
            self.inverse = 1 / np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(1e-5))
            self.normal = centred * self.inverse
            atoms = self.normal * weights.norm[0] + weights.norm[1]
            self.stages.append(atoms)
        self.steps: list[Array] = []
        for matrix, bias in weights.readout[:-1]:
            inside = atoms @ matrix + bias
            sigmoid = (1 + np.tanh(inside / 2)) / 2
            self.steps.append(sigmoid * (1 + inside * (1 - sigmoid)))
            atoms = inside * sigmoid
        matrix, bias = weights.readout[-1]
        energies: NDArray[np.float64] = (atoms @ matrix + bias)[:, 0].astype(np.float64)
        return energies

    def moments(self) -> Array:
        """Magnetic moments without sign, mu_B, shape (n_atoms,)."""
        matrix, bias = self.weights.moments
        found: Array = np.abs(self.stages[len(self.weights.bond_layers) - 1] @ matrix + bias)[:, 0]
        return found

    def slopes(self) -> Slopes:
        """Slopes of the energy; only once, and only if everything was kept."""
        weights, graph = self.weights, self.graph
        short, any_angle = graph.n_short, bool(graph.partner.size)
        d_tables = [_no_rows(0, 2 * WIDTH)] * len(weights.atom_layers)
        d_atom_weights = np.zeros_like(self.atom_weights)
        d_bonds, d_functions = _no_rows(short), np.empty(0, dtype=np.float32)
        d_angles = d_functions
        if any_angle:
            d_bond_weights = np.zeros_like(self.bond_weights)
            d_functions = np.zeros_like(self.angles)
            d_angles = _no_rows(graph.partner.size)
        d_atoms = self._readout_back()
        for number in reversed(range(len(weights.atom_layers))):
            layer = weights.atom_layers[number]
            if any_angle and number < len(weights.bond_layers):
                if number < len(weights.angle_layers):
                    angle_layer = weights.angle_layers[number]
                    d_before, own = (d_angles.copy(), None) if number else (d_functions.T, weights.angles.T)
                    if own is not None:
                        d_before += d_angles @ own
                    d_base, d_second = self.passed.pop().back(d_angles, d_before)
                    self._to_tables(angle_layer, d_base, d_second, d_atoms, d_bonds)
                    d_angles = d_before
                bond_layer = weights.bond_layers[number]
                d_sum = d_bonds @ bond_layer.out.T
                d_bond_weights += d_sum * self.sums.pop()
                d_sum *= self.bond_weights
                d_base, d_second = self.passed.pop().back(
                    np.concatenate([d_sum, d_sum]), d_angles if number else d_functions.T, d_bond_weights
                )
                self._to_tables(bond_layer, d_base, d_second, d_atoms, d_bonds)
            d_neighbours = np.zeros((len(d_atoms), 2 * WIDTH), dtype=np.float32)
            d_centers, d_table = self.passed.pop().back(d_atoms @ layer.out.T, d_neighbours, d_atom_weights)
            center, bond, neighbour = layer.parts
            if number:
                d_atoms = d_atoms + d_centers @ center.T + d_neighbours @ neighbour.T
                if any_angle:
                    d_bonds += d_table[:short] @ bond.T
                    d_table[:short] = 0
            d_tables[number] = d_table
        d_lengths = weights.long.slopes(self.lengths, self._to_functions(d_tables, d_atom_weights, d_bonds))
        d_arrows = np.zeros_like(self.arrows)
        if any_angle:
            d_lengths[:short] += weights.short.slopes(
                self.lengths[:short], weights.bond_weights @ d_bond_weights.T
            )
            d_arrows[:short] = self._to_arrows(d_functions)
        return self._to_atoms(d_lengths, d_arrows)

    def _readout_back(self) -> Array:
        """Gradient of the vectors after the last convolution."""
        weights = self.weights
        d = np.ones((len(self.graph.numbers), 1), dtype=np.float32) @ weights.readout[-1][0].T
        for (matrix, _), slope in zip(reversed(weights.readout[:-1]), reversed(self.steps), strict=True):
            d = (d * slope) @ matrix.T
        if weights.norm is not None:
            d = d * weights.norm[0]
            along = (d * self.normal).mean(1, keepdims=True)
            d = self.inverse * (d - d.mean(1, keepdims=True) - self.normal * along)
        return d

    def _to_tables(self, layer: Layer, d_base: Array, d_second: Array, d_atoms: Array, d_bonds: Array) -> None:
        """Add what angles give back to their bonds and atoms."""
        first, second, _, center = layer.parts
        short = len(d_bonds)
        d_bonds += (d_base[:short] + d_base[short:]) @ first.T + d_second @ second.T
        order, atoms, begins = self.by_center
        d_atoms[atoms] += np.add.reduceat(d_base[order], begins) @ center.T

    def _to_functions(self, d_tables: list[Array], d_atom_weights: Array, d_bonds: Array) -> Array:
        """Gradient of the functions of lengths, shape (n_radial, n_bonds)."""
        weights = self.weights
        d = weights.atom_weights @ d_atom_weights.T
        for table, d_table in zip(weights.bond_tables, d_tables, strict=True):
            d += table[:-1] @ d_table.T
        d[:, : len(d_bonds)] += weights.bonds @ d_bonds.T
        return d

    def _to_arrows(self, d_functions: Array) -> NDArray[np.float64]:
        """Gradient of the directions of short bonds, shape (n_short, 3)."""
        graph, short = self.graph, self.graph.n_short
        by_cosine = self.weights.angle.slopes(self.cosines, self.angles, d_functions)
        d = np.zeros((2 * short, 3))
        for axis in range(3):
            along = self.directed[:, axis]
            d[:, axis] = np.bincount(self.first, by_cosine * along[graph.partner], 2 * short)
            d[:, axis] += np.bincount(graph.partner, by_cosine * along[self.first], 2 * short)
        found: NDArray[np.float64] = d[:short] - d[short:]
        return found

    def _to_atoms(self, d_lengths: NDArray[np.float64], d_arrows: NDArray[np.float64]) -> Slopes:
        graph = self.graph
        across = d_arrows - self.arrows * np.einsum("ij,ij->i", d_arrows, self.arrows)[:, None]
        d = self.arrows * d_lengths[:, None] + across / self.lengths[:, None]
        by_position = np.empty((len(graph.numbers), 3))
        for axis in range(3):
            to, back = (np.bincount(end, d[:, axis], len(graph.numbers)) for end in graph.ends)
            by_position[:, axis] = to - back
        return Slopes(by_position, graph.vectors.T @ d)


def _no_rows(n: int, width: int = WIDTH) -> Array:
    return np.zeros((n, width), dtype=np.float32)
