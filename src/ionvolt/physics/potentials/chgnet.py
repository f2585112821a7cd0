"""A universal potential, CHGNet, as a function from crystals to energies, atom vectors and magnetic moments.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023). The weights are part of the package ``chgnet``: nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import ModelError
from ionvolt.physics.potentials.chgnet_graph import chgnet_graph
from ionvolt.physics.potentials.lean_import import left_out
from ionvolt.quiet import without_prints
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import Pairs, find_pairs

if TYPE_CHECKING:
    from chgnet.graph.crystalgraph import CrystalGraph
    from chgnet.model.model import CHGNet

VERSIONS = ("0.3.0", "0.2.0", "r2scan")
"""The sets of weights: two trained on the GGA and GGA+U of the Materials Project, one transferred to r2SCAN."""

DEFAULT_VERSION = "0.3.0"

N_LAYERS = 4
"""Stages whose atom vectors are handed out: three convolutions and the input of the energy's last network."""

UNUSED = {
    "chgnet.model.dynamics": ("CHGNetCalculator", "MolecularDynamics", "StructOptimizer"),
    "chgnet.utils.vasp_utils": ("parse_vasp_dir", "solve_charge_by_mag"),
}
"""Simulations and readers of VASP's output, which the package imports with the network."""

ATOMS_TOGETHER = 200
"""Atoms in one forward pass. On one core more atoms gain nothing and leave the cache."""


@dataclass(frozen=True, eq=False)
class PotentialOutput:
    """What the potential says of a crystal.

    Attributes:
        energy: Energy of the cell in eV, on the Materials Project's GGA/GGA+U scale (r2scan: r2SCAN).
        features: Atom vectors, shape (n_atoms, n_layers, size), float32. CHGNet's, 4 of 64 numbers, stand after
            convolutions 1, 2 and 3 and after the norm before the energy's last network (version 0.2.0 has no such norm:
            after convolution 4).
        magmoms: Magnetic moment of each atom, without sign, in mu_B, shape (n_atoms,), float32; None where the
            potential knows none.
        atom_energies: Energy of each atom in eV, shape (n_atoms,), float64; they add up to ``energy``. None where the
            potential was not asked for them, or they were not kept.
    """

    energy: float
    features: NDArray[np.float32]
    magmoms: NDArray[np.float32] | None
    atom_energies: NDArray[np.float64] | None = None


class Potential(Protocol):
    """A potential that gives energies of crystals as they are."""

    version: str

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies and atom vectors of crystals, in their order.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know.
        """
        ...


class CHGNetPotential:
    """CHGNet on the CPU. One object serves many threads."""

    def __init__(self, version: str = DEFAULT_VERSION) -> None:
        """Load the weights of a version.

        Raises:
            ModelError: There is no such version.
        """
        if version not in VERSIONS:
            raise ModelError(f"{version}: no such version of the potential. Choose from {', '.join(VERSIONS)}")
        with left_out(UNUSED):
            from chgnet.model import model

        self.version = version
        with without_prints(model):
            self.network: CHGNet = model.CHGNet.load(model_name=version, use_device="cpu", verbose=False)
        self.network.eval()
        self.network.requires_grad_(False)
        self.cutoff = float(self.network.graph_converter.atom_graph_cutoff)
        self.angle_cutoff = float(self.network.graph_converter.bond_graph_cutoff)
        self._seen = threading.local()
        last = self.network.readout_norm or self.network.atom_conv_layers[-1]
        for layer in (*self.network.atom_conv_layers[: N_LAYERS - 1], last):
            layer.register_forward_hook(self._keep)

    def _keep(self, layer: object, inputs: object, output: Any) -> None:
        vectors = getattr(self._seen, "vectors", None)
        if vectors is not None:
            vectors.append(output)

    def graph(self, crystal: Crystal, bonds: Pairs | None = None) -> CrystalGraph:
        """The graph of a crystal for this version; ``bonds`` up to its cut-off or beyond are reused."""
        if bonds is None:
            bonds = find_pairs(crystal, self.cutoff, both=False)
        return chgnet_graph(crystal, bonds, self.cutoff, self.angle_cutoff)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies, atom vectors and moments of crystals as they are, in their order.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know.
        """
        outputs: list[PotentialOutput] = []
        for chunk in _chunks(crystals, ATOMS_TOGETHER):
            outputs += self._forward([self.graph(crystal) for crystal in chunk])
        return outputs

    def _forward(self, graphs: list[CrystalGraph]) -> list[PotentialOutput]:
        import torch

        self._seen.vectors = []
        try:
            with torch.no_grad():
                answer = self.network(graphs, task="em")
            features = torch.stack(self._seen.vectors, dim=1).numpy()
        finally:
            self._seen.vectors = None
        sizes = [len(graph.atomic_number) for graph in graphs]
        return [
            PotentialOutput(float(energy) * size, vectors.copy(), moments.numpy().copy())
            for energy, size, vectors, moments in zip(
                answer["e"].double(), sizes, np.split(features, np.cumsum(sizes)[:-1]), answer["m"], strict=True
            )
        ]


@lru_cache(maxsize=len(VERSIONS))
def load_chgnet(version: str = DEFAULT_VERSION) -> CHGNetPotential:
    """The potential of a version, loaded once in a process.

    Raises:
        ModelError: There is no such version.
    """
    return CHGNetPotential(version)


def _chunks(crystals: Sequence[Crystal], most: int) -> Iterator[list[Crystal]]:
    """Runs of crystals with at most ``most`` atoms together, or one crystal that has more."""
    chunk: list[Crystal] = []
    n_atoms = 0
    for crystal in crystals:
        if chunk and n_atoms + len(crystal) > most:
            yield chunk
            chunk, n_atoms = [], 0
        chunk.append(crystal)
        n_atoms += len(crystal)
    if chunk:
        yield chunk
