"""CHGNet as it answers on the processor: energies, vectors, moments and slopes without PyTorch.

The network of Deng et al. (see ``chgnet``) is written out, forward here and back in ``chgnet_slopes``. Where two
matrices follow one another with nothing between them, their product is taken once. Bonds that make no angles never
change: what atoms take of them comes from the functions of their lengths at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet_graph import Graph
from ionvolt.physics.potentials.chgnet_linear import Array
from ionvolt.physics.potentials.chgnet_messages import WIDTH, Messages, Room, Tables
from ionvolt.physics.potentials.chgnet_weights import Layer, Weights


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
        self.atom_weights = weights.atom_weights(self.bonds[:-1].T)
        tables = (self.room.take(len(self.lengths), 2 * WIDTH) for _ in weights.bond_tables)
        self.bond_tables = [
            linear(self.bonds.T, out=table) for linear, table in zip(weights.bond_tables, tables, strict=True)
        ]
        if graph.pairs.size:
            near = self.arrows[:short]
            self.directed = np.concatenate([near, -near])
            first, second = graph.pairs
            self.cosines = np.einsum("ij,ij->i", self.directed[first], self.directed[second])
            self.angles = weights.angle(self.cosines)
            order = np.argsort(graph.centers, kind="stable")
            self.by_center = order, *np.unique(graph.centers[order], return_index=True)
            self.bond_weights = weights.bond_weights(weights.short(self.lengths[:short]).T)

    def _forward(self) -> NDArray[np.float64]:
        weights, graph = self.weights, self.graph
        short, any_angle = graph.n_short, bool(graph.pairs.size)
        atoms = weights.elements[graph.numbers - 1]
        bonds = weights.bonds(self.bonds[:-1, :short].T)
        angles: Array | None = None
        self.stages: list[Array] = []
        self.passed: list[Messages] = []
        self.sums: list[Array] = []
        for number, layer in enumerate(weights.atom_layers):
            if number and any_angle:
                layer.parts[1](bonds, out=self.bond_tables[number][:short])
            center, _, neighbour = layer.parts
            tables = Tables(
                center(atoms) + layer.bias, self.bond_tables[number], neighbour(atoms), weights=self.atom_weights
            )
            found = self._pass(layer, tables, of_atoms=True)
            atoms = atoms + layer.out(found) + layer.out_bias
            self.stages.append(atoms)
            if not any_angle or number == len(weights.bond_layers):
                continue
            convolution = weights.bond_layers[number]
            found = self._pass(convolution, self._tables(convolution, atoms, bonds, angles, self.bond_weights))
            summed = found[:short] + found[short:]
            self.sums.append(summed)
            bonds += convolution.out(self.bond_weights * summed)
            bonds[graph.bent[:short]] += convolution.out_bias
            if number < len(weights.angle_layers):
                update = weights.angle_layers[number]
                found = self._pass(update, self._tables(update, atoms, bonds, angles, None))
                found += weights.angles(self.angles.T)[graph.at_bonds.third] if angles is None else angles
                angles = found
        return self._readout(atoms)

    def _tables(self, layer: Layer, atoms: Array, bonds: Array, angles: Array | None, weights: Array | None) -> Tables:
        """What angles take: of their first bond with its atom, of their second, and their own, first of their pair."""
        first, second, own, center = layer.parts
        of_bonds = first(bonds)
        base = (center(atoms) + layer.bias)[self.graph.centers]
        base[: len(bonds)] += of_bonds
        base[len(bonds) :] += of_bonds
        if angles is None:
            return Tables(base, second(bonds), own(self.angles.T), weights=weights)
        return Tables(base, second(bonds), angles, own, weights)

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
        for linear, bias in weights.readout[:-1]:
            inside = linear(atoms) + bias
            fallen = np.exp(-np.abs(inside))
            sigmoid = np.where(inside < 0, fallen, 1) / (1 + fallen)
            self.steps.append(sigmoid * (1 + inside * (1 - sigmoid)))
            atoms = inside * sigmoid
        linear, bias = weights.readout[-1]
        energies: NDArray[np.float64] = (linear(atoms) + bias)[:, 0].astype(np.float64)
        return energies

    def moments(self) -> Array:
        """Magnetic moments without sign, mu_B, shape (n_atoms,)."""
        linear, bias = self.weights.moments
        found: Array = np.abs(linear(self.stages[len(self.weights.bond_layers) - 1]) + bias)[:, 0]
        return found
