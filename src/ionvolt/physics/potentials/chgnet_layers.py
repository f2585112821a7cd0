"""CHGNet's layers compiled: the same numbers, forces in a third of the time.

The package gathers for each bond or angle what its atoms and bonds carry, puts it side by side and multiplies. Here
each atom and bond is multiplied once, and what comes of it is gathered; only angles carry something of their own. What
lies between the matrix products is one pass over bonds or angles (``_chgnet_numba``), forward and back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from ionvolt.physics.potentials import _chgnet_numba as kernels

_Index = NDArray[np.int32]
_NONE: _Index = np.zeros(0, dtype=np.int32)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, indices: tuple[_Index, ...], activated: bool, *tables: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(*tables)
        ctx.indices, ctx.activated = indices, activated
        shape = len(indices[0]), tables[0].shape[1] // 2
        core, gate = tables[0].new_empty(shape), tables[0].new_empty(shape)
        kernels.gather(*_mixed(tables, indices), activated, core.numpy(), gate.numpy())
        return core, gate

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_core: Tensor, d_gate: Tensor) -> tuple[Tensor | None, ...]:
        tables = ctx.saved_tensors
        slopes = [*(torch.zeros_like(table) for table in tables[:3]), torch.empty_like(tables[3])]
        kernels.gather_backward(
            *_mixed(tables, ctx.indices),
            ctx.activated,
            d_core.contiguous().numpy(),
            d_gate.contiguous().numpy(),
            *(slope.numpy() for slope in slopes),
        )
        return None, None, *slopes


def _mixed(tables: Any, indices: tuple[_Index, ...]) -> list[Any]:
    (a, b, c, own), (i, j, k) = (table.detach().numpy() for table in tables), indices
    return [a, i, b, j, c, k, own]


class _PassGate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, norms: Tensor, indices: tuple[_Index, ...], n_owners: int, core: Tensor, gate: Tensor, weights: Tensor
    ) -> Tensor:
        ctx.save_for_backward(norms, core, gate, weights)
        ctx.indices = indices
        out = core.new_zeros(n_owners, core.shape[1])
        kernels.pass_gate(*(t.detach().numpy() for t in (core, gate, norms, weights)), *indices, out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        norms, core, gate, weights = ctx.saved_tensors
        d_core, d_gate, d_weights = torch.empty_like(core), torch.empty_like(gate), torch.zeros_like(weights)
        kernels.pass_gate_backward(
            *(t.detach().numpy() for t in (core, gate, norms, weights)),
            *ctx.indices,
            slopes[0].contiguous().numpy(),
            d_core.numpy(),
            d_gate.numpy(),
            d_weights.numpy(),
        )
        return None, None, None, d_core, d_gate, d_weights


class CompiledGate(nn.Module):
    """Stands for a ``GatedMLP`` of the package."""

    def __init__(self, whole: Any) -> None:
        """Read the weights.

        Raises:
            NotImplementedError: It is built in another way than is written out here.
        """
        super().__init__()
        linears = [
            [layer for layer in part.layers if isinstance(layer, nn.Linear)]
            for part in (whole.mlp_core, whole.mlp_gate)
        ]
        kinds = {type(layer) for part in (whole.mlp_core, whole.mlp_gate) for layer in part.layers}
        norms = whole.bn1, whole.bn2
        if (
            not kinds <= {nn.Linear, nn.SiLU, nn.Dropout}
            or {len(part) for part in linears} not in ({1}, {2})
            or not all(isinstance(norm, nn.LayerNorm) and norm.eps == 1e-5 for norm in norms)
            or not isinstance(whole.activation, nn.SiLU)
        ):
            raise NotImplementedError
        self.weight = torch.cat([part[0].weight.detach() for part in linears])
        self.bias = torch.cat([part[0].bias.detach() for part in linears])
        self.second = [part[1] for part in linears if len(part) == 2]
        self.norms = torch.stack([one.detach() for norm in norms for one in (norm.weight, norm.bias)]).contiguous()

    def forward(
        self, parts: list[Tensor], rows: tuple[_Index, ...], weights: Tensor, end: tuple[_Index, ...], n_owners: int
    ) -> Tensor:
        """What the gate lets through, added up by owners, shape (n_owners, F).

        Args:
            parts: Vectors in the order in which the package puts them side by side; the one that bonds or angles have
                of their own comes third of four.
            rows: Which of the others each bond or angle takes, in their order.
            weights: By which messages are weighed.
            end: Two rows of weights for each, or none, and its owner.
            n_owners: Atoms, bonds or angles.
        """
        products, place = [], 0
        for part in parts:
            size = part.shape[1]
            products.append(linear(part, self.weight[:, place : place + size], None if place else self.bias))
            place += size
        own = products.pop(2) if len(products) > 3 else products[0].new_empty(0, products[0].shape[1])
        core, gate = _Gather.apply(rows, bool(self.second), *products, own)  # type: ignore[no-untyped-call]
        if self.second:
            core, gate = self.second[0](core), self.second[1](gate)
        answer: Tensor = _PassGate.apply(self.norms, end, n_owners, core, gate, weights)  # type: ignore[no-untyped-call]
        return answer


class AtomLayer(nn.Module):
    """Stands for an ``AtomConv``."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole, self.gate = whole, CompiledGate(whole.twoBody_atom)

    def forward(
        self,
        atom_feas: Tensor,
        bond_feas: Tensor,
        bond_weights: Tensor,
        atom_graph: Tensor,
        directed2undirected: Tensor,
    ) -> Tensor:
        """See the package's."""
        (center, neighbour), bond = _columns(atom_graph), directed2undirected.numpy()
        parts = [atom_feas, bond_feas, atom_feas]
        new = self.gate(parts, (center, bond, neighbour), bond_weights, (bond, _NONE, center), len(atom_feas))
        return _updated(self.whole, new, atom_feas, self.whole.atom_norm)


