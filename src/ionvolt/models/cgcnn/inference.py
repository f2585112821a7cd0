"""An ensemble's networks as they answer: arrays of all members side by side, without PyTorch.

A linear layer of a concatenation is a sum of linear layers: z W = v_i W_self + v_j W_other + u_ij W_edge. The first
two are computed once for each atom, not for each of its edges. Where numba is installed the rest is one compiled pass
over the edges; without it NumPy gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionvolt.graphs import GraphBatch
from ionvolt.graphs.elements import element_vectors
from ionvolt.models.cgcnn.architecture import GAUSSIAN_STEP, N_CENTRES, N_CONVOLUTIONS
from ionvolt.models.cgcnn.folding import BEFORE, fold
from ionvolt.models.cgcnn.kernels import kernels_available
from ionvolt.typing import Array32


@dataclass(frozen=True, eq=False)
class Convolutions:
    """A layer of M members of F features; see ``folding.Folded``.

    Attributes:
        weight: Shape (M, F, 4 F).
        bias: Shape (M, 1, 4 F).
        edge_weights: Shape (M, centres, 2 F), padded.
        scale: Shape (M, F).
        shift: Shape (M, F).
    """

    weight: Array32
    bias: Array32
    edge_weights: Array32
    scale: Array32
    shift: Array32

    def __call__(self, atoms: Array32, batch: GraphBatch) -> Array32:
        """New atom vectors of those given, shape (M, N, F)."""
        both = np.matmul(atoms, self.weight)
        both += self.bias
        if not kernels_available():
            return self._plain(atoms, both, batch)
        from ionvolt.models.cgcnn import _convolution_numba as kernels

        out = np.empty_like(atoms)
        kernels.infer_members(
            atoms,
            both,
            self.edge_weights,
            batch.neighbours,
            batch.distances,
            GAUSSIAN_STEP,
            self.scale,
            self.shift,
            out,
        )
        return out

    def _plain(self, atoms: Array32, both: Array32, batch: GraphBatch) -> Array32:
        expanded = expand_distances(batch.distances)
        out = np.empty_like(atoms)
        channels = 2 * atoms.shape[2]
        for m, edge_weights in enumerate(self.edge_weights[:, BEFORE : BEFORE + N_CENTRES]):
            z = expanded @ edge_weights
            z += both[m, :, None, :channels]
            z += both[m, batch.neighbours, channels:]
            gated = sigmoid(z[..., : channels // 2]) * softplus(z[..., channels // 2 :])
            out[m] = softplus(atoms[m] + gated.sum(1) * self.scale[m] + self.shift[m])
        return out


@dataclass(frozen=True, eq=False)
class Trunks:
    """M trunks of F features.

    Attributes:
        elements: The learned vector of every element, shape (M, n_elements + 1, F); row = atomic number.
        convolutions: Their layers.
    """

    elements: Array32
    convolutions: tuple[Convolutions, ...]

    def atom_vectors(self, batch: GraphBatch) -> Array32:
        """The vectors of the atoms after the last convolution, shape (M, N, F)."""
        atoms = np.take(self.elements, batch.numbers, axis=1)
        for convolution in self.convolutions:
            atoms = convolution(atoms, batch)
        return atoms

    def pooled(self, batch: GraphBatch) -> Array32:
        """The mean of each crystal's atom vectors, shape (M, B, F)."""
        return pool(self.atom_vectors(batch), batch.n_atoms)


@dataclass(frozen=True, eq=False)
class Heads:
    """M voltage heads of F features, with H hidden ones.

    Attributes:
        hidden: Shape (M, F, H).
        hidden_bias: Shape (M, 1, H).
        output: Shape (M, H, 1).
        output_bias: Shape (M, 1).
        mean: Of the target, V, shape (M, 1).
        std: Shape (M, 1).
    """

    hidden: Array32
    hidden_bias: Array32
    output: Array32
    output_bias: Array32
    mean: Array32
    std: Array32

    def __call__(self, pooled: Array32) -> Array32:
        """Voltages in V, shape (M, B), of pooled vectors, shape (M, B, F)."""
        hidden = softplus(np.matmul(softplus(pooled), self.hidden) + self.hidden_bias)
        voltages: Array32 = (np.matmul(hidden, self.output)[..., 0] + self.output_bias) * self.std + self.mean
        return voltages

    def gradient(self, pooled: Array32) -> Array32:
        """How the voltages answer to each feature, V, shape (M, B, F), at pooled vectors of that shape.

        Written out: the derivative of softplus is the sigmoid.
        """
        inner = sigmoid(np.matmul(softplus(pooled), self.hidden) + self.hidden_bias)
        slopes = np.matmul(self.output.swapaxes(1, 2) * inner, self.hidden.swapaxes(1, 2)) * sigmoid(pooled)
        gradient: Array32 = slopes * self.std[..., None]
        return gradient

    def member(self, m: int) -> Heads:
        """One of them, as M = 1."""
        return Heads(**{name: array[m : m + 1] for name, array in vars(self).items()})


