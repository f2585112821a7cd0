"""The heads of an ensemble as they answer: their tensors side by side, one product a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ionvolt.models.cgcnn.kept import Kept
from ionvolt.models.cgcnn.network import Head


@dataclass(frozen=True)
class FusedHeads:
    """M heads of H hidden features.

    Attributes:
        hidden: Shape (M, F, H).
        hidden_bias: Shape (M, 1, H).
        output: Shape (M, H, 1).
        output_bias: Shape (M, 1, 1).
        mean: Of the target, V, shape (M, 1).
        std: Shape (M, 1).
    """

    hidden: Tensor
    hidden_bias: Tensor
    output: Tensor
    output_bias: Tensor
    mean: Tensor
    std: Tensor

    def __call__(self, pooled: Tensor) -> Tensor:
        """Voltages in V, shape (M, B), of pooled vectors, shape (M, B, F)."""
        hidden = functional.softplus(torch.baddbmm(self.hidden_bias, functional.softplus(pooled), self.hidden))
        return torch.baddbmm(self.output_bias, hidden, self.output)[..., 0] * self.std + self.mean


@torch.no_grad()
def fuse_heads(heads: Sequence[Head]) -> Kept[FusedHeads]:
    """Heads of one ion as one."""
    return Kept(
        heads,
        FusedHeads(
            hidden=torch.stack([head.hidden.weight.t() for head in heads]).contiguous(),
            hidden_bias=torch.stack([head.hidden.bias for head in heads])[:, None],
            output=torch.stack([head.output.weight.t() for head in heads]).contiguous(),
            output_bias=torch.stack([head.output.bias for head in heads])[:, None],
            mean=torch.stack([head.target_mean for head in heads])[:, None],
            std=torch.stack([head.target_std for head in heads])[:, None],
        ),
    )
