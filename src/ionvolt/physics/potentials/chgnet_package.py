"""CHGNet's own layers, by PyTorch: on a GPU, without numba, and to read the weights."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.physics.potentials.chgnet_graph import chgnet_graph
from ionvolt.physics.potentials.interface import Forces, PotentialOutput
from ionvolt.physics.potentials.lean_import import left_out
from ionvolt.quiet import silenced, without_prints
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from chgnet.graph.crystalgraph import CrystalGraph
    from chgnet.model.model import CHGNet

N_LAYERS = 4
"""Stages whose atom vectors are handed out: three convolutions and the input of the energy's last network."""

UNUSED = {
    "chgnet.model.dynamics": ("CHGNetCalculator", "MolecularDynamics", "StructOptimizer"),
    "chgnet.utils.vasp_utils": ("parse_vasp_dir", "solve_charge_by_mag"),
}
"""Simulations and readers of VASP's output, which the package imports with the network."""


class PackageNetwork:
    """A network of the package's, on a device. One object serves many threads.

    Attributes:
        network: The package's own object.
        device: As PyTorch calls it; empty: the processor.
        cutoff: Length of the longest bonds, Å.
        angle_cutoff: Å below which two bonds at an atom make an angle.
    """

    def __init__(self, name: str, device: str = "") -> None:
        """Load the weights of a version, by its name in the package."""
        with left_out(UNUSED):
            from chgnet.model import model

        with without_prints(model):
            self.network: CHGNet = model.CHGNet.load(model_name=name, use_device="cpu", verbose=False)
            self.network.to(device or "cpu")
        self.network.eval()
        self.network.requires_grad_(False)
        self.device = device
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

    def _graph(self, crystal: Crystal) -> CrystalGraph:
        graph = chgnet_graph(crystal, self.cutoff, self.angle_cutoff)
        return graph.to(self.device) if self.device else graph

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies, atom vectors and moments of crystals side by side."""
        import torch

        graphs = [self._graph(crystal) for crystal in crystals]
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

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        CHGNet's own forward pass keeps what second derivatives need, for training on forces. Relaxation needs first
        derivatives only; taking them here is some eight times faster.
        """
        import torch
        from chgnet.model.model import BatchedGraph

        network = self.network
        graph = self._graph(crystal)
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
