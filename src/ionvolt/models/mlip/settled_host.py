"""Charged hosts that are made by taking the ion out, as the models on a universal potential see them."""

from __future__ import annotations

import numpy as np

from ionvolt.physics.optimisers import computed
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.relaxation import settle
from ionvolt.structures.crystal import Crystal

STEPS = 3
"""Of relaxation, from which the trained models have learned."""


AT_REST = 0.5
"""eV/Å: a discharged crystal with no larger force is taken as relaxed; nine of ten of the Materials Project are so."""


def settled_host(host: Crystal, discharged: Crystal) -> Crystal:
    """What is left of a discharged crystal, relaxed for ``STEPS`` steps of SevenNet, atoms and cell.

    Where that crystal was not relaxed itself, its forces and stress are taken off those of the host: all of them where
    the largest is twice ``AT_REST``, none below it. Else its charged end alone would gain energy, many volts of it
    where atoms are too near each other.

    Args:
        host: The discharged crystal without its ions, or without some of them.
        discharged: That crystal.

    Raises:
        InputError: The host holds an isolated atom or an element that SevenNet does not know.
        ValueError: The host was not made of that crystal.
    """
    places = {place.tobytes(): i for i, place in enumerate(discharged.frac_coords)}
    kept = [places.get(place.tobytes(), -1) for place in host.frac_coords]
    if -1 in kept or (discharged.numbers[kept] != host.numbers).any():
        raise ValueError(f"{host.source}: not made of {discharged.source}")
    potential = load_sevennet()
    state, slope = computed(discharged, potential)
    share = np.clip(state.max_force / AT_REST - 1, 0, 1)
    ever = share * np.concatenate([slope[:-6].reshape(-1, 3)[kept].ravel(), slope[-6:]])
    return settle(host, potential, STEPS, ever)
