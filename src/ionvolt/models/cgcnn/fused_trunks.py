"""The trunks of an ensemble as they answer: tensors side by side, one product and one compiled pass a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ionvolt.graphs import GraphBatch
from ionvolt.models.cgcnn import _convolution_numba as kernels
from ionvolt.models.cgcnn.fused_inference import fold
from ionvolt.models.cgcnn.kept import Kept
from ionvolt.models.cgcnn.layers import GAUSSIAN_STEP
from ionvolt.models.cgcnn.network import Trunk


@dataclass(frozen=True)
class FusedConvolutions:
    """A layer of M members of F features; see ``fused_inference.Folded``.

    Attributes:
        weight: Shape (M, F, 4 F).
        bias: Shape (M, 1, 4 F).
        edge_weights: Shape (M, centres, 2 F), with the kernels' padding.
        scale: Shape (M, F).
        shift: Shape (M, F).
    """

    weight: Tensor
    bias: Tensor
    edge_weights: Tensor
    scale: Tensor
    shift: Tensor

    def __call__(self, atoms: Tensor, batch: GraphBatch) -> Tensor:
        """New atom vectors of those given, shape (M, N, F)."""
        both = torch.baddbmm(self.bias, atoms, self.weight)
        out = torch.empty_like(both[..., : atoms.shape[2]], memory_format=torch.contiguous_format)
        kernels.infer_members(
            atoms.numpy(),
            both.numpy(),
            self.edge_weights.numpy(),
            batch.neighbours,
            batch.distances,
            GAUSSIAN_STEP,
            self.scale.numpy(),
            self.shift.numpy(),
            out.numpy(),
        )
        return out


@dataclass(frozen=True)
class FusedTrunks:
    """M trunks: element vectors, shape (M, n_elements + 1, F), and convolutions."""

    elements: Tensor
    convolutions: tuple[FusedConvolutions, ...]

    def __call__(self, batch: GraphBatch) -> Tensor:
        """Pooled vectors of every member, shape (M, B, F)."""
        atoms = self.elements[:, torch.from_numpy(batch.numbers)]
        for convolution in self.convolutions:
            atoms = convolution(atoms, batch)
        if len(batch) == 1:
            return atoms.mean(1, keepdim=True)
        n_members, _, n_features = atoms.shape
        summed = atoms.new_zeros(n_members, len(batch), n_features)
        summed.index_add_(1, torch.from_numpy(batch.crystal_index), atoms)
        return summed / torch.from_numpy(batch.n_atoms).to(atoms.dtype)[:, None]


@torch.no_grad()
def fuse_trunks(trunks: Sequence[Trunk]) -> Kept[FusedTrunks]:
    """Trunks at rest as one."""
    layers = []
    for parts in zip(*(trunk.convolutions for trunk in trunks), strict=True):
        folded = [fold(part.linear, part.edge_norm, part.atom_norm) for part in parts]
        layers.append(
            FusedConvolutions(
                weight=torch.stack([f.weight for f in folded]),
                bias=torch.stack([f.bias for f in folded])[:, None],
                edge_weights=torch.stack([torch.from_numpy(f.edge_weights) for f in folded]),
                scale=torch.stack([torch.from_numpy(f.scale) for f in folded]),
                shift=torch.stack([torch.from_numpy(f.shift) for f in folded]),
            )
        )
    elements = torch.stack([trunk.embed_elements() for trunk in trunks])
    return Kept(trunks, FusedTrunks(elements, tuple(layers)))
