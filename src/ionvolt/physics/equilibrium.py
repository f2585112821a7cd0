"""Whether a structure is relaxed: the forces on its atoms and the pressure on its cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.crystal import Crystal

GPA = 160.21766208
"""GPa in one eV/Å^3."""

MAX_FORCE = 3.0
"""eV/Å beyond which a structure is not relaxed: no end member of a sample of the Materials Project comes near it."""

MAX_PRESSURE = 15.0
"""GPa, the same for the cell."""


@dataclass(frozen=True)
class Equilibrium:
    """How far a structure is from its nearest minimum of the energy, as CHGNet sees it.

    Attributes:
        max_force: The largest force on an atom, eV/Å.
        pressure: A third of the trace of the stress, GPa; positive where the cell wants to grow.
        max_stress: The largest eigenvalue of the stress by amount, GPa.
    """

    max_force: float
    pressure: float
    max_stress: float

    @property
    def relaxed(self) -> bool:
        """Whether forces and pressure are those of a relaxed structure."""
        return self.max_force <= MAX_FORCE and abs(self.pressure) <= MAX_PRESSURE

    def doubt(self, what: str) -> str:
        """Why the structure is not relaxed, and the remedy."""
        found = []
        if not self.max_force <= MAX_FORCE:
            found.append(f"forces of up to {self.max_force:.3g} eV/Å (limit {MAX_FORCE:g})")
        if not abs(self.pressure) <= MAX_PRESSURE:
            found.append(f"a pressure of {self.pressure:.3g} GPa (limit {MAX_PRESSURE:g})")
        return f"{what} is not relaxed: {' and '.join(found)}. Relax it first (--relax, or ionvolt compute)"


def equilibrium(crystal: Crystal, potential: Potential) -> Equilibrium:
    """Forces and pressure of a crystal.

    Raises:
        InputError: The crystal holds an isolated atom or an element that the potential does not know.
    """
    found = potential.forces(crystal)
    stress = -found.stress * GPA
    return Equilibrium(
        float(np.sqrt((found.forces**2).sum(axis=1).max())),
        float(np.trace(stress) / 3),
        float(np.abs(np.linalg.eigvalsh(stress)).max()),
    )