@dataclass(frozen=True, eq=False)
class LocalHeads:
    """M local-voltage heads, eq. (2) of the paper: V_i = v_i W + b, whose mean stands for the crystal's voltage.

    Attributes:
        weight: Shape (M, F, 1).
        bias: Shape (M, 1).
        baseline: Mean pooled vectors of the ion's training hosts, shape (M, F), where local voltages start; NaN where
            they are not known.
    """

    weight: Array32
    bias: Array32
    baseline: Array32

    def __call__(self, atoms: Array32) -> Array32:
        """Local voltages in V, shape (M, N), of atom vectors after the last convolution, shape (M, N, F)."""
        local: Array32 = np.matmul(atoms, self.weight)[..., 0] + self.bias
        return local


def folded_trunks(arrays: Mapping[str, Any], n_members: int) -> Trunks:
    """Trunks of named arrays, ``trunk.<member>.<name>`` with the names of ``architecture.TRUNK``."""
    table = element_vectors()
    elements = [
        table @ arrays[f"trunk.{m}.embedding.weight"].T + arrays[f"trunk.{m}.embedding.bias"] for m in range(n_members)
    ]
    layers = []
    for i in range(N_CONVOLUTIONS):
        folded = [fold(arrays, f"trunk.{m}.convolutions.{i}.") for m in range(n_members)]
        layers.append(
            Convolutions(
                weight=np.stack([f.weight for f in folded]),
                bias=np.stack([f.bias for f in folded])[:, None],
                edge_weights=np.stack([f.edge_weights for f in folded]),
                scale=np.stack([f.scale for f in folded]),
                shift=np.stack([f.shift for f in folded]),
            )
        )
    return Trunks(np.stack(elements), tuple(layers))


def side_by_side_heads(arrays: Mapping[str, Any], ion: str, n_members: int) -> Heads:
    """Heads of named arrays, ``head.<ion>.<member>.<name>`` with the names of ``architecture.HEAD``."""

    def stacked(name: str) -> Array32:
        return np.stack([arrays[f"head.{ion}.{m}.{name}"] for m in range(n_members)])

    return Heads(
        hidden=np.ascontiguousarray(stacked("hidden.weight").swapaxes(1, 2)),
        hidden_bias=stacked("hidden.bias")[:, None],
        output=np.ascontiguousarray(stacked("output.weight").swapaxes(1, 2)),
        output_bias=stacked("output.bias"),
        mean=stacked("target_mean").reshape(n_members, 1),
        std=stacked("target_std").reshape(n_members, 1),
    )


def side_by_side_local_heads(arrays: Mapping[str, Any], ion: str, n_members: int) -> LocalHeads:
    """Local heads of named arrays, ``local.<ion>.<member>.<name>``; where there is no baseline it is not known."""
    unknown = np.full(arrays[f"local.{ion}.0.linear.weight"].shape[1], np.nan, dtype=np.float32)
    names = [f"local.{ion}.{m}" for m in range(n_members)]
    return LocalHeads(
        weight=np.stack([arrays[f"{name}.linear.weight"].T for name in names]),
        bias=np.stack([arrays[f"{name}.linear.bias"] for name in names]),
        baseline=np.stack([arrays.get(f"{name}.baseline", unknown) for name in names]),
    )


def pool(atoms: Array32, n_atoms: Any) -> Array32:
    """Mean over the atoms of each crystal, (M, N, F) to (M, B, F); the crystals' atoms follow one another."""
    starts = np.cumsum(n_atoms) - n_atoms
    pooled: Array32 = np.add.reduceat(atoms, starts, axis=1) / n_atoms.astype(np.float32)[:, None]
    return pooled


def expand_distances(distances: Array32) -> Array32:
    """U = exp(-((d - centre) / width)^2) for the 41 centres 0, 0.2, ..., 8 Å; shape (..., 41)."""
    centres = np.arange(N_CENTRES, dtype=np.float32) * np.float32(GAUSSIAN_STEP)
    return np.exp(-(((distances[..., None] - centres) / np.float32(GAUSSIAN_STEP)) ** 2))


def softplus(x: Array32) -> Array32:
    """log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: Array32) -> Array32:
    """1 / (1 + exp(-x)); exp of nothing above zero, so that nothing overflows."""
    small = np.exp(-np.abs(x))
    found: Array32 = np.where(x >= 0, np.float32(1), small) / (1 + small)
    return found
