"""A quick look at how a host takes an ion: put in where it likes to be, nothing relaxed, a few energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.electrode import WorkingIon
from ionvolt.physics.insertion import APART, default_ions, with_ions
from ionvolt.physics.potential import Potential, PotentialOutput
from ionvolt.physics.sites import by_fit, distances, find_voids
from ionvolt.structures.crystal import Crystal

CANDIDATES = 3
"""Voids whose energies are compared."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A host with ions in the best of its voids.

    Attributes:
        crystal: The host's cell, the ions last.
        n_ions: How many.
        output: What the potential says of it.
    """

    crystal: Crystal
    n_ions: int
    output: PotentialOutput


def trial_insertions(
    host: Crystal, ion: WorkingIon, potential: Potential, n_ions: int | None = None
) -> tuple[Trial, Trial] | None:
    """The host with one ion, and with as many as its best kind of void and its electrons take; None without a void.

    Args:
        host: The charged host; it is not relaxed.
        ion: The working ion.
        potential: The potential.
        n_ions: Most ions of the second; by default one electron for each transition metal (``default_ions``).
    """
    voids = by_fit(host, ion.symbol, find_voids(host))[:CANDIDATES]
    if not voids:
        return None
    crystals = [with_ions(host, ion, void.frac_coords[:1]) for void in voids]
    outputs = potential.evaluate(crystals)
    best = int(np.argmin([output.energy for output in outputs]))
    single = Trial(crystals[best], 1, outputs[best])
    wanted = default_ions(host, ion) if n_ions is None else n_ions
    places = voids[best].frac_coords[:1]
    for place in voids[best].frac_coords[1:]:
        if len(places) >= wanted:
            break
        if distances(host.lattice, place, places).min() >= APART:
            places = np.vstack([places, place])
    if len(places) == 1:
        return single, single
    filled = with_ions(host, ion, places)
    return single, Trial(filled, len(places), potential.evaluate([filled])[0])
