"""Voltages from a universal potential: energies, relaxation, insertion, profiles."""

from ionvolt.physics.potential import Potential, PotentialOutput, evaluate_versions, load_potential

__all__ = ["Potential", "PotentialOutput", "evaluate_versions", "load_potential"]
