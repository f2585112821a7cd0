"""A potential as a calculator of ASE, for ASE's optimisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.stress import full_3x3_to_voigt_6_stress

from ionvolt.physics.potentials.interface import Potential
from ionvolt.quiet import silenced
from ionvolt.structures.crystal import Crystal


class QuietCellFilter(FrechetCellFilter):
    """ASE's atoms and cell in one, without its word on errors of 1e-13 in the logarithm of the strain at every step.

    Optimisers ask for the same forces up to four times; their way into the strain, more than the forces of a small
    cell, is gone once.
    """

    def __init__(self, atoms: Atoms) -> None:
        super().__init__(atoms)  # type: ignore[no-untyped-call]
        self._remembered: dict[str, tuple[bytes, Any]] = {}

    def get_positions(self) -> Any:
        """See ASE's filters."""
        with silenced("logm result may be inaccurate", category=RuntimeWarning):
            return self._once("positions", super().get_positions)

    def get_forces(self, **kwargs: Any) -> Any:
        """See ASE's filters."""
        # Computed and kept before others have to wait.
        self.atoms.get_stress(**kwargs)
        self.atoms.get_forces(**kwargs)
        with silenced("logm result may be inaccurate", category=RuntimeWarning):
            return self._once(f"forces {kwargs}", lambda: super(QuietCellFilter, self).get_forces(**kwargs))  # type: ignore[no-untyped-call]

    def _once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What was computed of atoms where they are, or now."""
        state = self.atoms.positions.tobytes() + self.atoms.cell.array.tobytes()
        before, found = self._remembered.get(name, (b"", None))
        if before != state:
            found = compute()
            self._remembered[name] = state, found
        return found.copy()


class PotentialCalculator(Calculator):
    """The potential for ASE's optimisers."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, potential: Potential) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential = potential

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill ``results``; see ASE's ``Calculator``."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        found = self.potential.forces(Crystal.from_ase(self.atoms))
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "forces": found.forces,
            "stress": full_3x3_to_voigt_6_stress(found.stress),  # type: ignore[no-untyped-call]
        }
