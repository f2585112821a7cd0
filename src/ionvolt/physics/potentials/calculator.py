"""Forces and stress, and the potential as a calculator of ASE.

CHGNet's own forward pass keeps what second derivatives need, for training on forces. Relaxation needs first derivatives
only; taking them here is some eight times faster. A test holds the one against the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from ionvolt.physics.potentials.chgnet import CHGNetPotential
from ionvolt.quiet import silenced
from ionvolt.structures.crystal import Crystal


@dataclass(frozen=True, eq=False)
class Forces:
    """First derivatives of the energy.

    Attributes:
        energy: Energy of the cell, eV.
        forces: On the atoms, shape (n_atoms, 3), float64, eV/Å.
        stress: dE/dε / V, shape (3, 3), float64, eV/Å^3 (positive where the cell wants to shrink).
    """

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


def forces(potential: CHGNetPotential, crystal: Crystal) -> Forces:
    """Energy, forces and stress of a crystal.

    Raises:
        InputError: The crystal holds an isolated atom or an element that the potential does not know.
    """
    import torch
    from chgnet.model.model import BatchedGraph

    network = potential.network
    graph = potential.graph(crystal)
    with torch.enable_grad():
        # Said of CHGNet's own reading of the volume.
        with silenced("Converting a tensor with requires_grad", category=UserWarning):
            batch = BatchedGraph.from_graphs(
                [graph],
                bond_basis_expansion=network.bond_basis_expansion,
                angle_basis_expansion=network.angle_basis_expansion,
                compute_stress=True,
            )
        energy = network._compute(batch)["e"].sum() * len(crystal)
        by_position, by_strain = torch.autograd.grad(energy, [batch.atom_positions[0], batch.strains[0]])
        if network.composition_model is not None:
            energy = energy + network.composition_model([graph]).sum() * len(crystal)
    stress = by_strain.double().numpy() / crystal.volume
    return Forces(float(energy), -by_position.double().numpy(), (stress + stress.T) / 2)


class QuietCellFilter(FrechetCellFilter):
    """ASE's atoms and cell in one, without its word on errors of 1e-13 in the logarithm of the strain at every step."""

    def get_positions(self) -> Any:
        """See ASE's filters."""
        with silenced("logm result may be inaccurate", category=RuntimeWarning):
            return super().get_positions()  # type: ignore[no-untyped-call]

    def get_forces(self, **kwargs: Any) -> Any:
        """See ASE's filters."""
        # Computed and kept before others have to wait.
        self.atoms.get_stress(**kwargs)
        self.atoms.get_forces(**kwargs)
        with silenced("logm result may be inaccurate", category=RuntimeWarning):
            return super().get_forces(**kwargs)  # type: ignore[no-untyped-call]


class PotentialCalculator(Calculator):
    """The potential for ASE's optimisers."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, potential: CHGNetPotential) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.potential = potential

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill ``results``; see ASE's ``Calculator``."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        found = forces(self.potential, Crystal.from_ase(self.atoms))
        self.results = {
            "energy": found.energy,
            "free_energy": found.energy,
            "forces": found.forces,
            "stress": full_3x3_to_voigt_6_stress(found.stress),  # type: ignore[no-untyped-call]
        }
