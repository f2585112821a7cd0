"""Potentials by name, and the two behind a computed voltage as one object."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ionvolt.device import gpu
from ionvolt.errors import ModelError
from ionvolt.physics.potentials.ase_calculator import PREFIX, ASEPotential
from ionvolt.physics.potentials.chgnet import DEFAULT_VERSION, VERSIONS, load_chgnet
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import PBE_HEAD, R2SCAN_HEAD, VERSION, SevenNetPotential, load_sevennet

SHIPPED: dict[str, Callable[[], Potential]] = {
    **{version: partial(load_sevennet, version) for version in (VERSION, PBE_HEAD, R2SCAN_HEAD)},
    **{version: partial(load_chgnet, version) for version in VERSIONS},
}
"""Potentials that come with the packages, by name: how each is loaded."""

SUFFIXES = (".pth", ".pt", ".ckpt", ".tar")
"""Names that end so are files, there or not."""


@dataclass(frozen=True, eq=False)
class PotentialPair:
    """A potential that is quick enough to relax with, and one whose energies are good enough to compare.

    Attributes:
        relaxer: Relaxes structures and ranks arrangements.
        energy_model: Gives the energies of which the voltage is made.
    """

    relaxer: Potential
    energy_model: Potential

    @property
    def version(self) -> str:
        """Version of the potential whose energies give the voltage."""
        return self.energy_model.version

    @property
    def remembers(self) -> bool:
        """Whether results may be kept under the versions. What a calculator of ASE computes hangs on more than that."""
        return not any(isinstance(potential, ASEPotential) for potential in (self.relaxer, self.energy_model))


def load_potential(name: str = VERSION, *, trusted: bool = False) -> Potential:
    """A potential by name.

    Args:
        name: One of ``SHIPPED``; a checkpoint of SevenNet, ``PATH`` or ``PATH:head``; or ``ase:module.Class``. Files
            and classes are the user's: no server may take their names from a request.
        trusted: See ``SevenNetPotential.from_checkpoint``.

    Raises:
        InputError: The checkpoint cannot be used.
        ModelError: There is no such potential.
    """
    if name in SHIPPED:
        return SHIPPED[name]()
    if name.startswith(PREFIX):
        return ASEPotential.load(name)
    path, head = _checkpoint(name)
    if path is not None:
        return SevenNetPotential.from_checkpoint(path, head, trusted=trusted, device=gpu())
    raise ModelError(
        f"{name}: no such potential. Choose from {', '.join(SHIPPED)}, or give a checkpoint of SevenNet (PATH or "
        f"PATH:head) or {PREFIX}module.Class"
    )


def load_potentials(name: str = VERSION, *, trusted: bool = False) -> PotentialPair:
    """Potentials by the name of the one whose energies give the voltage.

    Args:
        name: See ``load_potential``. For ``VERSION`` CHGNet's default version relaxes; every other one does all.
        trusted: See ``SevenNetPotential.from_checkpoint``.

    Raises:
        InputError: The checkpoint cannot be used.
        ModelError: There is no such potential.
    """
    potential = load_potential(name, trusted=trusted)
    return PotentialPair(load_chgnet(DEFAULT_VERSION) if name == VERSION else potential, potential)


def _checkpoint(name: str) -> tuple[Path | None, str]:
    """The file that a name means, and the head; no file where it means none."""
    path, _, head = name.rpartition(":")
    for file, chosen in ((name, ""), (path, head)):
        if file and Path(file).is_file():
            return Path(file), chosen
    for file, chosen in ((name, ""), (path, head)):
        if file.lower().endswith(SUFFIXES):
            return Path(file), chosen
    return (Path(name), "") if os.sep in name else (None, "")
