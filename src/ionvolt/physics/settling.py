"""The first steps of a relaxation, for what was changed in a given crystal: an ion taken out, or put in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionvolt.errors import InputError
from ionvolt.physics.equilibrium import MAX_FORCE
from ionvolt.physics.optimisers import Vector, computed, lbfgs_steps, state_of
from ionvolt.physics.potentials.interface import Potential, PotentialOutput
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

STEPS = 3
"""From which the trained models have learned."""

EASED_FROM = 2 / 3
"""Of ``equilibrium.MAX_FORCE``: a given crystal with a larger force is settled itself, from there on all the way."""

AT_REST = 0.5
"""eV/Å: a given crystal with no larger force is taken as relaxed; nine of ten of the Materials Project are so."""


@dataclass(frozen=True, eq=False)
class GivenForces:
    """Forces and stress of a crystal as it was given, which no change of it has brought.

    Attributes:
        max_force: The largest of them, eV/Å; of the cell the largest along any direction, per atom.
        gradient: Of its energy, as ``optimisers.computed`` gives it, shape (3 n_atoms + 6,).
        output: What the potential says of the crystal, where that came along (``Forces.output``).
    """

    max_force: float
    gradient: Vector
    output: PotentialOutput | None = None

    @classmethod
    def of(cls, crystal: Crystal, potential: Potential) -> GivenForces:
        """Those of a crystal, with one call of ``Potential.forces``.

        Raises:
            InputError: The potential cannot compute it.
        """
        found = potential.forces(crystal)
        on_cell = np.linalg.eigvalsh(found.stress) * crystal.volume / len(crystal)
        largest = max(np.linalg.norm(found.forces, axis=1).max(), np.abs(on_cell).max())
        return cls(float(largest), state_of(crystal, found)[1], found.output)


def at_ease(crystal: Crystal, potential: Potential) -> tuple[Crystal, GivenForces]:
    """A given crystal with its forces; one that is not relaxed is settled before.

    It goes all the way from ``equilibrium.MAX_FORCE`` on, a part of it from ``EASED_FROM`` on, so that answers do not
    jump.

    Raises:
        InputError: The potential cannot compute it.
    """
    given = GivenForces.of(crystal, potential)
    part = np.clip((given.max_force / MAX_FORCE - EASED_FROM) / (1 - EASED_FROM), 0, 1)
    if not part:
        return crystal, given
    eased = _between(crystal, settle(crystal, potential, STEPS), part)
    return eased, GivenForces.of(eased, potential)


def _between(start: Crystal, end: Crystal, part: float) -> Crystal:
    """A crystal on the way from one to another, by that part of it."""
    return replace(
        start,
        lattice=start.lattice + part * (end.lattice - start.lattice),
        frac_coords=start.frac_coords + part * (end.frac_coords - start.frac_coords),
    )


@dataclass(frozen=True, eq=False)
class Settled:
    """A crystal after some steps.

    Attributes:
        crystal: The crystal; the start itself where no step was taken.
        start_energy: Of the start, eV; None where it was not computed.
    """

    crystal: Crystal
    start_energy: float | None


def settle_changed(
    changed: Crystal, given: GivenForces, places: Sequence[int], potential: Potential, steps: int
) -> Settled:
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
        steps: See ``first_steps``.

    Raises:
        InputError: The potential cannot compute the changed crystal.
    """
    part = np.clip(2 - given.max_force / MAX_FORCE, 0, 1)
    if not part:
        return Settled(changed, None)
    own = np.vstack([given.gradient[:-6].reshape(-1, 3), np.zeros(3)])[list(places)]
    share = np.clip(given.max_force / AT_REST - 1, 0, 1)
    found = first_steps(changed, potential, steps, share * np.concatenate([own.ravel(), given.gradient[-6:]]))
    if part == 1 or found.crystal is changed:
        return found
    return Settled(_between(changed, found.crystal, part), found.start_energy)


def settle(crystal: Crystal, potential: Potential, steps: int) -> Crystal:
    """A crystal after the first steps of a relaxation; see ``first_steps``."""
    return first_steps(crystal, potential, steps).crystal


def first_steps(crystal: Crystal, potential: Potential, steps: int, at_rest: Array | float = 0.0) -> Settled:
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
    energy: float | None = None
    for step in range(steps):
        try:
            state, gradient = computed(here, potential)
            if not np.isfinite([state.energy, state.max_force]).all():
                break
            energy = state.energy if energy is None else energy
            crystal, here = here, ahead.send(gradient - at_rest)
        except (np.linalg.LinAlgError, ValueError):  # a step led out of the realm of crystals
            break
        except InputError:
            if not step:
                raise
            break
    else:
        return Settled(here, energy)
    return Settled(crystal, energy)
