"""Relaxation of atoms and cell with the universal potential."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionvolt.errors import InputError
from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.crystal import Crystal

DENSE_HESSIAN = 200
"""Atoms up to which BFGS keeps its full Hessian; beyond it FIRE takes over, whose steps cost nothing."""


@dataclass(frozen=True)
class RelaxSettings:
    """When a relaxation is done. docs/physics.md has the measurements behind the defaults.

    Attributes:
        fmax: Largest force on an atom, or on the cell per atom, in eV/Å, below which it has converged.
        max_steps: Steps after which it stops.
        timeout: Seconds after which it stops with the best structure so far; None for never.
    """

    fmax: float = 0.1
    max_steps: int = 200
    timeout: float | None = 120.0


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A relaxed crystal and how it came about.

    Attributes:
        crystal: Where the relaxation ended: the last structure where it converged, else the one of lowest energy.
        energy: Its energy in eV per cell.
        start_energy: Energy of the structure that it started from, eV per cell.
        volume_ratio: Volume after over volume before.
        steps: Steps of the optimiser.
        max_force: The largest force that was left in ``crystal``, atoms and cell, eV/Å.
        converged: Whether ``max_force`` is below the limit.
        stopped_by: "converged", "steps", "time" or "error" (a step led where the potential cannot compute).
        seconds: Wall-clock time.
    """

    crystal: Crystal
    energy: float
    start_energy: float
    volume_ratio: float
    steps: int
    max_force: float
    converged: bool
    stopped_by: str
    seconds: float


def relax(crystal: Crystal, potential: Potential, settings: RelaxSettings | None = None) -> Relaxation:
    """Relax atoms and cell.

    Args:
        crystal: The start; its source and warnings are kept.
        potential: The potential.
        settings: When to stop; by default as ``RelaxSettings`` says.

    Returns:
        The relaxation, also where it did not converge: ``converged`` tells.

    Raises:
        InputError: The potential cannot compute the start.
    """
    from ase import Atoms
    from ase.optimize import BFGS, FIRE

    from ionvolt.physics.potentials.calculator import PotentialCalculator, QuietCellFilter

    settings = settings or RelaxSettings()
    started = time.monotonic()
    # Atoms carry numbers and places only: a moment that is no number would make ASE repeat every calculation.
    atoms = Atoms(numbers=crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)
    atoms.calc = PotentialCalculator(potential)
    cell: Any = QuietCellFilter(atoms)
    optimiser: Any = (BFGS if len(crystal) <= DENSE_HESSIAN else FIRE)(cell, logfile=None)

    start_energy = float(atoms.get_potential_energy())  # type: ignore[no-untyped-call]
    best = last = _State(crystal, start_energy, _largest(cell))
    steps, stopped_by = 0, "steps"
    try:
        for converged in optimiser.irun(fmax=settings.fmax, steps=settings.max_steps):
            last = _State(Crystal.from_ase(atoms), float(atoms.get_potential_energy()), _largest(cell))  # type: ignore[no-untyped-call]
            steps = optimiser.nsteps
            if not np.isfinite([last.energy, last.force]).all():
                raise FloatingPointError
            best = min(best, last, key=lambda state: state.energy)
            if converged:
                best, stopped_by = last, "converged"
                break
            if settings.timeout is not None and time.monotonic() - started > settings.timeout:
                stopped_by = "time"
                break
    except (InputError, FloatingPointError, np.linalg.LinAlgError, ValueError):
        # The optimiser left the realm of crystals: atoms flew apart or numbers overflowed.
        stopped_by = "error"
    return Relaxation(
        crystal=Crystal(
            best.crystal.lattice,
            crystal.numbers,
            best.crystal.frac_coords,
            crystal.source,
            crystal.warnings,
            crystal.doubts,
        ),
        energy=best.energy,
        start_energy=start_energy,
        volume_ratio=best.crystal.volume / crystal.volume,
        steps=steps,
        max_force=best.force,
        converged=stopped_by == "converged",
        stopped_by=stopped_by,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, eq=False)
class _State:
    crystal: Crystal
    energy: float
    force: float


def _largest(cell: Any) -> float:
    return float(np.sqrt((cell.get_forces() ** 2).sum(axis=1).max()))
