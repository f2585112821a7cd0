"""Voltages from a universal potential: energies, relaxation, insertion, profiles."""

from ionvolt.physics.potentials.chgnet import Potential, PotentialOutput, load_potential
from ionvolt.physics.reaction import Exchange, average_voltage, exchange, volume_change
from ionvolt.physics.references import metal_energy

__all__ = [
    "Exchange",
    "Potential",
    "PotentialOutput",
    "average_voltage",
    "exchange",
    "load_potential",
    "metal_energy",
    "volume_change",
]
