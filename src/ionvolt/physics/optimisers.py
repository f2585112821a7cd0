"""Optimisers of atoms and cell together, as structures one after the other; ``relaxation`` says where they end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.model_hessian import STRAINS, model_hessian
from ionvolt.physics.potentials.interface import Forces, Potential
from ionvolt.structures.crystal import Crystal

Vector = NDArray[np.float64]

FARTHEST = 0.25
"""Å that an atom moves in one step, at most."""

MOST_STRAIN = 0.06
"""Strain of the cell in one step, at most."""

LEAST_CURVATURE = 0.2
"""Share of the expected curvature that is learned where a step found less, or none: the Hessian stays positive."""

DENSE_HESSIAN = 200
"""Atoms up to which BFGS keeps its full Hessian; beyond it FIRE takes over, whose steps cost nothing."""


@dataclass(frozen=True, eq=False)
class State:
    """A structure on the way.

    Attributes:
        crystal: The structure.
        energy: eV per cell.
        max_force: The largest force on an atom, or on the cell per atom, eV/Å.
    """

    crystal: Crystal
    energy: float
    max_force: float


def preconditioned_lbfgs(crystal: Crystal, potential: Potential) -> Iterator[State]:
    """The structures of ``lbfgs_steps``; one call of ``Potential.forces`` for each.

    Yields:
        The start, then each structure after a step, without end.

    Raises:
        InputError: The potential cannot compute a structure.
        ValueError: Numbers overflowed.
    """
    steps = lbfgs_steps(crystal)
    here = next(steps)
    while True:
        state, gradient = computed(here, potential)
        yield state
        here = steps.send(gradient)


def lbfgs_steps(crystal: Crystal) -> Generator[Crystal, Vector, None]:
    """L-BFGS that begins with ``model_hessian``, and is sent the gradient of each structure that it gives.

    Nocedal, Math. Comp. 35, 773 (1980), with all steps remembered. Where a step finds too little curvature, what it
    teaches is damped as by Powell, Lect. Notes Math. 630, 144 (1978). Each step starts from the structure as it stands,
    the cell along the exponential of a strain without rotation. No step breaks the symmetry of the crystal.

    Yields:
        The start, then each structure after a step, without end.

    Raises:
        ValueError: Numbers overflowed.
    """
    from scipy.linalg import cho_factor, cho_solve

    gradient = yield crystal
    factor = cho_factor(model_hessian(crystal))
    learned: list[tuple[Vector, Vector]] = []
    while True:
        newton = -_inverse_times(gradient, learned, lambda vector: cho_solve(factor, vector))
        farthest = np.linalg.norm(newton[:-6].reshape(-1, 3), axis=1).max()
        share = 1 / max(1.0, farthest / FARTHEST, np.linalg.norm(newton[-6:]) / MOST_STRAIN)
        step = share * newton
        expected = -share * gradient  # by how much the gradient should change
        before = gradient
        crystal = _moved(crystal, step)
        gradient = yield crystal
        change = gradient - before
        curvature, expected_curvature = step @ change, step @ expected
        if curvature < LEAST_CURVATURE * expected_curvature:
            weight = (1 - LEAST_CURVATURE) * expected_curvature / (expected_curvature - curvature)
            change = weight * change + (1 - weight) * expected
        learned.append((step, change))


def _inverse_times(vector: Vector, learned: list[tuple[Vector, Vector]], start: Callable[[Vector], Vector]) -> Vector:
    """The inverse Hessian times a vector: that of the start, corrected by each step and its change of the gradient."""
    weights = []
    for step, change in reversed(learned):
        weights.append((step @ vector) / (step @ change))
        vector = vector - weights[-1] * change
    vector = start(vector)
    for (step, change), weight in zip(learned, reversed(weights), strict=True):
        vector = vector + (weight - (change @ vector) / (step @ change)) * step
    return vector


def computed(crystal: Crystal, potential: Potential) -> tuple[State, Vector]:
    """A structure with energy and forces, and the gradient in the coordinates of ``model_hessian``."""
    return state_of(crystal, potential.forces(crystal))


def state_of(crystal: Crystal, found: Forces) -> tuple[State, Vector]:
    """The same from what the potential said."""
    virial = found.stress * crystal.volume
    largest = np.sqrt((np.vstack([found.forces, virial / len(crystal)]) ** 2).sum(axis=1).max())
    gradient = np.concatenate([-found.forces.ravel(), np.tensordot(STRAINS, virial, 2)])
    return State(crystal, found.energy, float(largest)), gradient


def _moved(crystal: Crystal, step: Vector) -> Crystal:
    """The crystal after a step: atoms first, then cell and atoms along the strain."""
    strains, axes = np.linalg.eigh(np.tensordot(step[-6:], STRAINS, 1))
    stretch = (axes * np.exp(strains)) @ axes.T
    shift = np.linalg.solve(crystal.lattice.T, step[:-6].reshape(-1, 3).T).T
    return replace(crystal, lattice=crystal.lattice @ stretch, frac_coords=crystal.frac_coords + shift)


def ase_bfgs(crystal: Crystal, potential: Potential) -> Iterator[State]:
    """ASE's BFGS, which begins with one stiffness for all, and FIRE for large cells."""
    from ase import Atoms
    from ase.optimize import BFGS, FIRE

    from ionvolt.physics.potentials.calculator import PotentialCalculator, QuietCellFilter

    # Atoms carry numbers and places only: a moment that is no number would make ASE repeat every calculation.
    atoms = Atoms(numbers=crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)
    atoms.calc = PotentialCalculator(potential)
    cell: Any = QuietCellFilter(atoms)
    optimiser: Any = (BFGS if len(crystal) <= DENSE_HESSIAN else FIRE)(cell, logfile=None)
    for _ in optimiser.irun(fmax=0.0):
        here = replace(crystal, lattice=np.array(atoms.cell), frac_coords=atoms.get_scaled_positions(wrap=False))  # type: ignore[no-untyped-call]
        largest = np.sqrt((cell.get_forces() ** 2).sum(axis=1).max())
        yield State(here, float(atoms.get_potential_energy()), float(largest))  # type: ignore[no-untyped-call]
