"""What a potential is here: a crystal in, energy, forces, stress and atom vectors out.

``ionvolt.testing.check_potential`` holds any potential to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.crystal import Crystal


@dataclass(frozen=True, eq=False)
class PotentialOutput:
    """What a potential says of a crystal.

    Attributes:
        energy: Energy of the cell in eV: on the Materials Project's GGA/GGA+U scale, for potentials trained on it.
        features: Atom vectors, shape (n_atoms, n_layers, size), float32; no layers where the potential has none.
            CHGNet's, 4 of 64 numbers, stand after convolutions 1, 2 and 3 and after the norm before the energy's last
            network (version 0.2.0 has no such norm: after convolution 4). SevenNet's, 2 of 128 numbers, stand after
            the last two convolutions.
        magmoms: Magnetic moment of each atom, without sign, in mu_B, shape (n_atoms,), float32; None where the
            potential knows none.
        atom_energies: Energy of each atom in eV, shape (n_atoms,), float64; they add up to ``energy``. None where the
            potential was not asked for them, or they were not kept.
    """

    energy: float
    features: NDArray[np.float32]
    magmoms: NDArray[np.float32] | None
    atom_energies: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Forces:
    """First derivatives of the energy.

    Attributes:
        energy: Energy of the cell, eV.
        forces: On the atoms, shape (n_atoms, 3), float64, eV/Å.
        stress: dE/dε / V, shape (3, 3), float64, eV/Å^3 (positive where the cell wants to shrink).
        output: What ``Potential.evaluate`` says of the crystal, where that came along at no cost; else None.
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    output: PotentialOutput | None = None


class Potential(Protocol):
    """A potential: energies, atom vectors, forces and stress of crystals as they are.

    Attributes:
        version: What it is called in answers. Results are remembered under it: two potentials that differ in any
            number have two versions.
    """

    version: str

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies and atom vectors of crystals, in their order.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know.
        """
        ...

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        Raises:
            InputError: As ``evaluate``, or the potential gives no such thing.
        """
        ...


def chunks(crystals: Sequence[Crystal], most: int) -> Iterator[list[Crystal]]:
    """Runs of crystals with at most ``most`` atoms together, or one crystal that has more."""
    chunk: list[Crystal] = []
    n_atoms = 0
    for crystal in crystals:
        if chunk and n_atoms + len(crystal) > most:
            yield chunk
            chunk, n_atoms = [], 0
        chunk.append(crystal)
        n_atoms += len(crystal)
    if chunk:
        yield chunk
