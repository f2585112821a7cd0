"""The crystal graph convolution, eq. (1) of the paper, without ever building z = v_i + v_j + u_ij as a matrix.

A linear layer of a concatenation is a sum of linear layers: z W = v_i W_self + v_j W_other + u_ij W_edge. The first
two are computed once for each atom, not for each of its edges, and gathered. Where numba is installed the rest is one
compiled pass over the edges; without it plain torch gives the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.models.cgcnn.architecture import GAUSSIAN_STEP, N_CENTRES
from ionvolt.models.cgcnn.folding import AFTER, BEFORE, Folded, fold, padded
from ionvolt.models.cgcnn.kept import Kept
from ionvolt.models.cgcnn.kernels import kernels_available
from ionvolt.models.cgcnn.layers import expand_distances, running_statistics


class GraphConvolution(nn.Module):
    """One convolution of the CGCNN: gate times core, summed over neighbours, added to the atom.

    z (n_features + n_features + 41) → linear to 2 n_features → batch norm over edges → sigmoid(gate) softplus(core)
    → sum over the neighbours → batch norm over atoms → softplus(v + sum).
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.linear = nn.Linear(2 * n_features + N_CENTRES, 2 * n_features)
        self.edge_norm = nn.BatchNorm1d(2 * n_features)
        self.atom_norm = nn.BatchNorm1d(n_features)
        self._folded: Kept[_FoldedTensors] | None = None

    def forward(self, atoms: Tensor, neighbours: Tensor, distances: Tensor) -> Tensor:
        """New atom vectors, shape (N, n_features).

        Args:
            atoms: Atom vectors, shape (N, n_features).
            neighbours: Indices, shape (N, k), int64.
            distances: In Å, shape (N, k).
        """
        compiled = atoms.device.type == "cpu" and atoms.dtype == torch.float32 and kernels_available()
        norms_rest = not (self.edge_norm.training or self.atom_norm.training)
        if compiled and norms_rest and not torch.is_grad_enabled():
            return self._current_fold()(atoms, neighbours, distances)
        n = self.n_features
        weight = self.linear.weight
        own = functional.linear(atoms, weight[:, :n], self.linear.bias)
        other = functional.linear(atoms, weight[:, n : 2 * n])
        edge_weights = weight[:, 2 * n :].t()
        if compiled:
            summed = self._compiled(own, other, edge_weights, neighbours, distances)
        else:
            z = own[:, None] + other[neighbours] + expand_distances(distances) @ edge_weights
            z = self.edge_norm(z.flatten(0, 1)).view_as(z)
            gate, core = z.chunk(2, dim=-1)
            summed = (torch.sigmoid(gate) * functional.softplus(core)).sum(1)
        updated: Tensor = functional.softplus(atoms + self.atom_norm(summed))
        return updated

    def _current_fold(self) -> _FoldedTensors:
        if self._folded is None or not self._folded.holds:
            arrays = {name: tensor.detach().numpy() for name, tensor in self.state_dict().items()}
            self._folded = Kept((self.linear, self.edge_norm, self.atom_norm), _FoldedTensors(fold(arrays)))
        return self._folded.made

    def _compiled(
        self, own: Tensor, other: Tensor, edge_weights: Tensor, neighbours: Tensor, distances: Tensor
    ) -> Tensor:
        norm = self.edge_norm
        apply: Any = _GatedSum.apply
        summed: Tensor = apply(own, other, edge_weights, norm.weight, norm.bias, neighbours, distances, norm)
        return summed


class _FoldedTensors:
    """A convolution whose norms rest: one matrix product and one compiled pass."""

    def __init__(self, folded: Folded) -> None:
        self.folded = folded
        self.weight, self.bias = torch.from_numpy(folded.weight), torch.from_numpy(folded.bias)

    def __call__(self, atoms: Tensor, neighbours: Tensor, distances: Tensor) -> Tensor:
        from ionvolt.models.cgcnn import _convolution_numba as kernels

        both = torch.addmm(self.bias, atoms, self.weight)
        out = torch.empty(atoms.shape)
        kernels.infer(
            atoms.numpy(),
            both.numpy(),
            self.folded.edge_weights,
            neighbours.numpy(),
            distances.numpy(),
            GAUSSIAN_STEP,
            self.folded.scale,
            self.folded.shift,
            out.numpy(),
        )
        return out


