"""Relaxation of atoms and cell with the universal potential."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ionvolt.errors import InputError
from ionvolt.physics.optimisers import ase_bfgs, preconditioned_lbfgs
from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.crystal import Crystal

OPTIMISERS = {"lbfgs": preconditioned_lbfgs, "bfgs": ase_bfgs}
"""By name."""


@dataclass(frozen=True)
class RelaxSettings:
    """When a relaxation is done. docs/physics.md has the measurements behind the defaults.

    Attributes:
        fmax: Largest force on an atom, or on the cell per atom, in eV/Å, below which it has converged.
        max_steps: Steps after which it stops.
        timeout: Seconds after which it stops with the best structure so far; None for never.
        optimiser: One of ``OPTIMISERS``.
    """

    fmax: float = 0.1
    max_steps: int = 200
    timeout: float | None = 120.0
    optimiser: Literal["lbfgs", "bfgs"] = "lbfgs"


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
    settings = settings or RelaxSettings()
    started = time.monotonic()
    states = OPTIMISERS[settings.optimiser](crystal, potential)
    start = best = last = next(states)
    steps, stopped_by = 0, ""
    while not stopped_by:
        if not np.isfinite([last.energy, last.max_force]).all():
            stopped_by = "error"
            break
        best = min(best, last, key=lambda state: state.energy)
        if last.max_force < settings.fmax:
            best, stopped_by = last, "converged"
        elif steps >= settings.max_steps:
            stopped_by = "steps"
        elif settings.timeout is not None and time.monotonic() - started > settings.timeout:
            stopped_by = "time"
        else:
            try:
                last = next(states)
                steps += 1
            except (InputError, np.linalg.LinAlgError, ValueError):
                # A step led out of the realm of crystals: atoms flew apart or numbers overflowed.
                stopped_by = "error"
    return Relaxation(
        crystal=best.crystal,
        energy=best.energy,
        start_energy=start.energy,
        volume_ratio=best.crystal.volume / crystal.volume,
        steps=steps,
        max_force=best.max_force,
        converged=stopped_by == "converged",
        stopped_by=stopped_by,
        seconds=time.monotonic() - started,
    )
