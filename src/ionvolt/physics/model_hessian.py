"""How stiff a crystal is, guessed from its distances alone: where a relaxation begins.

In the spirit of Lindh et al., Chem. Phys. Lett. 241, 423 (1995), and Packwood et al., J. Chem. Phys. 144, 164109
(2016): a spring between each two atoms, the weaker the longer. With the strain of the cell among the coordinates, the
springs also say how soft the cell is and how it moves with its atoms. ``docs/physics.md`` says how the numbers were
chosen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.bonding import covalent_radii
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import find_pairs

STIFFNESS = 6.0
"""eV/Å^2 along a pair of atoms at its usual distance: halfway between the sum of their covalent radii and ``BOND``."""

BOND = 2.0
"""Å, of a metal and oxygen. By radii alone the short bonds of carbonates and phosphates would come out as soft."""

DECAY = 3.4
"""1/Å: how fast the stiffness falls with the distance."""

ACROSS = 0.15
"""Stiffness across a pair, as a share of that along it."""

REACH = 6.0
"""Å up to which atoms make a pair."""

ATOM_FLOOR = 2.0
"""eV/Å^2 that is added for each atom, so that soft ones do not fly."""

CELL_FLOOR = 3.0
"""eV an atom, for a strain of one, that is added for the cell."""

_SHEAR = np.sqrt(0.5)
STRAINS: NDArray[np.float64] = np.array(
    [
        [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 0, _SHEAR], [0, _SHEAR, 0]],
        [[0, 0, _SHEAR], [0, 0, 0], [_SHEAR, 0, 0]],
        [[0, _SHEAR, 0], [_SHEAR, 0, 0], [0, 0, 0]],
    ]
)
"""The six strains without rotation, each of length one and at right angles to the others, shape (6, 3, 3)."""


def model_hessian(crystal: Crystal) -> NDArray[np.float64]:
    """Second derivatives of the energy by places of atoms and strain of the cell, positive definite.

    Args:
        crystal: The crystal.

    Returns:
        Shape (3 n_atoms + 6, 3 n_atoms + 6): first the atoms' Cartesian places (eV/Å^2), which move with the cell, then
        the coordinates of the strain along ``STRAINS`` (eV).
    """
    n = len(crystal)
    pairs = find_pairs(crystal, REACH, both=False)
    places, radii = crystal.wrapped, covalent_radii()[crystal.numbers]
    apart = (places[pairs.j] + pairs.image - places[pairs.i]) @ crystal.lattice
    usual = 0.5 * (radii[pairs.i] + radii[pairs.j] + BOND)
    along = STIFFNESS * np.exp(-DECAY * (pairs.distance - usual))
    direction = apart / pairs.distance[:, None]
    springs = along[:, None, None] * (
        (1 - ACROSS) * direction[:, :, None] * direction[:, None, :] + ACROSS * np.eye(3)
    )  # (n_pairs, 3, 3)
    stretched = np.einsum("sab,pb->pas", STRAINS, apart)  # how a pair changes with the strains, (n_pairs, 3, 6)
    pulled = springs @ stretched

    blocks = np.zeros((n, n, 3, 3))
    for first, second, sign in (
        (pairs.i, pairs.i, 1),
        (pairs.j, pairs.j, 1),
        (pairs.i, pairs.j, -1),
        (pairs.j, pairs.i, -1),
    ):
        np.add.at(blocks, (first, second), sign * springs)
    coupling = np.zeros((n, 3, 6))
    np.add.at(coupling, pairs.j, pulled)
    np.subtract.at(coupling, pairs.i, pulled)

    hessian = np.empty((3 * n + 6, 3 * n + 6))
    hessian[:-6, :-6] = blocks.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) + ATOM_FLOOR * np.eye(3 * n)
    hessian[:-6, -6:] = coupling.reshape(3 * n, 6)
    hessian[-6:, :-6] = hessian[:-6, -6:].T
    hessian[-6:, -6:] = np.einsum("pas,pat->st", stretched, pulled) + CELL_FLOOR * n * np.eye(6)
    return hessian
