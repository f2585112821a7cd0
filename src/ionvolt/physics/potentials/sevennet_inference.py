"""SevenNet as it answers: energies and atom vectors from compiled messages, the same numbers in a fifth of the time.

The package's modules are read once for their weights. What the networks of Park et al. consist of (see
``sevennet``) is then written out: vectors of one degree stand together, component by component, so that every mixing of
them is one matrix product; messages are summed by ``_sevennet_numba``. Bonds of one length share their weights, so that
crystals that have most bonds in common, a host and ions tried in it, are best evaluated together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials import _sevennet_numba as kernels
from ionvolt.physics.potentials.activations import silu
from ionvolt.physics.potentials.sevennet_bonds import Bonds, Embedding, bonds_of
from ionvolt.typing import Array32

ATOMS_TOGETHER = 48
"""Atoms whose messages are held at once, 31 kB each."""

LENGTHS_TOGETHER = 4000
"""Lengths whose weights are held at once, 7 kB each; where there are more, atoms that come together share theirs."""

DEGREES = 4
"""Degrees that the kernel knows, 0 to 3."""

T = TypeVar("T")
Lengths: TypeAlias = slice | NDArray[np.int64]
"""Some of the lengths of ``Bonds.basis``."""


@dataclass(frozen=True, eq=False)
class Mixing:
    """Linear maps of vectors, one for each degree: (2l+1, n_in) to (2l+1, n_out), shapes (n_in, n_out)."""

    maps: list[Array32]

    def __call__(self, parts: list[Array32]) -> list[Array32]:
        """What comes of vectors' parts, one for each degree."""
        # One product of matrices each: numpy would take those of three dimensions atom by atom.
        return [
            (part.reshape(-1, len(one)) @ one).reshape(*part.shape[:2], -1)
            for part, one in zip(parts, self.maps, strict=False)
        ]


@dataclass(eq=False)
class Convolution:
    """A convolution.

    Attributes:
        radial: Weights of the network from the basis of lengths to those of the ways, activations' scales included.
        coupling: From a direction's harmonics to the matrices of all ways, shape (n_harmonics, n_turns).
        ways: See ``_sevennet_numba.add_messages``.
        widths: Numbers of a component of each degree in what comes out.
    """

    radial: list[Array32]
    coupling: Array32
    ways: NDArray[np.int64]
    widths: list[int]

    def __call__(self, parts: list[Array32], bonds: Bonds) -> list[Array32]:
        """Sums of the messages that reach each atom."""
        n_atoms, x = len(parts[0]), side_by_side(parts)
        out = np.empty((n_atoms, sum((2 * degree + 1) * width for degree, width in enumerate(self.widths))), np.float32)
        for piece, weights in pieces(bonds, lambda lengths: self._weights(bonds.basis[lengths])):
            kernels.add_messages(
                x,
                piece.first,
                bonds.source[piece.bonds],
                piece.length,
                weights,
                bonds.turns(self.coupling, piece.bonds),
                self.ways,
                out[piece.atoms],
            )
        return split(out, self.widths)

    def _weights(self, basis: Array32) -> Array32:
        weights = basis
        for layer in self.radial[:-1]:
            weights = silu(weights @ layer)
        weights = weights @ self.radial[-1]
        return weights


