"""Any calculator of ASE as a potential: other people's networks, force fields, programs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ionvolt.errors import InputError, ModelError, printable
from ionvolt.physics.potentials.interface import Forces, PotentialOutput
from ionvolt.structures.crystal import Crystal

PREFIX = "ase:"


class ASEPotential:
    """A calculator of ASE. It has no atom vectors and no moments. One object serves one thread."""

    def __init__(self, calculator: Any, version: str = "") -> None:
        """Take a calculator.

        Args:
            calculator: An object with ASE's ``calculate``: energies in eV, forces in eV/Å, stress in eV/Å^3.
            version: What it is called in answers; by default the class.
        """
        kind = type(calculator)
        self.calculator = calculator
        self.version = version or f"{PREFIX}{kind.__module__}.{kind.__qualname__}"

    @classmethod
    def load(cls, name: str) -> ASEPotential:
        """A calculator by the name of its class, or of a function that makes one; both are called without arguments.

        Args:
            name: As in ``ase:ase.calculators.emt.EMT``. The module is imported, and so its code is run.

        Raises:
            ModelError: There is no such class, or it cannot be made.
        """
        module, _, attribute = name.removeprefix(PREFIX).rpartition(".")
        if not module or not attribute:
            raise ModelError(f"{name}: no class. Write module and class, as in {PREFIX}ase.calculators.emt.EMT")
        try:
            calculator = getattr(import_module(module), attribute)()
        except Exception as error:  # other people's code
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{name}: no calculator comes of it ({printable(reason)}). Install its package, or write a function "
                "without arguments that returns it in a module of your own (PYTHONPATH)"
            ) from error
        if not hasattr(calculator, "get_property"):
            raise ModelError(f"{name}: {type(calculator).__name__} is no calculator of ASE. Name one that is")
        return cls(calculator, name)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies of crystals as they are, in their order.

        Raises:
            InputError: The calculator fails.
        """
        return [
            PotentialOutput(self._ask(crystal, "energy")[0], np.zeros((len(crystal), 0, 0), np.float32), None)
            for crystal in crystals
        ]

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        Raises:
            InputError: The calculator fails, or gives no stress.
        """
        energy, forces, voigt = self._ask(crystal, "energy", "forces", "stress")
        xx, yy, zz, yz, xz, xy = np.asarray(voigt, dtype=np.float64)
        stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        return Forces(energy, np.asarray(forces, dtype=np.float64), stress)

    def _ask(self, crystal: Crystal, *properties: str) -> list[Any]:
        from ase import Atoms
        from ase.calculators.calculator import PropertyNotImplementedError

        atoms = Atoms(numbers=crystal.numbers, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)
        found: list[Any] = []
        for name in properties:
            try:
                found.append(self.calculator.get_property(name, atoms))
            except PropertyNotImplementedError as error:
                rule = f"{self.version} gives no {name}, so that the structure cannot be relaxed"
                raise InputError(crystal.source, rule, "Give --no-relax, or another potential") from error
            except Exception as error:  # other people's code
                reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
                rule = f"{self.version} cannot compute it ({reason})"
                raise InputError(crystal.source, rule, "Check elements and cell, or take another potential") from error
        found[0] = float(found[0])
        return found