class _GatedSum(torch.autograd.Function):
    """Edge inputs, batch norm, gate and sum over neighbours, with compiled forward and backward passes."""

    @staticmethod
    def forward(
        ctx: Any,
        own: Tensor,
        other: Tensor,
        edge_weights: Tensor,
        gamma: Tensor,
        beta: Tensor,
        neighbours: Tensor,
        distances: Tensor,
        norm: nn.BatchNorm1d,
    ) -> Tensor:
        from ionvolt.models.cgcnn import _convolution_numba as kernels

        n, channels = own.shape
        k = neighbours.shape[1]
        z = np.empty((n, k, channels), dtype=np.float32)
        total, squared = np.zeros(channels), np.zeros(channels)
        kernels.edge_inputs(
            own.detach().numpy(),
            other.detach().numpy(),
            padded(edge_weights.detach().numpy()),
            neighbours.numpy(),
            distances.numpy(),
            GAUSSIAN_STEP,
            z,
            total,
            squared,
        )
        if norm.training:
            n_edges = n * k
            mean = total / n_edges
            variance = np.maximum(squared / n_edges - mean**2, 0.0)
            _update_running_statistics(norm, mean, variance * n_edges / max(n_edges - 1, 1))
        else:
            mean, variance = (part.double().numpy() for part in running_statistics(norm))
        inverse_std = 1.0 / np.sqrt(variance + norm.eps)
        scale = gamma.detach().double().numpy() * inverse_std
        shift = beta.detach().double().numpy() - mean * scale
        out = np.empty((n, channels // 2), dtype=np.float32)
        kernels.gate(z, scale.astype(np.float32), shift.astype(np.float32), out)
        ctx.save_for_backward(neighbours, distances)
        ctx.arrays = (z, mean, inverse_std, scale, shift)
        ctx.training = norm.training
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        from ionvolt.models.cgcnn import _convolution_numba as kernels

        neighbours, distances = (t.numpy() for t in ctx.saved_tensors)
        z, mean, inverse_std, scale, shift = ctx.arrays
        n, k, channels = z.shape
        grad = np.empty_like(z)
        total, total_z = np.zeros(channels), np.zeros(channels)
        kernels.gate_backward(
            z,
            scale.astype(np.float32),
            shift.astype(np.float32),
            grad_outputs[0].contiguous().numpy(),
            grad,
            total,
            total_z,
        )
        grad_gamma = (total_z - mean * total) * inverse_std
        # Batch norm backward, gathered as slope * grad + slope_z * z + constant.
        slope = scale
        if ctx.training:
            slope_z = -scale * inverse_std * grad_gamma / (n * k)
            constant = -scale * total / (n * k) - slope_z * mean
        else:
            slope_z, constant = np.zeros(channels), np.zeros(channels)
        grad_own = np.zeros((n, channels), dtype=np.float32)
        grad_other = np.zeros((n, channels), dtype=np.float32)
        grad_weights = np.zeros((BEFORE + N_CENTRES + AFTER, channels), dtype=np.float32)
        kernels.edge_inputs_backward(
            z,
            grad,
            slope.astype(np.float32),
            slope_z.astype(np.float32),
            constant.astype(np.float32),
            neighbours,
            distances,
            GAUSSIAN_STEP,
            grad_own,
            grad_other,
            grad_weights,
        )
        return (
            torch.from_numpy(grad_own),
            torch.from_numpy(grad_other),
            torch.from_numpy(grad_weights[BEFORE : BEFORE + N_CENTRES]),
            torch.from_numpy(grad_gamma.astype(np.float32)),
            torch.from_numpy(total.astype(np.float32)),
            None,
            None,
            None,
        )


def _update_running_statistics(norm: nn.BatchNorm1d, mean: np.ndarray, variance: np.ndarray) -> None:
    assert norm.momentum is not None
    running_mean, running_variance = running_statistics(norm)
    running_mean.lerp_(torch.from_numpy(mean).float(), norm.momentum)
    running_variance.lerp_(torch.from_numpy(variance).float(), norm.momentum)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
