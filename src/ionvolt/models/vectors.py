"""What the models on top of the universal potential see of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potential import DEFAULT_VERSION, PotentialOutput, evaluate_versions
from ionvolt.structures.crystal import Crystal

ATOM_SIZE = 129
"""Numbers of an atom: its vectors after the third convolution and before the energy's last network, and its moment."""

WIDE_SIZE = ATOM_SIZE + 128
"""The same, and the two vectors of the potential that was transferred to another functional, r2SCAN."""

SECOND = "r2scan"
"""Version of the potential whose vectors stand beside those of the first."""

POOLED_SIZE = 1024
"""Numbers of a crystal: mean, deviation, least and largest of 64 features over its atoms, for each of four layers."""


@dataclass(frozen=True, eq=False)
class CrystalVectors:
    """A crystal as the universal potential sees it.

    Attributes:
        energy: eV per cell.
        atoms: Shape (n_atoms, ATOM_SIZE), or (n_atoms, WIDE_SIZE) where the second potential was asked; float32.
        pooled: Shape (POOLED_SIZE,), float32.
        volume: Å^3 per cell.
    """

    energy: float
    atoms: NDArray[np.float32]
    pooled: NDArray[np.float32]
    volume: float

    def __len__(self) -> int:
        return len(self.atoms)


def vectors_of(output: PotentialOutput, crystal: Crystal, second: PotentialOutput | None = None) -> CrystalVectors:
    """The vectors of a crystal from what one or both potentials say of it."""
    layers = output.features
    statistics = np.stack([layers.mean(0), layers.std(0), layers.min(0), layers.max(0)], axis=1)
    parts = [layers[:, 2], layers[:, 3], output.magmoms[:, None]]
    if second is not None:
        parts += [second.features[:, 2], second.features[:, 3]]
    atoms = np.concatenate(parts, axis=1).astype(np.float32)
    return CrystalVectors(output.energy, atoms, statistics.ravel().astype(np.float32), crystal.volume)


def evaluate_vectors(crystals: Sequence[Crystal], *, wide: bool = False) -> list[CrystalVectors]:
    """The vectors of crystals, in their order; a crystal given twice is evaluated once.

    Args:
        crystals: As they are; nothing is relaxed.
        wide: Ask the second potential too.

    Raises:
        InputError: A crystal holds an isolated atom or an element that the potential does not know.
    """
    unique = list({id(crystal): crystal for crystal in crystals}.values())
    outputs = evaluate_versions(unique, (DEFAULT_VERSION, SECOND) if wide else (DEFAULT_VERSION,))
    seconds = outputs.get(SECOND, [None] * len(unique))
    known = {
        id(crystal): vectors_of(first, crystal, second)
        for crystal, first, second in zip(unique, outputs[DEFAULT_VERSION], seconds, strict=True)
    }
    return [known[id(crystal)] for crystal in crystals]
