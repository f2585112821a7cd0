"""A quick look at how a host takes an ion: put in where it likes to be, nothing relaxed, a few energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.electrode import WorkingIon
from ionvolt.physics.insertion import APART, default_ions, with_ions
from ionvolt.physics.potential import Evaluator, PotentialOutput
from ionvolt.physics.sites import Void, by_fit, distances, find_voids, repulsion
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal

WIDEST = 4.8
"""Å: an ion in the middle of a wider void touches nothing, and the potential, which ends at 5 Å, cannot place it."""

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


def voids_for_trials(host: Crystal) -> list[Void]:
    """Voids of a host, which do not hang on the ion; the widest, however narrow, where none is wide enough.

    Raises:
        InputError: There is none at all.
    """
    voids = find_voids(host) or find_voids(host, clearance=0.0)[:1]
    if not voids:
        raise refusal(host.source, "no void in it to try an ion in", "Give a discharged structure instead")
    return [void for void in voids if void.clearance < WIDEST] or voids


def trial_insertions(
    host: Crystal, ion: WorkingIon, potential: Evaluator, voids: Sequence[Void] | None = None
) -> tuple[Trial, Trial]:
    """The host with one ion in the best of its likely voids, and with that kind of void filled.

    The second takes no more ions than the host has electrons to give (``insertion.default_ions``), and none that lie
    too near each other; it is the first one again where that is one ion. Both hang on the cell: give the primitive one.

    Args:
        host: The charged host; it is not relaxed.
        ion: The working ion.
        potential: The potential.
        voids: From ``voids_for_trials``, where they are known.

    Raises:
        InputError: The host has no void, or it cannot be evaluated.
    """
    likely = by_fit(host, ion.symbol, list(voids or voids_for_trials(host)))[:CANDIDATES]
    crystals = [with_ions(host, ion, void.frac_coords[:1]) for void in likely]
    outputs = potential.evaluate(crystals)
    best = int(np.argmin([output.energy for output in outputs]))
    single = Trial(crystals[best], 1, outputs[best])
    wanted = default_ions(host, ion)
    places = filling(host, likely[best], wanted)
    if len(places) == 1:
        return single, single
    filled = with_ions(host, ion, places)
    return single, Trial(filled, len(places), potential.evaluate([filled])[0])


def filling(host: Crystal, void: Void, wanted: int) -> NDArray[np.float64]:
    """Sites of at most so many ions in the equivalents of a void, each where the others crowd it least; (n, 3)."""
    places = void.frac_coords[:1]
    free = void.frac_coords[1:]
    while len(places) < wanted:
        free = np.array([site for site in free if distances(host.lattice, site, places).min() >= APART])
        if not len(free):
            break
        crowding = [repulsion(host.lattice, site, places) for site in free]
        places = np.vstack([places, free[int(np.argmin(np.round(crowding, 9)))]])
    return places
