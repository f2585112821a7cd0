"""SevenNet's network as its package builds it: for a GPU, for heads and checkpoints, and to be compiled from."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from ionvolt.physics.potentials.lean_import import left_out
from ionvolt.physics.potentials.sevennet_building import forms_only, moments_once
from ionvolt.quiet import silenced

UNUSED = {
    "pandas": (),
    "sympy": ("Integer", "Poly", "diff", "factorial", "pi", "sqrt", "symbols"),
}
"""What the packages import for tables of checkpoints and for harmonics by angles."""

N_LAYERS = 2
"""The last convolutions, whose vectors are handed out."""


@dataclass(eq=False)
class PackageNetwork:
    """A network of the package's.

    Attributes:
        network: It, without the module that computes forces.
        keys: Names of what goes in and comes out.
        kinds: How it counts elements, by atomic number.
        cutoff: Length of the longest bonds, Å.
        n_scalars: Numbers of an atom that do not turn with the crystal, in the last layers.
        device: Where it runs, as PyTorch calls it.
    """

    network: Any
    keys: Any
    kinds: dict[int, int]
    cutoff: float
    n_scalars: int
    device: str = "cpu"
    _seen: threading.local = field(default_factory=threading.local)

    def run(self, data: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The network's answer, and the vectors that its last gates let through."""
        self._seen.vectors = []
        try:
            return self.network(data), self._seen.vectors
        finally:
            self._seen.vectors = None

    def keep(self, layer: object, inputs: object, output: Any) -> None:
        """Take note of what a gate lets through."""
        self._seen.vectors.append(output[self.keys.NODE_FEATURE][:, : self.n_scalars])


def build_shipped(version: str, device: str = "") -> PackageNetwork:
    """Build a network whose weights come with the package; after a colon its head; ``device`` as for ``build``."""
    import_package()
    from sevenn.util import load_checkpoint

    name, _, head = version.partition(":")
    return build(load_checkpoint(name), head.upper(), device)


def build(checkpoint: Any, head: str, device: str = "") -> PackageNetwork:
    """Build the network of a checkpoint.

    Args:
        checkpoint: The package's own object.
        head: Which of several outputs; empty where it has one.
        device: Where it runs, with the package's own convolutions. Empty: on the processor, with ours, which spare
            its cache and are of no use elsewhere.
    """
    import e3nn
    import sevenn._keys as keys

    from ionvolt.physics.potentials.sevennet_convolution import PiecewiseConvolution

    chosen = e3nn.get_optimization_defaults()
    # The products that einsums would be optimised for are done here: a second of loading for nothing.
    e3nn.set_optimization_defaults(optimize_einsums=False)
    try:
        with silenced(), left_out(UNUSED), moments_once(), forms_only():
            network: Any = checkpoint.build_model()
    finally:
        e3nn.set_optimization_defaults(**chosen)
    if head:
        network.prepare_modal_deploy(head)
    network.delete_module_by_key("force_output")
    network.set_is_batch_data(False)
    for name, module in list(network.named_children()):
        if name.endswith("_convolution") and not device:
            network.replace_module(name, PiecewiseConvolution(module))
    network.eval().requires_grad_(False).to(device or "cpu")
    gates = [module for name, module in network.named_children() if name.endswith("equivariant_gate")][-N_LAYERS:]
    n_scalars = min(_scalars(module.gate.irreps_out) for module in gates)
    built = PackageNetwork(network, keys, dict(network.type_map), float(network.cutoff), n_scalars, device or "cpu")
    for gate in gates:
        gate.register_forward_hook(built.keep)
    return built


def _scalars(irreps: Any) -> int:
    """Numbers at the beginning of a vector that do not turn with the crystal."""
    return sum(count for count, irrep in irreps if irrep.l == 0 and irrep.p == 1)


def import_package() -> None:
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
        import sevenn.checkpoint
        import sevenn.util  # noqa: F401
