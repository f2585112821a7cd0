"""A contract that every potential keeps, as one function.

Energies and forces belong to a crystal, not to its description; forces and stress are the slopes of the energy; and an
adapter says what the package that it adapts says. ``check_potential`` raises one ``AssertionError`` that names all that
does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.physics.potentials.interface import Forces, Potential, PotentialOutput
from ionvolt.structures.crystal import Crystal
from ionvolt.testing.crystals import descriptions, electrodes
from ionvolt.testing.findings import Findings


@dataclass(frozen=True)
class Tolerances:
    """What single precision may cost.

    Attributes:
        energy: eV per atom.
        forces: eV/Å.
        stress: eV/Å^3.
        features: Share of the largest number in the features.
    """

    energy: float = 2e-5
    forces: float = 1e-3
    stress: float = 1e-4
    features: float = 5e-4


STEP = 5e-3
"""Å, and for the cell a share, of finite differences."""

SLOPE = 1e-2
"""eV/Å by which the energy's slope over such steps may miss the force, whose own slope it feels."""


def check_potential(
    potential: Potential,
    crystals: Sequence[Crystal] | None = None,
    *,
    calculator: Any = None,
    features: Callable[[Crystal], NDArray[np.float32]] | None = None,
    tolerances: Tolerances | None = None,
) -> None:
    """Hold a potential to what every potential promises.

    The same energies and atom vectors for a supercell, for atoms in another order, for a shifted, a turned or an
    otherwise drawn cell, and forces and stress that turn along; the same alone and together. Forces and stress are the
    slopes of the energy; forces add up to nothing.

    Args:
        potential: Any potential.
        crystals: What it is asked for; by default two small oxides with atoms off their sites.
        calculator: A calculator of ASE whose energies, forces and stress it must have: the package's own.
        features: What the package itself gives as atom vectors of a crystal.
        tolerances: By which numbers may differ.

    Raises:
        AssertionError: Something does not hold; the text has one line for each.
    """
    found, near = Findings(), tolerances or Tolerances()
    cases = list(crystals) if crystals is not None else [shaken(e.discharged) for e in electrodes()]
    found.hold(bool(potential.version), "it has no version")
    found.hold(potential.evaluate([]) == [], "no crystal is not answered by an empty list")
    outputs = potential.evaluate(cases)
    found.hold(len(outputs) == len(cases), f"{len(outputs)} answers to {len(cases)} crystals")
    for crystal, output in zip(cases, outputs, strict=False):
        forces = potential.forces(crystal)
        check = _Check(potential, crystal, output, forces, near, found)
        check.shapes()
        check.alone()
        check.descriptions()
        check.slopes()
        if forces.output is not None:
            n = len(crystal)
            check.energy(forces.output.energy / n, output.energy / n, "another energy in what comes along with forces")
            check.features(forces.output.features, output.features, "those that come along with forces and the")
        if calculator is not None:
            check.calculator(calculator)
        if features is not None:
            check.features(features(crystal), output.features, "the package's")
    found.raise_()


