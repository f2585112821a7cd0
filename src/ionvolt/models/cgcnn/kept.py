"""What was made of modules for inference, for as long as they are as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from torch import nn

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """What was made of some modules, for as long as nobody trains them or loads other weights into them.

    Attributes:
        made: It.
    """

    def __init__(self, modules: Sequence[nn.Module], made: Made) -> None:
        self.made = made
        self._modules = [part for module in modules for part in module.modules()]
        self._versions = self._now()

    def _now(self) -> list[tuple[int, int]]:
        """Which tensors there are, and how often each was written to; attributes of modules are looked up slowly."""
        return [
            (id(tensor), tensor._version)
            for module in self._modules
            for tensors in (module._parameters, module._buffers)
            for tensor in tensors.values()
            if tensor is not None
        ]

    @property
    def holds(self) -> bool:
        """Whether the modules are as they were."""
        return self._now() == self._versions
