"""What travels from an ordering to those who use it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures.crystal import Crystal


@dataclass(frozen=True)
class OrderSettings:
    """How a disordered crystal is ordered. docs/ordering.md has the measurements behind the defaults.

    Attributes:
        max_atoms: Atoms that a supercell may hold. A cell that is larger by itself is taken as it is.
        keep: Orderings that are kept, those of lowest energy.
        candidates: Symmetry-distinct orderings of lowest electrostatic energy whose energy the potential gives.
        relax: Whether the orderings that are kept are relaxed before they are compared and handed out.
        temperature: K, at which they are weighted; None for 1000 K where the framework is disordered (what was mixed
            when the crystal was made stays so) and 300 K where only mobile ions and vacancies are.
        seed: Seed of everything that is drawn.
        relaxation: When a relaxation is done.
    """

    max_atoms: int = 64
    keep: int = 4
    candidates: int = 16
    relax: bool = True
    temperature: float | None = None
    seed: int = 0
    relaxation: RelaxSettings = field(default_factory=lambda: RelaxSettings(max_steps=30, timeout=300.0))


@dataclass(frozen=True, eq=False)
class Ordering:
    """One ordered crystal that a disordered one may be.

    Attributes:
        crystal: The supercell, every site with one element or none; relaxed where that was asked for.
        electrostatic_energy: Energy of the guessed charges where the disordered crystal has its sites, eV per cell.
        energy: By the potential, eV per cell.
        weight: Share of the orderings that are kept: degeneracy times Boltzmann's factor, normalised.
        degeneracy: Ways to place the atoms in the supercell that are this ordering by symmetry.
    """

    crystal: Crystal
    electrostatic_energy: float
    energy: float
    weight: float
    degeneracy: int


@dataclass(frozen=True, eq=False)
class Orderings:
    """The orderings of a disordered crystal, that of lowest energy first.

    Attributes:
        source: The disordered crystal, as the user named it.
        orderings: Those that were kept; one with weight 1 where the crystal was ordered already.
        temperature: K, at which they were weighted.
        cells: Primitive cells in a supercell.
        found: Symmetry-distinct orderings that were compared by electrostatics.
        complete: Whether these are all of the supercells that were looked at.
        charges: Guessed charges by element symbol; empty where there was nothing to order.
        notes: What was rounded, taken as full or left out, in plain words; the crystals carry them, too.
    """

    source: str
    orderings: tuple[Ordering, ...]
    temperature: float
    cells: int
    found: int
    complete: bool
    charges: dict[str, float]
    notes: tuple[str, ...] = ()

    @property
    def was_ordered(self) -> bool:
        """Whether there was nothing to order."""
        return not self.charges
