"""What the models on top of universal potentials see of a crystal.

All look at SevenNet's vectors of its atoms. Learners of electrodes whose ends are both known look at CHGNet's, too: it
was trained on the magnetic moments of the Materials Project, and so knows more of which state an ion is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.interface import PotentialOutput
from ionvolt.physics.potentials.sevennet import N_SCALARS, load_sevennet
from ionvolt.physics.potentials.sevennet_package import N_LAYERS
from ionvolt.physics.settling import GivenForces, at_ease
from ionvolt.structures.crystal import Crystal

T = TypeVar("T")

ATOM_SIZE = N_LAYERS * N_SCALARS
"""Numbers of an atom: what does not turn with the crystal, after the potential's last two convolutions."""

CHGNET_LAYERS, CHGNET_SCALARS = 2, 64
"""The last of CHGNet's vectors of an atom: after its third convolution, and after the norm before its energy."""

WIDE_SIZE = ATOM_SIZE + CHGNET_LAYERS * CHGNET_SCALARS
"""Numbers of an atom where CHGNet's stand behind SevenNet's."""

LAST = slice(ATOM_SIZE // 2, ATOM_SIZE)
"""Where an atom's vector of SevenNet's last layer stands."""

POOLED_SIZE = 4 * ATOM_SIZE
"""Numbers of a crystal: mean, deviation, least and largest over its atoms of each number in each layer."""


AVERAGES_SIZE = 2 * ATOM_SIZE
"""Those of them by which kernels compare crystals: mean and deviation."""


@dataclass(frozen=True, eq=False)
class CrystalFeatures:
    """A crystal as the universal potential SevenNet sees it.

    Attributes:
        energy: eV per cell.
        atoms: The last two layers side by side, shape (n_atoms, ATOM_SIZE), float32; with CHGNet's behind them, shape
            (n_atoms, WIDE_SIZE).
        pooled: Shape (POOLED_SIZE,), float32.
        volume: Å^3 per cell.
        atom_energies: eV of each atom, shape (n_atoms,), float64; they add up to ``energy``. None where not kept.
        numbers: Atomic numbers, shape (n_atoms,), int64. None where not kept.
    """

    energy: float
    atoms: NDArray[np.float32]
    pooled: NDArray[np.float32]
    volume: float
    atom_energies: NDArray[np.float64] | None = None
    numbers: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def narrow(self) -> CrystalFeatures:
        """The same without CHGNet's vectors."""
        return replace(self, atoms=self.atoms[:, :ATOM_SIZE])

    @property
    def averages(self) -> NDArray[np.float32]:
        """Mean and deviation over the atoms of each number in each layer, shape (AVERAGES_SIZE,)."""
        return self.pooled.reshape(N_LAYERS, 4, N_SCALARS)[:, :2].ravel()

    @property
    def fingerprint(self) -> NDArray[np.float32]:
        """Mean and deviation of the last layer, in which crystals are compared, shape (ATOM_SIZE,)."""
        return self.pooled[POOLED_SIZE // 2 :][:ATOM_SIZE]


def pool_features(output: PotentialOutput, crystal: Crystal) -> CrystalFeatures:
    """The features of a crystal from what the equivariant potential says of it."""
    layers = output.features
    statistics = np.stack([layers.mean(0), layers.std(0), layers.min(0), layers.max(0)], axis=1)
    atoms = layers.reshape(len(layers), ATOM_SIZE).astype(np.float32)
    pooled = statistics.ravel().astype(np.float32)
    return CrystalFeatures(output.energy, atoms, pooled, crystal.volume, output.atom_energies, crystal.numbers)


def compute_features(crystals: Sequence[Crystal]) -> list[CrystalFeatures]:
    """The features of crystals as they are, in their order; a crystal given twice is evaluated once.

    Raises:
        InputError: A crystal holds an isolated atom or an element that the potential does not know.
    """
    return _each_once(crystals, lambda some: map(pool_features, load_sevennet().evaluate(some), some))


def features_at_ease(crystal: Crystal) -> tuple[Crystal, GivenForces, CrystalFeatures]:
    """A given crystal, settled where it is not relaxed (``settling.at_ease``), with its forces and its features.

    Raises:
        InputError: As ``compute_features``.
    """
    eased, given = at_ease(crystal, load_sevennet())
    if given.output is None:
        return eased, given, compute_features([eased])[0]
    return eased, given, pool_features(given.output, eased)


def with_chgnet(features: Sequence[CrystalFeatures], crystals: Sequence[Crystal]) -> list[CrystalFeatures]:
    """Features of crystals with CHGNet's vectors of their atoms behind SevenNet's.

    Raises:
        InputError: A crystal holds an isolated atom or an element that CHGNet does not know.
    """
    outputs = _each_once(crystals, load_chgnet().evaluate)
    return [
        replace(one, atoms=np.hstack([one.atoms, output.features[:, -CHGNET_LAYERS:].reshape(len(one), -1)]))
        for one, output in zip(features, outputs, strict=True)
    ]


def compute_wide_features(crystals: Sequence[Crystal]) -> list[CrystalFeatures]:
    """As ``compute_features``, with CHGNet's vectors.

    Raises:
        InputError: As there.
    """
    return with_chgnet(compute_features(crystals), crystals)


def _each_once(crystals: Sequence[Crystal], look: Callable[[list[Crystal]], Iterable[T]]) -> list[T]:
    """What is found of crystals, in their order; one given twice is looked at once."""
    unique = list({id(crystal): crystal for crystal in crystals}.values())
    known = dict(zip(map(id, unique), look(unique), strict=True))
    return [known[id(crystal)] for crystal in crystals]
