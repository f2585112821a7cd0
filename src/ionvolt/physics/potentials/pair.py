"""The two potentials behind a computed voltage, as one object."""

from __future__ import annotations

from dataclasses import dataclass

from ionvolt.errors import ModelError
from ionvolt.physics.potentials.chgnet import DEFAULT_VERSION, VERSIONS, CHGNetPotential, Potential, load_chgnet
from ionvolt.physics.potentials.sevennet import VERSION, load_sevennet


@dataclass(frozen=True, eq=False)
class PotentialPair:
    """A potential that is quick enough to relax with, and one whose energies are good enough to compare.

    Attributes:
        relaxer: Relaxes structures and ranks arrangements.
        energy_model: Gives the energies of which the voltage is made.
    """

    relaxer: CHGNetPotential
    energy_model: Potential

    @property
    def version(self) -> str:
        """Version of the potential whose energies give the voltage."""
        return self.energy_model.version


def load_potentials(version: str = VERSION) -> PotentialPair:
    """Potentials by the name of the one whose energies give the voltage.

    Args:
        version: ``VERSION`` (SevenNet), for which CHGNet's default version relaxes; or a version of CHGNet for both.

    Raises:
        ModelError: There is no such version.
    """
    if version == VERSION:
        return PotentialPair(load_chgnet(DEFAULT_VERSION), load_sevennet())
    if version not in VERSIONS:
        raise ModelError(f"{version}: no such version of a potential. Choose from {', '.join((VERSION, *VERSIONS))}")
    potential = load_chgnet(version)
    return PotentialPair(potential, potential)
