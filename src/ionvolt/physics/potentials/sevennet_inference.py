"""SevenNet as it answers: energies and atom vectors from compiled messages, the same numbers in a fifth of the time.

The package's modules are read once for their weights. What the networks of Park et al. consist of (see
``sevennet``) is then written out: vectors of one degree stand together, component by component, so that every mixing of
them is one matrix product; messages are summed by ``_sevennet_numba``. Bonds of one length share their weights, so that
crystals that have most bonds in common, a host and ions tried in it, are best evaluated together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import silu

from ionvolt.physics.potentials import _sevennet_numba as kernels

SAME_LENGTH = 1e-6
"""Å below which two bonds are of one length."""

ATOMS_TOGETHER = 48
"""Atoms whose messages are held at once, 31 kB each."""

LENGTHS_TOGETHER = 4000
"""Lengths whose weights are held at once, 7 kB each; where there are more, atoms that come together share theirs."""

BONDS_TOGETHER = 16_000
"""Bonds up to which the matrices of their directions are kept from layer to layer, 3 kB each."""

DEGREES = 4
"""Degrees that the kernel knows, 0 to 3."""


@dataclass(frozen=True, eq=False)
class _Mixing:
    """Linear maps of vectors, one for each degree: (2l+1, n_in) to (2l+1, n_out), shapes (n_in, n_out)."""

    maps: list[Tensor]

    def __call__(self, parts: list[Tensor]) -> list[Tensor]:
        return [part @ one for part, one in zip(parts, self.maps, strict=False)]


@dataclass(eq=False)
class _Convolution:
    """A convolution.

    Attributes:
        radial: Weights of the network from the basis of lengths to those of the ways, activations' scales included.
        coupling: From a direction's harmonics to the matrices of all ways, shape (n_harmonics, n_turns).
        ways: See ``_sevennet_numba.add_messages``.
        widths: Numbers of a component of each degree in what comes out.
    """

    radial: list[Tensor]
    coupling: Tensor
    ways: NDArray[np.int64]
    widths: list[int]

    def __call__(self, parts: list[Tensor], bonds: _Bonds) -> list[Tensor]:
        x = torch.cat([part.flatten(1) for part in parts], 1).numpy()
        n_atoms, first = len(x), bonds.first
        size = sum((2 * degree + 1) * width for degree, width in enumerate(self.widths))
        shared = self._weights(bonds.basis) if len(bonds.basis) <= LENGTHS_TOGETHER else None
        found: list[list[Tensor]] = []
        for start in range(0, n_atoms, ATOMS_TOGETHER):
            stop = min(start + ATOMS_TOGETHER, n_atoms)
            some = slice(first[start], first[stop])
            weights, row = shared, bonds.length[some]
            if weights is None:
                lengths, row = np.unique(row, return_inverse=True)
                weights = self._weights(bonds.basis[torch.from_numpy(lengths)])
            out = torch.empty(stop - start, size)
            kernels.add_messages(
                x,
                first[start : stop + 1] - first[start],
                bonds.source[some],
                row,
                weights.numpy(),
                bonds.turns(self.coupling, some).numpy(),
                self.ways,
                out.numpy(),
            )
            found.append(_split(out, self.widths))
        return [torch.cat(list(parts)) for parts in zip(*found, strict=True)]

    def _weights(self, basis: Tensor) -> Tensor:
        weights = basis
        for layer in self.radial[:-1]:
            weights = silu(weights @ layer)
        return weights @ self.radial[-1]


@dataclass(frozen=True, eq=False)
class _Bonds:
    """Bonds in the order of the atoms that they lead to.

    Attributes:
        first: Where each atom's bonds begin, and where the last one's end, shape (n_atoms + 1,).
        source: Atom from which each message comes.
        length: Which length each bond has.
        basis: The lengths as the networks take them, shape (n_lengths, n_basis).
        harmonics: Spherical harmonics of the directions, shape (n_bonds, n_harmonics).
        kept: Matrices of the directions that were asked for, by the coupling that made them.
    """

    first: NDArray[np.int64]
    source: NDArray[np.int64]
    length: NDArray[np.int64]
    basis: Tensor
    harmonics: Tensor
    kept: dict[int, Tensor] = field(default_factory=dict)

    def turns(self, coupling: Tensor, some: slice) -> Tensor:
        """Matrices of the directions of some bonds, shape (n, n_turns)."""
        if len(self.source) > BONDS_TOGETHER:
            return self.harmonics[some] @ coupling
        if id(coupling) not in self.kept:
            self.kept[id(coupling)] = self.harmonics @ coupling
        return self.kept[id(coupling)][some]


@dataclass(frozen=True, eq=False)
class _Layer:
    """One interaction: self-connection, convolution with a mixing before and after it, and the gate."""

    self_connection: _Mixing
    mix_before: _Mixing
    convolution: _Convolution
    mix_after: _Mixing
    n_scalars: int
    scale: float

    def __call__(self, parts: list[Tensor], bonds: _Bonds) -> list[Tensor]:
        messages = self.mix_after(self.convolution(self.mix_before(parts), bonds))
        for part, own in zip(
            messages, self.self_connection(parts), strict=False
        ):  # degrees that only messages bring stay alone
            part += own
        scalars, *rest = messages
        active = silu(scalars) * self.scale
        found, place = [active[:, :, : self.n_scalars]], self.n_scalars
        for part in rest:
            found.append(part * active[:, :, place : place + part.shape[2]])
            place += part.shape[2]
        return found


class CompiledNetwork:
    """A network of the package's, for energies and atom vectors on the CPU."""

    def __init__(self, network: Any) -> None:
        """Read a network's weights.

        Raises:
            NotImplementedError: It is built in another way than is written out here.
        """
        modules = dict(network.named_children())
        n_layers = sum(name.endswith("_convolution") for name in modules)
        self.embedding = modules["edge_embedding"]
        (self.elements,) = _mixing(modules["onehot_to_feature_x"]).maps
        self.layers = [_layer(modules, number) for number in range(n_layers)]
        for before, layer in pairwise(self.layers):
            if torch.equal(before.convolution.coupling, layer.convolution.coupling):
                layer.convolution.coupling = before.convolution.coupling
        hidden, last = (_mixing(modules[f"reduce_{name}"]).maps[0] for name in ("input_to_hidden", "hidden_to_energy"))
        self.readout = hidden @ last
        rescale = modules["rescale_atomic_energy"]
        _require(type(rescale).__name__ == "SpeciesWiseRescale" and "one_hot_modality" not in modules)
        self.scale, self.shift = rescale.scale.detach(), rescale.shift.detach()

    @torch.inference_mode()
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
        element = torch.tensor(kinds)
        bonds = self._bonds(len(element), ends, vectors)
        parts = [self.elements[element][:, None]]
        scalars = []
        for layer in self.layers:
            parts = layer(parts, bonds)
            scalars.append(parts[0][:, 0])
        energies = (scalars[-1] @ self.readout)[:, 0] * self.scale[element] + self.shift[element]
        return energies.double().numpy(), [one.numpy() for one in scalars]

    def _bonds(self, n_atoms: int, ends: NDArray[np.int64], vectors: NDArray[np.float64]) -> _Bonds:
        to, source = ends
        order = np.argsort(to, kind="stable")
        first = np.concatenate([[0], np.cumsum(np.bincount(to, minlength=n_atoms))])
        arrows = vectors[order]
        distances = np.sqrt((arrows**2).sum(1))
        _, known, length = np.unique(np.round(distances / SAME_LENGTH), return_index=True, return_inverse=True)
        lengths = torch.from_numpy(distances[known].astype(np.float32))
        basis = self.embedding.basis_function(lengths) * self.embedding.cutoff_function(lengths)[:, None]
        harmonics = self.embedding.spherical(torch.from_numpy(arrows.astype(np.float32)))
        return _Bonds(first, source[order], length, basis, harmonics)


