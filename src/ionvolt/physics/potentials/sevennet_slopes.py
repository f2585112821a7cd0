"""SevenNet's way back: slopes of the energy along each bond, from compiled messages, without PyTorch.

Written out by hand from ``sevennet_inference``, layer after layer. Weights of messages hang on lengths alone: their
derivatives are taken on the way there, so that a bond's slope is one number of the kernel's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials import _sevennet_slopes_numba as kernels
from ionvolt.physics.potentials.activations import silu_and_slope
from ionvolt.physics.potentials.sevennet_bonds import Bonds, BondSlopes, bonds_of, harmonics_back
from ionvolt.physics.potentials.sevennet_inference import (
    CompiledNetwork,
    Convolution,
    Layer,
    Mixing,
    pieces,
    side_by_side,
    split,
)
from ionvolt.typing import Array32


@dataclass(frozen=True, eq=False)
class _Kept:
    """What a layer's way back needs: the vectors before the convolution, and what reached the gate."""

    mixed: list[Array32]
    summed: list[Array32]


def bond_slopes(
    network: CompiledNetwork, kinds: Sequence[int], ends: NDArray[np.int64], vectors: NDArray[np.float64]
) -> BondSlopes:
    """Evaluate a crystal and go back; arguments as those of ``CompiledNetwork``."""
    element = np.asarray(kinds)
    bonds = bonds_of(network.embedding, len(element), ends, vectors)
    parts, kept, scalars = [network.elements[element][:, None]], [], []
    for layer in network.layers:
        mixed = layer.mix_before(parts)
        summed = layer.summed(parts, layer.convolution(mixed, bonds))
        kept.append(_Kept(mixed, [summed[0].copy(), *summed[1:]]))
        parts = layer.gate(summed)
        scalars.append(parts[0][:, 0])
    energies = network.energies(parts[0][:, 0], element)

    basis_slopes = network.embedding.basis_slopes(bonds.lengths)
    d_lengths = np.zeros(len(vectors), dtype=np.float32)
    d_harmonics = np.zeros_like(bonds.harmonics)
    d_parts = [(network.scale[element][:, None] * network.readout[:, 0])[:, None].astype(np.float32)]
    for number, layer in reversed(list(enumerate(network.layers))):
        before = kept[number]
        d_summed = _gate_back(layer, before.summed, d_parts)
        d_mixed = _convolution_back(
            layer.convolution, before.mixed, bonds, basis_slopes,
            side_by_side(_mixing_back(layer.mix_after, d_summed)), d_lengths, d_harmonics,
        )  # fmt: skip
        if number:
            d_parts = _mixing_back(layer.mix_before, d_mixed)
            own = _mixing_back(layer.self_connection, d_summed)
            for part, more in zip(d_parts, own, strict=False):
                part += more
    arrows, ends = bonds.arrows, np.stack([np.repeat(np.arange(len(element)), np.diff(bonds.first)), bonds.source])
    along = d_lengths / np.sqrt((arrows**2).sum(1))
    slopes = along[:, None] * arrows + harmonics_back(arrows.astype(np.float32), d_harmonics)
    return BondSlopes(energies, ends, arrows, slopes, scalars)


def _mixing_back(mixing: Mixing, gradient: list[Array32]) -> list[Array32]:
    """Gradient of what goes into linear maps."""
    return [
        (part.reshape(-1, one.shape[1]) @ one.T).reshape(*part.shape[:2], -1)
        for part, one in zip(gradient, mixing.maps, strict=False)
    ]


def _gate_back(layer: Layer, summed: list[Array32], gradient: list[Array32]) -> list[Array32]:
    """Gradient of what reaches the gate."""
    scalars, *rest = summed
    active, slope = (values * np.float32(layer.scale) for values in silu_and_slope(scalars))
    d_active = np.zeros_like(active)
    d_active[:, :, : layer.n_scalars] = gradient[0]
    place = layer.n_scalars
    found: list[Array32] = []
    for part, d_part in zip(rest, gradient[1:], strict=False):
        some = slice(place, place + part.shape[2])
        d_active[:, 0, some] = (part * d_part).sum(1)
        d_rest: Array32 = d_part * active[:, :, some]
        found.append(d_rest)
        place = some.stop
    return [d_active * slope, *found]


def _convolution_back(
    convolution: Convolution,
    parts: list[Array32],
    bonds: Bonds,
    basis_slopes: Array32,
    gradient: Array32,
    d_lengths: Array32,
    d_harmonics: Array32,
) -> list[Array32]:
    """Gradient of a convolution's vectors; those of lengths and harmonics are added to.

    Args:
        convolution: The convolution.
        parts: Vectors that went in.
        bonds: The bonds.
        basis_slopes: Derivatives of ``bonds.basis`` along the lengths.
        gradient: Of what came out, side by side.
        d_lengths: Of the bonds' lengths.
        d_harmonics: Of the bonds' harmonics.
    """
    x = side_by_side(parts)
    d_x = np.zeros_like(x)
    for piece, both in pieces(bonds, lambda some: _weights(convolution, bonds.basis[some], basis_slopes[some])):
        turns = bonds.turns(convolution.coupling, piece.bonds)
        d_turns = np.empty_like(turns)
        kernels.add_slopes_of_messages(
            x,
            gradient[piece.atoms],
            piece.first,
            bonds.source[piece.bonds],
            piece.length,
            *both,
            turns,
            convolution.ways,
            d_x,
            d_turns,
            d_lengths[piece.bonds],
        )
        d_harmonics[piece.bonds] += d_turns @ convolution.coupling.T
    return split(d_x, [part.shape[2] for part in parts])


def _weights(convolution: Convolution, basis: Array32, slopes: Array32) -> tuple[Array32, Array32]:
    """Weights of messages by length, and their derivatives along it."""
    for layer in convolution.radial[:-1]:
        basis, slope = silu_and_slope(basis @ layer)
        slopes = slope * (slopes @ layer)
    return basis @ convolution.radial[-1], slopes @ convolution.radial[-1]
