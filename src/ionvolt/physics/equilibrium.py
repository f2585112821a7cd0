"""Whether a structure is relaxed: the forces on its atoms and the pressure on its cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.ions import EndMembers
from ionvolt.physics.potentials.interface import Potential
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal

GPA = 160.21766208
"""GPa in one eV/Å^3."""

MAX_FORCE = 3.0
"""eV/Å beyond which a structure is not relaxed: no end member of a sample of the Materials Project comes near it."""

MAX_ION_FORCE = 0.5
"""eV/Å, the same for the mobile ions: soft as their places are, relaxed ones have no more than 0.3."""

MAX_PRESSURE = 15.0
"""GPa, the same for a cell that wants to grow; measured cells, smaller than calculated ones, have up to 14."""

MIN_PRESSURE = -5.0
"""GPa, for one that wants to shrink: relaxed cells have no less than -2.8."""

USUAL_STRAIN = 0.3
"""Share of the limits that four of five relaxed structures do not exceed."""

WIDENING: dict[EndMembers, float] = {"charged": 0.63, "discharged": 0.63, "both": 1.0}
"""V by which half of a 90 % interval grows, in squares, for each unit of strain beyond ``USUAL_STRAIN``.

Nine of ten voltages did not move by more when cells were scaled, atoms shaken or one of them moved. From one structure
the errors of both ends partly cancel. For hosts alone the figure of discharged structures stands in.
"""

RELAX_FIRST = "Relax it first (--relax, or ionvolt compute)"
"""The remedy."""


@dataclass(frozen=True)
class Equilibrium:
    """How far a structure is from its nearest minimum of the energy, as CHGNet sees it.

    Attributes:
        max_force: The largest force on an atom, eV/Å.
        pressure: A third of the trace of the stress, GPa; positive where the cell wants to grow.
        max_stress: The largest eigenvalue of the stress by amount, GPa.
        max_ion_force: The largest force on an atom of an element that is a mobile ion, eV/Å; 0 where there is none.
    """

    max_force: float
    pressure: float
    max_stress: float
    max_ion_force: float = 0.0

    @property
    def relaxed(self) -> bool:
        """Whether forces and pressure are those of a relaxed structure."""
        return self.strain <= 1

    @property
    def strain(self) -> float:
        """The largest of forces and pressure as a share of its limit: beyond 1 a structure is not relaxed."""
        shares = (
            self.max_force / MAX_FORCE,
            self.max_ion_force / MAX_ION_FORCE,
            self.pressure / MAX_PRESSURE,
            self.pressure / MIN_PRESSURE,
        )
        return float(max(shares)) if np.isfinite(shares).all() else float("inf")

    def doubt(self, what: str) -> str:
        """Why the structure is not relaxed, and the remedy."""
        found = []
        if not self.max_force <= MAX_FORCE:
            found.append(f"forces of up to {self.max_force:.3g} eV/Å (limit {MAX_FORCE:g})")
        elif not self.max_ion_force <= MAX_ION_FORCE:
            found.append(f"forces on mobile ions of up to {self.max_ion_force:.3g} eV/Å (limit {MAX_ION_FORCE:g})")
        if not self.pressure <= MAX_PRESSURE:
            found.append(f"a pressure of {self.pressure:.3g} GPa (limit {MAX_PRESSURE:g})")
        elif not self.pressure >= MIN_PRESSURE:
            found.append(f"a pressure of {self.pressure:.3g} GPa (limit {MIN_PRESSURE:g})")
        return f"{what} is not relaxed: {' and '.join(found)}. {RELAX_FIRST}"


def added_half_width(strains: Sequence[float], end_members: EndMembers) -> float:
    """By how much the half-width of a 90 % interval grows, in squares, for structures with some strain, V.

    Args:
        strains: ``Equilibrium.strain`` of each given structure.
        end_members: Which were given.
    """
    beyond = [min(strain, 2.0) - USUAL_STRAIN for strain in strains if strain > USUAL_STRAIN]
    return WIDENING[end_members] * math.hypot(*beyond)


def equilibrium(crystal: Crystal, potential: Potential) -> Equilibrium:
    """Forces and pressure of a crystal.

    Raises:
        InputError: The crystal holds an isolated atom or an element that the potential does not know.
    """
    found = potential.forces(crystal)
    stress = -found.stress * GPA
    size = np.sqrt((found.forces**2).sum(axis=1))
    mobile = np.isin(crystal.numbers, [ATOMIC_NUMBERS[symbol] for symbol in MOBILE_IONS])
    return Equilibrium(
        float(size.max()),
        float(np.trace(stress) / 3),
        float(np.abs(np.linalg.eigvalsh(stress)).max()),
        float(size[mobile].max(initial=0.0)),
    )