def shaken(crystal: Crystal, size: float = 0.05, seed: int = 0) -> Crystal:
    """A crystal with its atoms pushed off their sites by so many Å, and its cell strained by 1 %."""
    rng = np.random.default_rng(seed)
    frac = crystal.frac_coords + rng.normal(0, size, (len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
    return replace(crystal, lattice=crystal.lattice * 1.01, frac_coords=frac)


@dataclass(frozen=True)
class _Check:
    potential: Potential
    crystal: Crystal
    output: PotentialOutput
    found_forces: Forces
    near: Tolerances
    found: Findings

    def hold(self, held: bool, words: str) -> None:
        self.found.hold(held, f"{self.crystal.formula}: {words}")

    def energy(self, per_atom: float, expected: float, words: str) -> None:
        self.found.near(per_atom, expected, self.near.energy, f"{self.crystal.formula}: {words}", "eV per atom")

    def close(self, a: NDArray[Any], b: NDArray[Any], tolerance: float, words: str) -> None:
        if a.shape != b.shape:
            self.hold(False, f"{words}: shape {a.shape}, not {b.shape}")
            return
        away = float(np.abs(np.asarray(a, np.float64) - b).max(initial=0.0))
        self.hold(away <= tolerance, f"{words} differ by {away:.2e} (up to {tolerance:.0e} is allowed)")

    def features(self, a: NDArray[np.float32], b: NDArray[np.float32], words: str) -> None:
        scale = max(1.0, float(np.abs(b).max(initial=0.0)))
        self.close(a, b, self.near.features * scale, f"{words} atom vectors")

    def shapes(self) -> None:
        n, output, forces = len(self.crystal), self.output, self.found_forces
        self.hold(bool(np.isfinite(output.energy)), f"an energy of {output.energy} eV")
        self.hold(output.features.ndim == 3 and len(output.features) == n, "atom vectors of another shape")
        self.hold(output.features.dtype == np.float32, "atom vectors that are not float32")
        self.hold(output.magmoms is None or output.magmoms.shape == (n,), "not one moment an atom")
        if output.atom_energies is not None:
            self.energy(float(output.atom_energies.sum()) / n, output.energy / n, "atoms' energies do not add up")
        self.hold(forces.forces.shape == (n, 3), "not three numbers of force an atom")
        self.hold(forces.stress.shape == (3, 3), "a stress that is no 3 by 3")
        self.energy(forces.energy / n, output.energy / n, "another energy with forces than without")
        self.close(forces.forces.sum(0), np.zeros(3), n * self.near.forces, "the sum of the forces and nothing")
        self.close(forces.stress, forces.stress.T, self.near.stress, "the stress and its transpose")

    def alone(self) -> None:
        (alone,) = self.potential.evaluate([self.crystal])
        n = len(self.crystal)
        self.energy(alone.energy / n, self.output.energy / n, "another energy alone than together")
        self.features(alone.features, self.output.features, "alone and together,")

    def descriptions(self) -> None:
        n = len(self.crystal)
        for words, other in descriptions(self.crystal).items():
            (output,), times = self.potential.evaluate([other]), len(other) // n
            forces = self.potential.forces(other)
            turn = np.linalg.solve(self.crystal.lattice, other.lattice) if words == "a turned cell" else np.eye(3)
            self.energy(output.energy / len(other), self.output.energy / n, f"another energy for {words}")
            expected, vectors = np.tile(self.found_forces.forces @ turn, (times, 1)), self.output.features
            found, seen = forces.forces, output.features
            if words == "atoms in another order":
                places = _places(other, self.crystal)
                expected, vectors = expected[places], vectors[places]
            elif times > 1:
                vectors = np.concatenate([vectors] * times)
            self.close(found, expected, self.near.forces, f"forces of {words}")
            self.features(seen, vectors, f"of {words},")
            self.close(forces.stress, turn.T @ self.found_forces.stress @ turn, self.near.stress, f"stress of {words}")

    def slopes(self) -> None:
        crystal, forces = self.crystal, self.found_forces
        for atom, axis in ((0, 2), (len(crystal) - 1, 0)):
            pushed = []
            for step in (STEP, -STEP):
                cartesian = crystal.frac_coords @ crystal.lattice
                cartesian[atom, axis] += step
                pushed.append(replace(crystal, frac_coords=cartesian @ np.linalg.inv(crystal.lattice)))
            slope = self._slope(pushed)
            words = f"force on atom {atom + 1} along {'xyz'[axis]} and slope of the energy"
            self.close(np.array([forces.forces[atom, axis]]), np.array([-slope]), SLOPE, words)
        for axes in ((0, 0), (0, 1)):
            strain = np.zeros((3, 3))
            strain[axes] += 0.5
            strain[axes[::-1]] += 0.5
            strained = [replace(crystal, lattice=crystal.lattice @ (np.eye(3) + s * strain)) for s in (STEP, -STEP)]
            slope = self._slope(strained) / crystal.volume
            words = f"stress {'xyz'[axes[0]]}{'xyz'[axes[1]]} and slope of the energy"
            self.close(np.array([forces.stress[axes]]), np.array([slope]), SLOPE / 10, words)

    def _slope(self, pair: list[Crystal]) -> float:
        up, down = (output.energy for output in self.potential.evaluate(pair))
        return (up - down) / (2 * STEP)

    def calculator(self, calculator: Any) -> None:
        from ase import Atoms

        crystal, n = self.crystal, len(self.crystal)
        atoms: Any = Atoms(
            numbers=crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True
        )
        atoms.calc = calculator
        self.energy(
            self.output.energy / n, float(atoms.get_potential_energy()) / n, "another energy than the package's"
        )
        self.close(self.found_forces.forces, atoms.get_forces(), self.near.forces, "its forces and the package's")
        stress = atoms.get_stress(voigt=False)
        self.close(self.found_forces.stress, stress, self.near.stress, "its stress and the package's")


def _places(other: Crystal, crystal: Crystal) -> NDArray[np.int64]:
    """Which atom of a crystal each atom of the other is, in the same cell."""
    away = other.frac_coords[:, None] - crystal.frac_coords[None]
    places: NDArray[np.int64] = np.abs(away - np.round(away)).sum(-1).argmin(1)
    return places
