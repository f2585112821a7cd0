"""A universal potential, CHGNet, as a function from crystals to energies, atom vectors and magnetic moments.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023). The weights are part of the package ``chgnet``: nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.device import gpu
from ionvolt.errors import ModelError
from ionvolt.physics.potentials.chgnet_graph import chgnet_graph
from ionvolt.physics.potentials.gpu_memory import as_memory_allows
from ionvolt.physics.potentials.interface import Forces, PotentialOutput, chunks
from ionvolt.physics.potentials.lean_import import left_out
from ionvolt.quiet import silenced, without_prints
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import Pairs, find_pairs

if TYPE_CHECKING:
    from chgnet.graph.crystalgraph import CrystalGraph
    from chgnet.model.model import CHGNet

_PREFIX = "chgnet-"
VERSIONS = (f"{_PREFIX}0.3.0", f"{_PREFIX}0.2.0", f"{_PREFIX}r2scan")
"""The sets of weights: two trained on the GGA and GGA+U of the Materials Project, one transferred to r2SCAN."""

DEFAULT_VERSION = VERSIONS[0]

N_LAYERS = 4
"""Stages whose atom vectors are handed out: three convolutions and the input of the energy's last network."""

UNUSED = {
    "chgnet.model.dynamics": ("CHGNetCalculator", "MolecularDynamics", "StructOptimizer"),
    "chgnet.utils.vasp_utils": ("parse_vasp_dir", "solve_charge_by_mag"),
}
"""Simulations and readers of VASP's output, which the package imports with the network."""

ATOMS_TOGETHER, ATOMS_ON_GPU = 200, 2000
"""Atoms in one forward pass, on the processor and on a GPU. On one core more atoms gain nothing and leave the cache."""


class CHGNetPotential:
    """CHGNet on the processor or on a GPU. One object serves many threads."""

    def __init__(self, version: str = DEFAULT_VERSION, device: str = "") -> None:
        """Load the weights of a version.

        Args:
            version: One of ``VERSIONS``.
            device: A device of PyTorch, on which the package's own layers run; empty: the processor, compiled layers.

        Raises:
            ModelError: There is no such version.
        """
        if version not in VERSIONS:
            raise ModelError(f"{version}: no such version of the potential. Choose from {', '.join(VERSIONS)}")
        with left_out(UNUSED):
            from chgnet.model import model

        self.version = version
        with without_prints(model):
            name = version.removeprefix(_PREFIX)
            self.network: CHGNet = model.CHGNet.load(model_name=name, use_device="cpu", verbose=False)
            self.network.to(device or "cpu")
        self.network.eval()
        self.network.requires_grad_(False)
        self.device = device
        if not device:
            with suppress(ImportError):  # without numba the package's own layers stay
                from ionvolt.physics.potentials.chgnet_layers import compile_layers

                compile_layers(self.network)
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
        graph = chgnet_graph(crystal, bonds, self.cutoff, self.angle_cutoff)
        return graph.to(self.device) if self.device else graph

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies, atom vectors and moments of crystals as they are, in their order.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know, or a GPU's
                memory does not hold it.
        """
        if self.device:
            return [
                output for some in chunks(crystals, ATOMS_ON_GPU) for output in as_memory_allows(self._forward, some)
            ]
        return [output for some in chunks(crystals, ATOMS_TOGETHER) for output in self._forward(some)]

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        CHGNet's own forward pass keeps what second derivatives need, for training on forces. Relaxation needs first
        derivatives only; taking them here is some eight times faster.

        Raises:
            InputError: As ``evaluate``.
        """
        if self.device:
            return as_memory_allows(lambda one: [self._forces(*one)], [crystal])[0]
        return self._forces(crystal)

    def _forces(self, crystal: Crystal) -> Forces:
        import torch
        from chgnet.model.model import BatchedGraph

        network = self.network
        graph = self.graph(crystal)
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
        stress = by_strain.double().cpu().numpy() / crystal.volume
        return Forces(float(energy), -by_position.double().cpu().numpy(), (stress + stress.T) / 2)

    def _forward(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        import torch

        graphs = [self.graph(crystal) for crystal in crystals]
        self._seen.vectors = []
        try:
            with torch.no_grad():
                answer = self.network(graphs, task="em")
            features = torch.stack(self._seen.vectors, dim=1).cpu().numpy()
        finally:
            self._seen.vectors = None
        sizes = [len(graph.atomic_number) for graph in graphs]
        return [
            PotentialOutput(float(energy) * size, vectors.copy(), moments.cpu().numpy().copy())
            for energy, size, vectors, moments in zip(
                answer["e"].double().cpu(), sizes, np.split(features, np.cumsum(sizes)[:-1]), answer["m"], strict=True
            )
        ]


def load_chgnet(version: str = DEFAULT_VERSION) -> CHGNetPotential:
    """The potential of a version, loaded once in a process, on the device that ``ionvolt.device`` names.

    Raises:
        ModelError: There is no such version.
    """
    return _loaded(version, gpu())


@lru_cache(maxsize=len(VERSIONS))
def _loaded(version: str, device: str) -> CHGNetPotential:
    return CHGNetPotential(version, device)
