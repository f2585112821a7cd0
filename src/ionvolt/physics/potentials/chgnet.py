"""A universal potential, CHGNet, as a function from crystals to energies, atom vectors and magnetic moments.

Deng et al., Nat. Mach. Intell. 5, 1031 (2023). The weights are part of the package ``chgnet``: nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ionvolt.device import gpu
from ionvolt.errors import ModelError
from ionvolt.physics.potentials.chgnet_package import PackageNetwork
from ionvolt.physics.potentials.gpu_memory import as_memory_allows
from ionvolt.physics.potentials.interface import Forces, PotentialOutput, chunks
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from chgnet.model.model import CHGNet

    from ionvolt.physics.potentials.chgnet_compiled import CompiledNetwork

_PREFIX = "chgnet-"
VERSIONS = (f"{_PREFIX}0.3.0", f"{_PREFIX}0.2.0", f"{_PREFIX}r2scan")
"""The sets of weights: two trained on the GGA and GGA+U of the Materials Project, one transferred to r2SCAN."""

DEFAULT_VERSION = VERSIONS[0]

ATOMS_TOGETHER, ATOMS_ON_GPU = 200, 2000
"""Atoms in one forward pass, on the processor and on a GPU. On one core more atoms gain nothing and leave the cache."""


class CHGNetPotential:
    """CHGNet on the processor or on a GPU. One object serves many threads.

    Attributes:
        version: One of ``VERSIONS``.
        device: As PyTorch calls it; empty: the processor, without PyTorch where numba is installed.
        compiled: What answers in the package's place; None on a GPU, and where it cannot.
    """

    def __init__(self, version: str = DEFAULT_VERSION, device: str = "") -> None:
        """Load the weights of a version.

        Args:
            version: One of ``VERSIONS``.
            device: A device of PyTorch, on which the package's own layers run; empty: the processor.

        Raises:
            ModelError: There is no such version.
        """
        if version not in VERSIONS:
            raise ModelError(f"{version}: no such version of the potential. Choose from {', '.join(VERSIONS)}")
        self.version = version
        self.device = device
        self._package: PackageNetwork | None = None
        self._loading = threading.Lock()
        self.compiled: CompiledNetwork | None = None if device else self._compile()
        if self.compiled is None:
            self._own()

    def _compile(self) -> CompiledNetwork | None:
        """What an earlier process kept, or what comes of the package's network; None without numba."""
        try:
            from ionvolt.physics.potentials import chgnet_kept
            from ionvolt.physics.potentials.chgnet_compiled import CompiledNetwork
            from ionvolt.physics.potentials.chgnet_weights import from_arrays, to_arrays
        except ImportError:
            return None
        name = self.version.removeprefix(_PREFIX)
        if (weights := chgnet_kept.find(name)) is None:
            try:
                arrays = to_arrays(self.network)
            except NotImplementedError:
                return None
            chgnet_kept.keep(name, arrays)
            weights = from_arrays(arrays)
        return CompiledNetwork(weights)

    def _own(self) -> PackageNetwork:
        with self._loading:
            if self._package is None:
                self._package = PackageNetwork(self.version.removeprefix(_PREFIX), self.device)
            return self._package

    @property
    def network(self) -> CHGNet:
        """The package's own network, loaded when it is first asked for."""
        return self._own().network

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies, atom vectors and moments of crystals as they are, in their order.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know, or a GPU's
                memory does not hold it.
        """
        if self.device:
            answer = self._own().evaluate
            return [output for some in chunks(crystals, ATOMS_ON_GPU) for output in as_memory_allows(answer, some)]
        answer = (self.compiled or self._own()).evaluate
        return [output for some in chunks(crystals, ATOMS_TOGETHER) for output in answer(some)]

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        Raises:
            InputError: As ``evaluate``.
        """
        if self.device:
            return as_memory_allows(lambda one: [self._own().forces(*one)], [crystal])[0]
        return (self.compiled or self._own()).forces(crystal)


def load_chgnet(version: str = DEFAULT_VERSION) -> CHGNetPotential:
    """The potential of a version, loaded once in a process, on the device that ``ionvolt.device`` names.

    Raises:
        ModelError: There is no such version.
    """
    return _loaded(version, gpu())


@lru_cache(maxsize=len(VERSIONS))
def _loaded(version: str, device: str) -> CHGNetPotential:
    return CHGNetPotential(version, device)
