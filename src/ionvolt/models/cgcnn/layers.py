"""What a convolution is made of, whether it learns or answers: the expansion of distances, batch norms at rest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ionvolt.models.cgcnn.architecture import GAUSSIAN_STEP, N_CENTRES


def expand_distances(distances: Tensor) -> Tensor:
    """U = exp(-((d - centre) / width)^2) for the 41 centres 0, 0.2, ..., 8 Å; shape (..., 41)."""
    centres = torch.arange(N_CENTRES, dtype=distances.dtype, device=distances.device) * GAUSSIAN_STEP
    return torch.exp(-(((distances[..., None] - centres) / GAUSSIAN_STEP) ** 2))


def running_statistics(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Mean and variance that a batch norm keeps, each of shape (features,)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
