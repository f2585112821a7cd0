"""Potentials made ready: for computations, and as a calculator of ASE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ionvolt.physics.average import RelaxOptions
from ionvolt.physics.cache import Cache, default_folder
from ionvolt.physics.potentials.chgnet import DEFAULT_VERSION
from ionvolt.physics.potentials.pair import PotentialPair, load_potential, load_potentials
from ionvolt.physics.potentials.sevennet import VERSION

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from ionvolt.physics.potentials.interface import Potential


@dataclass(frozen=True, eq=False)
class Computer:
    """What computations share: potentials, cache and settings.

    Attributes:
        potentials: The potential that relaxes, and the one whose energies count.
        cache: Where results are remembered.
        options: How end members are treated.
    """

    potentials: PotentialPair
    cache: Cache
    options: RelaxOptions = field(default_factory=RelaxOptions)

    @classmethod
    def load(
        cls,
        potential: str | PotentialPair = VERSION,
        cache: Cache | None = None,
        options: RelaxOptions | None = None,
        trusted: bool = False,
    ) -> Computer:
        """With potentials by name, and the user's cache folder where none is given.

        Nothing is remembered of potentials whose names do not settle what they compute. ``trusted`` is that of
        ``load_potentials``.

        Raises:
            InputError: A checkpoint cannot be used.
            ModelError: There is no such potential.
        """
        potentials = load_potentials(potential, trusted=trusted) if isinstance(potential, str) else potential
        cache = Cache(default_folder()) if cache is None else cache
        return cls(potentials, cache if potentials.remembers else Cache(None), options or RelaxOptions())


def calculator(potential: str | Potential = DEFAULT_VERSION) -> Calculator:
    """A potential as a calculator of ASE: energy, forces and stress, for relaxations and dynamics of one's own.

    Args:
        potential: ``chgnet-0.3.0`` (quick), ``7net-l3i5`` (better), any other name that ``compute`` takes, or an object
            of ``load_potential``.

    Raises:
        InputError: The checkpoint cannot be used.
        ModelError: There is no such potential.
    """
    from ionvolt.physics.potentials.calculator import PotentialCalculator

    return PotentialCalculator(load_potential(potential) if isinstance(potential, str) else potential)