@dataclass(frozen=True, eq=False)
class Layer:
    """One interaction: self-connection, convolution with a mixing before and after it, and the gate."""

    self_connection: Mixing
    mix_before: Mixing
    convolution: Convolution
    mix_after: Mixing
    n_scalars: int
    scale: float

    def __call__(self, parts: list[Array32], bonds: Bonds) -> list[Array32]:
        """New vectors of each atom."""
        return self.gate(self.summed(parts, self.convolution(self.mix_before(parts), bonds)))

    def summed(self, parts: list[Array32], messages: list[Array32]) -> list[Array32]:
        """What reaches the gate: messages of the convolution and atoms' own vectors."""
        found = self.mix_after(messages)
        for part, own in zip(found, self.self_connection(parts), strict=False):  # degrees that messages alone bring
            part += own
        return found

    def gate(self, parts: list[Array32]) -> list[Array32]:
        """Activated scalars, and vectors times such; the given scalars are written over."""
        scalars, *rest = parts
        active = silu(scalars) * self.scale
        found, place = [active[:, :, : self.n_scalars]], self.n_scalars
        for part in rest:
            found.append(part * active[:, :, place : place + part.shape[2]])
            place += part.shape[2]
        return found


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """A network of the package's, for energies and atom vectors on the CPU.

    Attributes:
        kinds: How the network counts elements, by atomic number.
        embedding: How bonds enter.
        elements: Vectors of the elements, shape (n_elements, n).
        layers: Interactions.
        readout: From the last scalars to the energy, shape (n, 1).
        scale: Energies of atoms are multiplied by it, eV, by element, shape (n_elements,).
        shift: eV, shape (n_elements,).
    """

    kinds: dict[int, int]
    embedding: Embedding
    elements: Array32
    layers: list[Layer]
    readout: Array32
    scale: Array32
    shift: Array32

    @property
    def cutoff(self) -> float:
        """Length of the longest bonds, Å."""
        return self.embedding.cutoff

    def __call__(
        self, kinds: Sequence[int], ends: NDArray[np.int64], vectors: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float32]]]:
        """Evaluate crystals, one or several side by side.

        Args:
            kinds: Elements of the atoms, as the network counts them.
            ends: Atoms from which and to which each directed bond leads, shape (2, n_bonds); all stand both ways.
            vectors: From the first to the second, Å, shape (n_bonds, 3).

        Returns:
            Energies of the atoms in eV, shape (n_atoms,), and after each layer their scalars, shape (n_atoms, n).
        """
        element = np.asarray(kinds)
        bonds = bonds_of(self.embedding, len(element), ends, vectors)
        parts = [self.elements[element][:, None]]
        scalars = []
        for layer in self.layers:
            parts = layer(parts, bonds)
            scalars.append(parts[0][:, 0])
        return self.energies(scalars[-1], element), scalars

    def energies(self, scalars: Array32, element: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of atoms in eV, from their last scalars and their elements as the network counts them."""
        found = (scalars @ self.readout)[:, 0] * self.scale[element] + self.shift[element]
        return found.astype(np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of its numbers by name."""
        bonds = self.embedding
        found: dict[str, NDArray[Any]] = {
            "kinds": np.array(sorted(self.kinds.items())),
            "waves": bonds.waves,
            "bonds": np.array([bonds.height, bonds.cutoff, bonds.power]),
            "elements": self.elements,
            "readout": self.readout,
            "scale": self.scale,
            "shift": self.shift,
        }
        for number, layer in enumerate(self.layers):
            convolution = layer.convolution
            lists = {
                "own": layer.self_connection.maps,
                "before": layer.mix_before.maps,
                "after": layer.mix_after.maps,
                "radial": convolution.radial,
            }
            for name, parts in lists.items():
                found |= {f"{number}.{name}.{k}": part for k, part in enumerate(parts)}
            found |= {
                f"{number}.coupling": convolution.coupling,
                f"{number}.ways": convolution.ways,
                f"{number}.widths": np.array(convolution.widths),
                f"{number}.gate": np.array([layer.n_scalars, layer.scale]),
            }
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> CompiledNetwork:
        """What ``to_arrays`` gave.

        Raises:
            KeyError: One is missing.
        """

        def listed(name: str) -> list[Array32]:
            return [arrays[f"{name}.{k}"] for k in range(sum(one.startswith(f"{name}.") for one in arrays))]

        height, cutoff, power = arrays["bonds"].tolist()
        layers: list[Layer] = []
        while f"{len(layers)}.ways" in arrays:
            n = len(layers)
            n_scalars, scale = arrays[f"{n}.gate"].tolist()
            widths, ways = arrays[f"{n}.widths"].tolist(), arrays[f"{n}.ways"]
            convolution = Convolution(listed(f"{n}.radial"), arrays[f"{n}.coupling"], ways, widths)
            own, before, after = (Mixing(listed(f"{n}.{name}")) for name in ("own", "before", "after"))
            layers.append(Layer(own, before, convolution, after, int(n_scalars), scale))
        share_couplings(layers)
        return cls(
            {int(number): int(kind) for number, kind in arrays["kinds"]},
            Embedding(arrays["waves"], height, cutoff, int(power)),
            arrays["elements"],
            layers,
            arrays["readout"],
            arrays["scale"],
            arrays["shift"],
        )


def share_couplings(layers: Sequence[Layer]) -> None:
    """Let layers with the same couplings hold one, so that matrices of directions are made once for both."""
    for before, layer in pairwise(layers):
        if np.array_equal(before.convolution.coupling, layer.convolution.coupling):
            layer.convolution.coupling = before.convolution.coupling


@dataclass(frozen=True, eq=False)
class Piece:
    """Atoms whose messages are held at once, and their bonds.

    Attributes:
        atoms: The atoms.
        bonds: The bonds that lead to them.
        first: Where the bonds of each atom begin among these, and where the last one's end.
        length: Which of the lengths whose weights are at hand each of these bonds has.
    """

    atoms: slice
    bonds: slice
    first: NDArray[np.int64]
    length: NDArray[np.int64]


def pieces(bonds: Bonds, weigh: Callable[[Lengths], T]) -> Iterator[tuple[Piece, T]]:
    """Atoms piece by piece, each with the weights of its bonds' lengths, which ``weigh`` gives for some of them."""
    first = bonds.first
    shared = weigh(slice(None)) if len(bonds.basis) <= LENGTHS_TOGETHER else None
    for start in range(0, len(first) - 1, ATOMS_TOGETHER):
        stop = min(start + ATOMS_TOGETHER, len(first) - 1)
        some, weights, length = slice(first[start], first[stop]), shared, bonds.length[first[start] : first[stop]]
        if weights is None:
            known, length = np.unique(length, return_inverse=True)
            weights = weigh(known)
        yield Piece(slice(start, stop), some, first[start : stop + 1] - first[start], length), weights


def side_by_side(parts: list[Array32]) -> Array32:
    """Atoms' numbers, shape (n, n_numbers), from vectors of each degree."""
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def split(flat: Array32, widths: list[int]) -> list[Array32]:
    """Vectors of each degree, shape (n, 2l+1, width), from atoms' numbers."""
    parts, place = [], 0
    for degree, width in enumerate(widths):
        size = (2 * degree + 1) * width
        parts.append(flat[:, place : place + size].reshape(len(flat), 2 * degree + 1, width))
        place += size
    return parts
