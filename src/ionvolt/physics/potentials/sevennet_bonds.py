"""Bonds as SevenNet takes them, lengths in Bessel functions, directions in real harmonics; and what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ionvolt.typing import Array32

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

    waves: Array32
    height: float
    cutoff: float
    power: int

    def basis(self, lengths: Array32) -> Array32:
        """Of lengths in Å, shape (n, n_basis)."""
        found: Array32 = np.sin(lengths[:, None] * self.waves)
        found *= (np.float32(self.height) * self._end(lengths) / lengths)[:, None]
        return found

    def _end(self, lengths: Array32) -> Array32:
        """The polynomial that ends at the cut-off, shape (n,)."""
        p, d = self.power, lengths / np.float32(self.cutoff)
        # Written as the package writes it: in another order its rounding shows in the fifth digit of atom vectors.
        found: Array32 = 1 - (p + 1) * (p + 2) / 2 * d**p + p * (p + 2) * d ** (p + 1) - p * (p + 1) / 2 * d ** (p + 2)
        return found

    def basis_slopes(self, lengths: Array32) -> Array32:
        """Derivatives of ``basis`` along the length, 1/Å, shape (n, n_basis)."""
        p, d, r, end = self.power, lengths / np.float32(self.cutoff), lengths, self._end(lengths)
        fall = -p * (p + 1) * (p + 2) / 2 * d ** (p - 1) * (1 - d) ** 2 / np.float32(self.cutoff)
        height = np.float32(self.height)
        inside = r[:, None] * self.waves
        found: Array32 = np.cos(inside) * self.waves * (height * end / r)[:, None]
        found += np.sin(inside) * (height * (fall - end / r) / r)[:, None]
        return found.astype(np.float32)

    @staticmethod
    def harmonics(arrows: Array32) -> Array32:
        """Real harmonics of degrees 0 to 3 of directions, about y, shape (n, 16); squares of a degree sum to 2l+1."""
        x, y, z = (arrows / np.sqrt((arrows**2).sum(1, keepdims=True))).T.copy()
        xz, flat = 3**0.5 * x * z, 3**0.5 / 2 * (z * z - x * x)
        around, high = x * x + z * z, 4 * y * y
        degrees = [
            (1.0, [np.ones_like(x)]),
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
        found: Array32 = np.stack([factor * one for factor, some in degrees for one in some], 1)
        return found


def harmonics_back(arrows: Array32, gradient: Array32) -> Array32:
    """Gradient of arrows, shape (n, 3), from that of ``Embedding.harmonics`` of them, shape (n, 16)."""
    lengths = np.sqrt((arrows**2).sum(1, keepdims=True))
    unit = arrows / lengths
    x, y, z = unit.T.copy()
    one, nothing = np.ones_like(x), np.zeros_like(x)
    a, b, c, d = 3**0.5, (5 / 6) ** 0.5, 5**0.5, (3 / 8) ** 0.5
    # Derivatives along x, y and z of the polynomials as they are written there, degree by degree.
    degrees = [
        (1.0, [(nothing, nothing, nothing)]),
        (3**0.5, [(one, nothing, nothing), (nothing, one, nothing), (nothing, nothing, one)]),
        (
            5**0.5,
            [
                (a * z, nothing, a * x),
                (a * y, a * x, nothing),
                (-x, 2 * y, -z),
                (nothing, a * z, a * y),
                (-a * x, nothing, a * z),
            ],
        ),
        (
            7**0.5,
            [
                (a * b * 1.5 * (z * z - x * x), nothing, 3 * a * b * x * z),
                (c * a * y * z, c * a * x * z, c * a * x * y),
                (d * (4 * y * y - 3 * x * x - z * z), 8 * d * x * y, -2 * d * x * z),
                (-3 * x * y, 3 * y * y - 1.5 * (x * x + z * z), -3 * y * z),
                (-2 * d * x * z, 8 * d * y * z, d * (4 * y * y - x * x - 3 * z * z)),
                (-c * a * x * y, c * a / 2 * (z * z - x * x), c * a * y * z),
                (-3 * a * b * x * z, nothing, 1.5 * a * b * (z * z - x * x)),
            ],
        ),
    ]
    slopes = np.array([[factor * along for along in three] for factor, some in degrees for three in some])
    of_unit = np.einsum("nh,han->na", gradient, slopes)
    found: Array32 = ((of_unit - (of_unit * unit).sum(1, keepdims=True) * unit) / lengths).astype(np.float32)
    return found


@dataclass(frozen=True, eq=False)
class Bonds:
    """Bonds in the order of the atoms that they lead to.

    Attributes:
        first: Where each atom's bonds begin, and where the last one's end, shape (n_atoms + 1,).
        source: Atom from which each message comes.
        arrows: From each atom to the one that the message comes from, Å, shape (n_bonds, 3), float64.
        length: Which length each bond has.
        lengths: All of them, Å, shape (n_lengths,).
        basis: The lengths as the networks take them, shape (n_lengths, n_basis).
        harmonics: Spherical harmonics of the directions, shape (n_bonds, n_harmonics).
        kept: Matrices of the directions that were asked for, by the coupling that made them.
    """

    first: NDArray[np.int64]
    source: NDArray[np.int64]
    arrows: NDArray[np.float64]
    length: NDArray[np.int64]
    lengths: Array32
    basis: Array32
    harmonics: Array32
    kept: dict[int, Array32] = field(default_factory=dict)

    def turns(self, coupling: Array32, some: slice) -> Array32:
        """Matrices of the directions of some bonds, shape (n, n_turns)."""
        if len(self.source) > BONDS_TOGETHER:
            found: Array32 = self.harmonics[some] @ coupling
            return found
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
    lengths = distances[known].astype(np.float32)
    harmonics = embedding.harmonics(arrows.astype(np.float32))
    return Bonds(first, source[order], arrows, length, lengths, embedding.basis(lengths), harmonics)


@dataclass(frozen=True, eq=False)
class BondSlopes:
    """Energies, and how they change with the bonds.

    Attributes:
        energies: Of the atoms, eV, shape (n_atoms,).
        ends: Atoms from which and to which each directed bond leads, shape (2, n_bonds).
        vectors: From the first to the second, Å, shape (n_bonds, 3).
        slopes: Gradient of the total energy with respect to each vector, eV/Å, shape (n_bonds, 3).
        scalars: Of the atoms after each layer, as ``CompiledNetwork`` gives them; empty where they are not kept.
    """

    energies: NDArray[np.float64]
    ends: NDArray[np.int64]
    vectors: NDArray[np.float64]
    slopes: NDArray[np.float64]
    scalars: Sequence[Array32] = ()
