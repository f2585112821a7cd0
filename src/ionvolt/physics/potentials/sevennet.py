"""An equivariant universal potential, SevenNet-l3i5: five times slower than CHGNet, voltages twice as good.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024). Beside it stands SevenNet-MF-0, a network with two outputs, for
PBE+U and for r2SCAN, at a quarter of the cost. All weights are part of the package ``sevenn``: nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ionvolt.physics.potentials.chgnet import PotentialOutput
from ionvolt.physics.potentials.chgnet_graph import require_known
from ionvolt.physics.potentials.lean_import import left_out
from ionvolt.physics.potentials.sevennet_building import forms_only, moments_once
from ionvolt.quiet import silenced
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs
from ionvolt.structures.wording import refusal

VERSION = "7net-l3i5"

PBE_HEAD = "7net-mf-0:pbe"
R2SCAN_HEAD = "7net-mf-0:r2scan"
"""The two outputs of SevenNet-MF-0."""

UNUSED = {
    "pandas": (),
    "sympy": ("Integer", "Poly", "diff", "factorial", "pi", "sqrt", "symbols"),
}
"""What the packages import for tables of checkpoints and for harmonics by angles."""

N_SCALARS = 128
"""Numbers of an atom that do not turn with the crystal, in each layer."""

N_LAYERS = 2
"""The last convolutions, whose vectors are handed out."""


class SevenNetPotential:
    """SevenNet on the CPU, energies and atom vectors only. One object serves many threads."""

    def __init__(self, version: str = VERSION) -> None:
        """Load the weights from the installed package.

        Args:
            version: ``VERSION``, ``PBE_HEAD`` or ``R2SCAN_HEAD``.
        """
        _import_e3nn()
        import e3nn
        import sevenn._keys as key
        from sevenn.util import load_checkpoint

        from ionvolt.physics.potentials.sevennet_convolution import PiecewiseConvolution

        chosen = e3nn.get_optimization_defaults()
        # The products that einsums would be optimised for are done here: a second of loading for nothing.
        e3nn.set_optimization_defaults(optimize_einsums=False)
        try:
            with silenced(), left_out(UNUSED), moments_once(), forms_only():
                checkpoint, _, head = version.partition(":")
                network: Any = load_checkpoint(checkpoint).build_model()
        finally:
            e3nn.set_optimization_defaults(**chosen)
        if head:
            network.prepare_modal_deploy(head.upper())
        self.version = version
        self.key = key
        self.cutoff = float(network.cutoff)
        network.delete_module_by_key("force_output")
        network.set_is_batch_data(False)
        for name, module in list(network.named_children()):
            if name.endswith("_convolution"):
                network.replace_module(name, PiecewiseConvolution(module))
        self.network = network.eval().requires_grad_(False)
        self._seen = threading.local()
        gates = [module for name, module in network.named_children() if name.endswith("equivariant_gate")]
        for gate in gates[-N_LAYERS:]:
            gate.register_forward_hook(self._keep)

    def _keep(self, layer: object, inputs: object, output: Any) -> None:
        self._seen.vectors.append(output[self.key.NODE_FEATURE][:, :N_SCALARS])

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies and atom vectors of crystals as they are, in their order.

        Energies lack the Materials Project's corrections of elements and anions, which voltages do not feel. Vectors
        are those of the last two convolutions, shape (n_atoms, 2, 128); there are no moments.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know.
        """
        return [self._forward(crystal) for crystal in crystals]

    def _require_elements(self, crystal: Crystal) -> None:
        unknown = sorted(set(crystal.numbers.tolist()) - set(self.network.type_map))
        if unknown:
            names = ", ".join(SYMBOLS[number] for number in unknown)
            raise refusal(crystal.source, f"the potential does not know {names}", "Leave it out")

    def _forward(self, crystal: Crystal) -> PotentialOutput:
        import torch

        bonds = find_pairs(crystal, self.cutoff, both=False)
        require_known(crystal, bonds, self.cutoff)
        self._require_elements(crystal)
        frac = crystal.wrapped
        vectors = (frac[bonds.j] + bonds.image - frac[bonds.i]) @ crystal.lattice
        numbers = torch.from_numpy(crystal.numbers.astype(np.int64))
        key = self.key
        data = {
            key.NODE_FEATURE: numbers,
            key.ATOMIC_NUMBERS: numbers,
            key.EDGE_IDX: torch.from_numpy(
                np.stack([np.concatenate([bonds.i, bonds.j]), np.concatenate([bonds.j, bonds.i])])
            ),
            key.EDGE_VEC: torch.from_numpy(np.concatenate([vectors, -vectors]).astype(np.float32)),
            key.CELL_VOLUME: torch.tensor(crystal.volume),
            key.NUM_ATOMS: torch.tensor(len(crystal)),
        }
        self._seen.vectors = []
        try:
            with torch.no_grad():
                answer = self.network(data)
            features = torch.stack(self._seen.vectors, dim=1).numpy().copy()
        finally:
            self._seen.vectors = None
        energies = answer[key.ATOMIC_ENERGY].double().reshape(-1)
        return PotentialOutput(float(energies.sum()), features, None, energies.numpy().copy())


def _import_e3nn() -> None:
    """Import it without PyTorch's compiler, a second of importing that one decorator asks for and nothing here uses."""
    import torch

    chosen = torch.compiler.disable
    torch.compiler.disable = lambda function: function  # type: ignore[assignment, misc]
    # e3nn and sevenn script functions while they are imported; from PyTorch 2.14 on everybody would be told.
    with silenced(r"`torch\.jit\."), left_out(UNUSED):
        try:
            import e3nn.o3  # noqa: F401
        finally:
            torch.compiler.disable = chosen
        import sevenn.util  # noqa: F401


@lru_cache(maxsize=3)
def load_sevennet(version: str = VERSION) -> SevenNetPotential:
    """The potential of a version, loaded once in a process."""
    return SevenNetPotential(version)
