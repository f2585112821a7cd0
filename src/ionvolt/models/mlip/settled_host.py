"""Charged hosts that are made by taking the ion out, as the models on a universal potential see them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ionvolt.physics.equilibrium import MAX_FORCE
from ionvolt.physics.optimisers import computed
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.relaxation import settle
from ionvolt.structures.crystal import Crystal

STEPS = 3
"""Of relaxation, from which the trained models have learned."""

AT_REST = 0.5
"""eV/Å: a discharged crystal with no larger force is taken as relaxed; nine of ten of the Materials Project are so."""


def settled_host(host: Crystal, discharged: Crystal, steps: int = STEPS, potential: Potential | None = None) -> Crystal:
    """What is left of a discharged crystal, relaxed for some steps, atoms and cell.

    Where that crystal was not relaxed itself, its forces and stress are taken off those of the host: none of them
    up to ``AT_REST``, all from twice that on. Else its charged end alone would gain energy, many volts of it where
    atoms are too near each other. Forces beyond ``equilibrium.MAX_FORCE`` say little of small moves: from there on the
    host goes a part of the way only, and stays as it stands from twice that on.

    Args:
        host: The discharged crystal without its ions, or without some of them.
        discharged: That crystal.
        steps: Of the relaxation.
        potential: Whose forces count; None: SevenNet's.

    Raises:
        InputError: The host holds an isolated atom or an element that the potential does not know.
        ValueError: The host was not made of that crystal.
    """
    places = {place.tobytes(): i for i, place in enumerate(discharged.frac_coords)}
    kept = [places.get(place.tobytes(), -1) for place in host.frac_coords]
    if -1 in kept or (discharged.numbers[kept] != host.numbers).any():
        raise ValueError(f"{host.source}: not made of {discharged.source}")
    potential = potential or load_sevennet()
    state, slope = computed(discharged, potential)
    part = np.clip(2 - state.max_force / MAX_FORCE, 0, 1)
    if not part:
        return host
    share = np.clip(state.max_force / AT_REST - 1, 0, 1)
    ever = share * np.concatenate([slope[:-6].reshape(-1, 3)[kept].ravel(), slope[-6:]])
    there = settle(host, potential, steps, ever)
    return replace(
        host,
        lattice=host.lattice + part * (there.lattice - host.lattice),
        frac_coords=host.frac_coords + part * (there.frac_coords - host.frac_coords),
    )
