"""SevenNet's convolution, bond by bond the same numbers, in a third of the time and a bounded memory.

A message is the product of an atom's vector x (of degree l1), the bond's direction Y (l2) and a weight, in every way
that gives a vector of degree l3. The package multiplies x by Y first, then by the coupling coefficients C. Here Y and C
come first, one small matrix a bond for all ways that begin at l1; messages are added up before they are put in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BONDS_TOGETHER = 256
"""Bonds in one piece, both ways. More leave the cache, and what a bond carries on its way takes 60 kB."""


@dataclass(frozen=True)
class _Way:
    """One way to make messages: where its weights lie, where its numbers, and where they go."""

    weights: slice
    numbers: slice
    place: int


@dataclass(frozen=True)
class _Block:
    """All ways that begin with one part of the atoms' vectors.

    Attributes:
        part: Which part of the vectors.
        count: Vectors of that degree.
        degree: Their numbers, 2 l1 + 1.
        coupling: From a direction to the matrix of all ways, shape (n_direction, degree * n_numbers).
        ways: In the order of their numbers.
        weight_of: The weight of each number of a message, vector by vector, shape (count * n_numbers,).
    """

    part: slice
    count: int
    degree: int
    coupling: Tensor
    ways: list[_Way]
    weight_of: Tensor


class PiecewiseConvolution(nn.Module):
    """Stands for a convolution of the package. The edges must be bonds, then the same bonds the other way round."""

    def __init__(self, whole: Any) -> None:
        super().__init__()
        self.whole = whole
        self.blocks = _blocks(whole.convolution)
        self.n_places = len(whole.convolution.irreps_out)

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace the atoms' vectors by the sum of their messages."""
        whole, blocks = self.whole, self.blocks
        atoms, (to, source) = data[whole.key_x], data[whole.key_edge_idx]
        lengths, directions = data[whole.key_weight_input], data[whole.key_filter]
        n_bonds, n_atoms = len(to) // 2, len(atoms)
        parts = [atoms[:, block.part].contiguous() for block in blocks]
        sums = [torch.zeros(n_atoms, block.count * block.ways[-1].numbers.stop) for block in blocks]
        for start in range(0, n_bonds, BONDS_TOGETHER):
            stop = min(start + BONDS_TOGETHER, n_bonds)
            weights = whole.weight_nn(lengths[start:stop])
            both = torch.cat([torch.arange(start, stop), torch.arange(n_bonds + start, n_bonds + stop)])
            here, there, direction = to[both], source[both], directions[both]
            for block, part, total in zip(blocks, parts, sums, strict=True):
                vectors = part[there].view(-1, block.count, block.degree)
                messages = torch.bmm(vectors, (direction @ block.coupling).view(len(here), block.degree, -1))
                # A bond weighs the same both ways; in the order of the numbers it is one product without gaps.
                weighted = messages.view(2, stop - start, -1)
                weighted *= weights.index_select(1, block.weight_of)
                total.index_add_(0, here, messages.flatten(1))
        ordered: list[Tensor] = [torch.empty(0)] * self.n_places
        for block, total in zip(blocks, sums, strict=True):
            numbers = total.view(n_atoms, block.count, -1)
            for one in block.ways:
                ordered[one.place] = numbers[:, :, one.numbers].flatten(1)
        data[whole.key_x] = torch.cat(ordered, dim=1) / whole.denominator
        return data


def _blocks(product: Any) -> list[_Block]:
    """What the package's product of vectors and directions does, sorted by the part of the vectors."""
    from e3nn.o3 import wigner_3j

    first, second, out = product.irreps_in1, product.irreps_in2, product.irreps_out
    parts, arcs = first.slices(), second.slices()
    blocks = []
    for number, (count, irrep) in enumerate(first):
        couplings, ways, offset, width = [], [], 0, 0
        for one in product.instructions:
            weights = slice(offset, offset + first[one.i_in1].mul)
            offset = weights.stop
            if one.i_in1 != number:
                continue
            target = out[one.i_out].ir
            coupling = torch.zeros(second.dim, irrep.dim, target.dim)
            coefficients = wigner_3j(irrep.l, second[one.i_in2].ir.l, target.l, dtype=torch.float64)
            coupling[arcs[one.i_in2]] = (one.path_weight * coefficients).permute(1, 0, 2).float()
            couplings.append(coupling)
            ways.append(_Way(weights, slice(width, width + target.dim), one.i_out))
            width += target.dim
        columns = [
            torch.arange(way.weights.start, way.weights.stop)[:, None].repeat(1, way.numbers.stop - way.numbers.start)
            for way in ways
        ]
        coupled, weight_of = torch.cat(couplings, 2).flatten(1), torch.cat(columns, 1).flatten()
        blocks.append(_Block(parts[number], count, irrep.dim, coupled, ways, weight_of))
    return blocks
