"""Voltages from a universal potential: energies, relaxation, insertion, profiles."""

from ionvolt.physics.potentials.chgnet import CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.interface import PotentialOutput
from ionvolt.physics.reaction import IntercalationReaction, average_voltage, balance, volume_change
from ionvolt.physics.references import metal_energy

__all__ = [
    "CHGNetPotential",
    "IntercalationReaction",
    "PotentialOutput",
    "average_voltage",
    "balance",
    "load_chgnet",
    "metal_energy",
    "volume_change",
]