class BondLayer(nn.Module):
    """Stands for a ``BondConv``."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole, self.gate = whole, CompiledGate(whole.twoBody_bond)

    def forward(
        self, atom_feas: Tensor, bond_feas: Tensor, bond_weights: Tensor, angle_feas: Tensor, bond_graph: Tensor
    ) -> Tensor:
        """See the package's."""
        center, first, second = _columns(bond_graph)
        parts = [bond_feas, bond_feas, angle_feas, atom_feas]
        new = self.gate(parts, (first, second, center), bond_weights, (first, second, first), len(bond_feas))
        return _updated(self.whole, new, bond_feas, self.whole.bond_norm)


class AngleLayer(nn.Module):
    """Stands for an ``AngleUpdate``."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole, self.gate = whole, CompiledGate(whole.twoBody_bond)

    def forward(self, atom_feas: Tensor, bond_feas: Tensor, angle_feas: Tensor, bond_graph: Tensor) -> Tensor:
        """See the package's."""
        center, first, second = _columns(bond_graph)
        parts = [bond_feas, bond_feas, angle_feas, atom_feas]
        alone = np.arange(len(center), dtype=np.int32)
        unweighed = angle_feas.new_empty(0, angle_feas.shape[1])
        new: Tensor = self.gate(parts, (first, second, center), unweighed, (_NONE, _NONE, alone), len(center))
        if self.whole.resnet:
            new = new + angle_feas
        return new if self.whole.angle_norm is None else self.whole.angle_norm(new)


def _columns(graph: Tensor) -> list[_Index]:
    return list(np.ascontiguousarray(graph.numpy().T))


def _updated(whole: Any, new: Tensor, before: Tensor, norm: Any) -> Tensor:
    """Atoms or bonds with their messages."""
    if whole.use_mlp_out:
        new = whole.mlp_out(new)
    if whole.resnet:
        new = new + before
    return new if norm is None else norm(new)


def compile_layers(network: Any) -> None:
    """Put these layers into a network of the package's, in the places of its own, where they are the same.

    The last layer of angles is left out: nothing reads what it makes.
    """
    if len(network.angle_layers) >= network.n_conv - 1:
        network.angle_layers[network.n_conv - 2] = None
    for layers, kind in (
        (network.atom_conv_layers, AtomLayer),
        (network.bond_conv_layers, BondLayer),
        (network.angle_layers, AngleLayer),
    ):
        for number, layer in enumerate(layers):
            if layer is not None:
                try:
                    layers[number] = kind(layer)
                except NotImplementedError:
                    continue
