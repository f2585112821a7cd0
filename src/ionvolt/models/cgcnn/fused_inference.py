"""A convolution as it answers: both batch norms folded into its weights, one matrix product and one compiled pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.models.cgcnn import _convolution_numba as kernels
from ionvolt.models.cgcnn.layers import GAUSSIAN_STEP, running_statistics


@dataclass(frozen=True)
class Folded:
    """What inference needs of a convolution of F features.

    Attributes:
        weight: Of the atoms, for the atom itself and as another's neighbour, shape (F, 4 F).
        bias: Shape (4 F,).
        edge_weights: Of the expanded distance, with the kernels' padding, shape (centres, 2 F).
        scale: Of the norm over atoms, shape (F,).
        shift: Shape (F,).
    """

    weight: Tensor
    bias: Tensor
    edge_weights: NDArray[np.float32]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]

    def __call__(self, atoms: Tensor, neighbours: Tensor, distances: Tensor) -> Tensor:
        """New atom vectors, shape (N, F); arguments as those of ``GraphConvolution.forward``."""
        both = torch.addmm(self.bias, atoms, self.weight)
        out = torch.empty(atoms.shape)
        kernels.infer(
            atoms.numpy(),
            both.numpy(),
            self.edge_weights,
            neighbours.numpy(),
            distances.numpy(),
            GAUSSIAN_STEP,
            self.scale,
            self.shift,
            out.numpy(),
        )
        return out


@torch.no_grad()
def fold(linear: nn.Linear, edge_norm: nn.BatchNorm1d, atom_norm: nn.BatchNorm1d) -> Folded:
    """Fold the layers of a convolution as they are now."""
    n = atom_norm.num_features
    scale, shift = _affine(edge_norm)
    weight = linear.weight * scale[:, None]
    atom_scale, atom_shift = _affine(atom_norm)
    return Folded(
        weight=torch.cat([weight[:, :n], weight[:, n : 2 * n]]).t().contiguous(),
        bias=torch.cat([linear.bias * scale + shift, torch.zeros(2 * n)]),
        edge_weights=padded(weight[:, 2 * n :].t()).numpy(),
        scale=atom_scale.numpy(),
        shift=atom_shift.numpy(),
    )


def padded(edge_weights: Tensor) -> Tensor:
    """Edge weights between the rows of zeros that the kernels count on."""
    return functional.pad(edge_weights, (0, 0, kernels.BEFORE, kernels.AFTER)).contiguous()


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Scale and shift that a batch norm comes to when it is not training."""
    mean, variance = running_statistics(norm)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale
