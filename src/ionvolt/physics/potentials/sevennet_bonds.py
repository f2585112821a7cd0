"""Bonds as SevenNet takes them: lengths in Bessel functions, directions in real harmonics."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SAME_LENGTH = 1e-6
"""Å below which two bonds are of one length."""

BONDS_TOGETHER = 16_000
"""Bonds up to which the matrices of their directions are kept from layer to layer, 3 kB each."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """How lengths and directions enter.

    Attributes:
        waves: Wave numbers of the Bessel functions, 1/Å, shape (n_basis,).
        height: Their common factor.
        cutoff: Å.
        power: Of the polynomial that ends at the cut-off (Gasteiger et al., arXiv 2003.03123, eq. 8).
    """

    waves: Tensor
    height: float
    cutoff: float
    power: int

    def basis(self, lengths: Tensor) -> Tensor:
        """Of lengths in Å, shape (n, n_basis)."""
        p, d = self.power, lengths / self.cutoff
        end = 1 - (p + 1) * (p + 2) / 2 * d**p + p * (p + 2) * d ** (p + 1) - p * (p + 1) / 2 * d ** (p + 2)
        return self.height * torch.sin(self.waves * lengths[:, None]) / lengths[:, None] * end[:, None]

    @staticmethod
    def harmonics(arrows: Tensor) -> Tensor:
        """Real harmonics of degrees 0 to 3 of directions, about y, shape (n, 16); squares of a degree sum to 2l+1."""
        x, y, z = (arrows / torch.linalg.vector_norm(arrows, dim=1, keepdim=True)).unbind(1)
        xz, flat = 3**0.5 * x * z, 3**0.5 / 2 * (z * z - x * x)
        around, high = x * x + z * z, 4 * y * y
        degrees = [
            (1.0, [torch.ones_like(x)]),
            (3**0.5, [x, y, z]),
            (5**0.5, [xz, 3**0.5 * x * y, y * y - around / 2, 3**0.5 * y * z, flat]),
            (
                7**0.5,
                [
                    (5 / 6) ** 0.5 * (xz * z + flat * x),
                    5**0.5 * xz * y,
                    (3 / 8) ** 0.5 * (high - around) * x,
                    y * (y * y - 3 / 2 * around),
                    (3 / 8) ** 0.5 * (high - around) * z,
                    5**0.5 * flat * y,
                    (5 / 6) ** 0.5 * (flat * z - xz * x),
                ],
            ),
        ]
        return torch.stack([factor * one for factor, some in degrees for one in some], 1)


@dataclass(frozen=True, eq=False)
class Bonds:
    """Bonds in the order of the atoms that they lead to.

    Attributes:
        first: Where each atom's bonds begin, and where the last one's end, shape (n_atoms + 1,).
        source: Atom from which each message comes.
        length: Which length each bond has.
        basis: The lengths as the networks take them, shape (n_lengths, n_basis).
        harmonics: Spherical harmonics of the directions, shape (n_bonds, n_harmonics).
        kept: Matrices of the directions that were asked for, by the coupling that made them.
    """

    first: NDArray[np.int64]
    source: NDArray[np.int64]
    length: NDArray[np.int64]
    basis: Tensor
    harmonics: Tensor
    kept: dict[int, Tensor] = field(default_factory=dict)

    def turns(self, coupling: Tensor, some: slice) -> Tensor:
        """Matrices of the directions of some bonds, shape (n, n_turns)."""
        if len(self.source) > BONDS_TOGETHER:
            return self.harmonics[some] @ coupling
        if id(coupling) not in self.kept:
            self.kept[id(coupling)] = self.harmonics @ coupling
        return self.kept[id(coupling)][some]


def bonds_of(embedding: Embedding, n_atoms: int, ends: NDArray[np.int64], vectors: NDArray[np.float64]) -> Bonds:
    """Bonds in the order of the atoms that they lead to; arguments as those of ``CompiledNetwork``."""
    to, source = ends
    order = np.argsort(to, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(to, minlength=n_atoms))])
    arrows = vectors[order]
    distances = np.sqrt((arrows**2).sum(1))
    _, known, length = np.unique(np.round(distances / SAME_LENGTH), return_index=True, return_inverse=True)
    lengths = torch.from_numpy(distances[known].astype(np.float32))
    basis = embedding.basis(lengths)
    harmonics = embedding.harmonics(torch.from_numpy(arrows.astype(np.float32)))
    return Bonds(first, source[order], length, basis, harmonics)
