"""The first layer of networks on atom vectors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ionvolt.models.mlip.delta_network import CLIP


class Standardise(nn.Module):
    """Subtract the mean, divide by the deviation, clip."""

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def learn(self, values: NDArray[np.float32]) -> None:
        """Take mean and deviation of the rows of ``values``."""
        self.mean.copy_(torch.from_numpy(values.mean(0)))
        self.scale.copy_(torch.from_numpy(values.std(0) + 1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Standardised values, of the same shape."""
        return ((values - self.mean) / self.scale).clamp(-CLIP, CLIP)