def _require(so: bool) -> None:
    if not so:
        raise NotImplementedError


def _split(flat: Tensor, widths: list[int]) -> list[Tensor]:
    """Vectors of each degree, shape (n, 2l+1, width), from atoms' numbers."""
    parts, place = [], 0
    for degree, width in enumerate(widths):
        size = (2 * degree + 1) * width
        parts.append(flat[:, place : place + size].reshape(len(flat), 2 * degree + 1, width))
        place += size
    return parts


def _degrees(irreps: Any) -> list[int]:
    """How many vectors of each degree there are; degrees in order, none that changes its sign by inversion alone."""
    _require(all(irrep.l == degree and irrep.p == 1 for degree, (_, irrep) in enumerate(irreps)))
    _require(len(irreps) <= DEGREES)
    return [int(count) for count, _ in irreps]


def _mixing(module: Any) -> _Mixing:
    linear = module.linear
    _degrees(linear.irreps_in.simplify())
    _degrees(linear.irreps_out.simplify())
    _require(not linear.bias.numel())
    maps: list[Tensor] = []
    for number, (way, weight) in enumerate(zip(linear.instructions, linear.weight_views(), strict=True)):
        _require(way.i_in == way.i_out == number)
        maps.append((weight.detach() * way.path_weight).contiguous())
    return _Mixing(maps)


