"""The first steps of a relaxation, for what was changed in a given crystal: an ion taken out, or put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionvolt.errors import InputError
from ionvolt.physics.equilibrium import MAX_FORCE
from ionvolt.physics.optimisers import Vector, computed, lbfgs_steps
from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

STEPS = 3
"""From which the trained models have learned."""

AT_REST = 0.5
"""eV/Å: a given crystal with no larger force is taken as relaxed; nine of ten of the Materials Project are so."""


@dataclass(frozen=True, eq=False)
class GivenForces:
    """Forces and stress of a crystal as it was given, which no change of it has brought.

    Attributes:
        max_force: The largest of them, eV/Å.
        gradient: Of its energy, as ``optimisers.computed`` gives it, shape (3 n_atoms + 6,).
    """

    max_force: float
    gradient: Vector

    @classmethod
    def of(cls, crystal: Crystal, potential: Potential) -> GivenForces:
        """Those of a crystal, with one call of ``Potential.forces``.

        Raises:
            InputError: The potential cannot compute it.
        """
        state, gradient = computed(crystal, potential)
        return cls(state.max_force, gradient)


def settle_changed(
    changed: Crystal, given: GivenForces, places: Sequence[int], potential: Potential, steps: int
) -> Crystal:
    """Settle a crystal that was made of a given one.

    Where the given crystal was not relaxed itself, its forces and stress are taken off those of the changed one: none
    of them up to ``AT_REST``, all from twice that on. Else one end alone would gain energy, many volts of it where
    atoms are too near each other. Forces beyond ``equilibrium.MAX_FORCE`` say little of small moves: from there on the
    changed crystal goes a part of the way only, and stays as it stands from twice that on.

    Args:
        changed: The changed crystal.
        given: Forces of the given one.
        places: Atom of the given crystal that each atom is; -1: none of them.
        potential: Whose forces count.
        steps: See ``settle``.

    Raises:
        InputError: The potential cannot compute the changed crystal.
    """
    part = np.clip(2 - given.max_force / MAX_FORCE, 0, 1)
    if not part:
        return changed
    own = np.vstack([given.gradient[:-6].reshape(-1, 3), np.zeros(3)])[list(places)]
    share = np.clip(given.max_force / AT_REST - 1, 0, 1)
    there = settle(changed, potential, steps, share * np.concatenate([own.ravel(), given.gradient[-6:]]))
    return replace(
        changed,
        lattice=changed.lattice + part * (there.lattice - changed.lattice),
        frac_coords=changed.frac_coords + part * (there.frac_coords - changed.frac_coords),
    )


def settle(crystal: Crystal, potential: Potential, steps: int, at_rest: Array | float = 0.0) -> Crystal:
    """Take the first steps of a relaxation of atoms and cell, with as many calls of ``Potential.forces``.

    How far the result is from its minimum is not asked: most of the energy falls in the first steps.

    Args:
        crystal: The start; its source and warnings are kept.
        potential: The potential.
        steps: Steps of L-BFGS; fewer where one leads where the potential cannot compute.
        at_rest: The gradient of the energy that counts as none, as ``optimisers.computed`` gives it, shape
            (3 n_atoms + 6,).

    Raises:
        InputError: The potential cannot compute the start.
    """
    ahead = lbfgs_steps(crystal)
    here = next(ahead)
    for step in range(steps):
        try:
            state, gradient = computed(here, potential)
            if not np.isfinite([state.energy, state.max_force]).all():
                return crystal
            crystal, here = here, ahead.send(gradient - at_rest)
        except (np.linalg.LinAlgError, ValueError):  # a step led out of the realm of crystals
            return crystal
        except InputError:
            if not step:
                raise
            return crystal
    return here
