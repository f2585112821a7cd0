"""Voltages from a universal potential: energies, relaxation, insertion, profiles."""

from ionvolt.physics.potential import Potential, PotentialOutput, load_potential
from ionvolt.physics.references import metal_energy
from ionvolt.physics.voltage import Exchange, average_voltage, exchange, volume_change

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