def _layer(modules: dict[str, Any], number: int) -> _Layer:
    own, before, convolution, after, gate = (
        modules[f"{number}_{name}"]
        for name in (
            "self_connection_intro", "self_interaction_1", "convolution", "self_interaction_2", "equivariant_gate",
        )
    )  # fmt: skip
    whole = getattr(convolution, "whole", convolution)
    gate = gate.gate
    activations = [*gate.act_scalars.acts, *gate.act_gates.acts]
    scales = {float(one.cst) for one in activations if one.f is silu}
    _require(len(scales) == 1 and all(one.f is silu for one in activations))
    _require(type(modules[f"{number}_self_connection_intro"]).__name__ == "SelfConnectionLinearIntro")
    mixed = _mixing(after)
    return _Layer(
        _mixing(own),
        _mixing(before),
        _convolution(whole),
        _Mixing([one / whole.denominator.detach() for one in mixed.maps]),
        int(gate.irreps_scalars.num_irreps),
        scales.pop(),
    )


def _convolution(whole: Any) -> _Convolution:
    from e3nn.o3 import wigner_3j

    product = whole.convolution
    counts, harmonics = _degrees(product.irreps_in1), product.irreps_in2
    places = np.concatenate([[0], np.cumsum([(2 * degree + 1) * count for degree, count in enumerate(counts)])])
    arcs = harmonics.slices()
    widths = [0] * DEGREES
    taken: list[tuple[int, int, int]] = []
    couplings, n_turns, n_weights = [], 0, 0
    for way in product.instructions:
        degree, target = product.irreps_in1[way.i_in1].ir.l, product.irreps_out[way.i_out].ir
        _require(target.p == 1 and target.l < DEGREES and way.connection_mode == "uvu" and way.i_out == len(taken))
        coefficients = wigner_3j(degree, harmonics[way.i_in2].ir.l, target.l, dtype=torch.float64)
        coupling = torch.zeros(harmonics.dim, 2 * target.l + 1, 2 * degree + 1)
        coupling[arcs[way.i_in2]] = (way.path_weight * coefficients).permute(1, 2, 0).float()
        couplings.append(coupling.flatten(1))
        taken.append((degree, target.l, widths[target.l]))
        widths[target.l] += counts[degree]
    widths = widths[: max(target for _, target, _ in taken) + 1]
    begins = np.concatenate([[0], np.cumsum([(2 * degree + 1) * width for degree, width in enumerate(widths)])])
    ways = []
    for degree, target, offset in taken:
        n_in, n_out, count = 2 * degree + 1, 2 * target + 1, counts[degree]
        ways.append([n_in, n_out, count, places[degree], n_weights, n_turns, widths[target], begins[target] + offset])
        n_weights, n_turns = n_weights + count, n_turns + n_in * n_out
    return _Convolution(_radial(whole.weight_nn), torch.cat(couplings, 1), np.array(ways, dtype=np.int64), widths)


def _radial(network: Any) -> list[Tensor]:
    """Weights of the layers; the scale of each activation is part of the layer after it."""
    found, scale = [], 1.0
    for layer in network.children():
        weight = layer.weight.detach() / (layer.h_in * layer.var_in) ** 0.5
        found.append(weight * scale)
        if layer.act is None:
            found[-1] = found[-1] * layer.var_out**0.5
        else:
            _require(layer.act.f is silu)
            scale = float(layer.act.cst) * layer.var_out**0.5
    return found
