"""A quick look at how a host takes an ion: put in where it likes to be, then a few steps of relaxation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.parallel import in_threads
from ionvolt.physics.insertion import APART, default_ions, with_ions
from ionvolt.physics.interstitials import (
    InterstitialSite,
    crowding_energy,
    distances,
    find_interstitials,
    rank_sites,
)
from ionvolt.physics.potentials.interface import Potential, PotentialOutput
from ionvolt.physics.settling import STEPS, GivenForces, Settled, settle_changed
from ionvolt.structures.chemistry import IONIC_RADII
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal

WIDEST = 4.8
"""Å: an ion in the middle of a wider void touches nothing, and the potential, which ends at 5 Å, cannot place it."""

CANDIDATES = 3
"""Voids whose energies are compared."""


LARGE = 1.2
"""Å: ions of a larger radius (K, Rb, Cs) push the host apart."""

STRETCH, MOST_STRETCHED = 0.03, 0.24
"""From size to size of a cell with large ions, and to the largest, as fractions of the edges."""

LARGE_STEPS = 5
"""Of relaxation of a cell with large ions, once it is stretched, from which the trained models have learned."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A host with ions in the best of its voids.

    Attributes:
        crystal: The host's cell, the ions last.
        n_ions: Number of ions in the cell.
        output: What the potential says of it.
    """

    crystal: Crystal
    n_ions: int
    output: PotentialOutput


def sites_for_trials(host: Crystal) -> list[InterstitialSite]:
    """Voids of a host, which do not hang on the ion; the widest, however narrow, where none is wide enough.

    Raises:
        InputError: There is none at all.
    """
    interstitials = find_interstitials(host) or find_interstitials(host, free_radius=0.0)[:1]
    if not interstitials:
        raise refusal(host.source, "no void in it to try an ion in", "Give a discharged structure instead")
    return [site for site in interstitials if site.free_radius < WIDEST] or interstitials


@dataclass(frozen=True)
class Wanted:
    """What is tried in a host.

    Attributes:
        ion: The working ion.
        n_ions: Ions that go into the cell, at least one; None: not known.
    """

    ion: WorkingIon
    n_ions: int | None = None


def trial_insertions(
    host: Crystal,
    wanted: Sequence[Wanted],
    potential: Potential,
    sites: Sequence[InterstitialSite] | None = None,
    given: GivenForces | None = None,
) -> list[tuple[Trial, Trial]]:
    """The host with one ion in the best of its likely voids, and with that kind of void filled: for each ion.

    The first stays as it stands. The second takes no more ions than the host has electrons to give
    (``insertion.default_ions``), and none that lie too near each other. Where it is known how many ions go in, so many
    are put in, into other kinds of voids where the best kind is too few, or as many as find room. It is then settled:
    relaxed for some steps, large ions after their cell was stretched.

    Both hang on the cell: give the primitive one. All first trials are put to the potential together, as crystals that
    differ by one ion cost less so; the second are settled in threads.

    Args:
        host: The charged host; it is not relaxed.
        wanted: Working ions.
        potential: The potential whose energies and forces count.
        sites: From ``sites_for_trials``, where they are known.
        given: Forces of the host, where they are known.

    Raises:
        InputError: The host has no void, or it cannot be evaluated.
    """
    voids = list(sites or sites_for_trials(host))
    likely = [rank_sites(host, one.ion.symbol, voids) for one in wanted]
    candidates = [
        with_ions(host, one.ion, site.frac_coords[:1])
        for one, ranked in zip(wanted, likely, strict=True)
        for site in ranked[:CANDIDATES]
    ]
    outputs = potential.evaluate(candidates)
    tried = (Trial(crystal, 1, output) for crystal, output in zip(candidates, outputs, strict=True))
    at_rest = given or GivenForces.of(host, potential)

    def filled(one: Wanted, ranked: Sequence[InterstitialSite], some: Sequence[Trial]) -> tuple[Trial, Trial]:
        order = np.argsort([trial.output.energy for trial in some], kind="stable").tolist()
        single = some[order[0]]
        if one.n_ions is None:
            places = fill_sites(host, [ranked[order[0]]], default_ions(host, one.ion))
        else:
            places = fill_sites(host, [*(ranked[k] for k in order), *ranked[CANDIDATES:]], one.n_ions)
        crystal, output = single.crystal, single.output
        if len(places) > 1:
            crystal, output = with_ions(host, one.ion, places), None
        if IONIC_RADII[one.ion.symbol] <= LARGE:
            return single, settled(crystal, len(places), at_rest, potential, STEPS, output)
        wide = stretched(Trial(crystal, len(places), output or potential.evaluate([crystal])[0]), potential)
        return single, settled(wide.crystal, len(places), at_rest, potential, LARGE_STEPS, wide.output)

    found = [list(islice(tried, min(CANDIDATES, len(ranked)))) for ranked in likely]
    return in_threads(lambda k: filled(wanted[k], likely[k], found[k]), range(len(wanted)))


def stretched(trial: Trial, potential: Potential) -> Trial:
    """The same in a cell stretched alike along all edges until its energy rises.

    Bonds of large ions are too short in a host that was without them; small ions gain nothing from it.
    """
    best = trial
    for step in range(1, round(MOST_STRETCHED / STRETCH) + 1):
        wider = replace(trial.crystal, lattice=trial.crystal.lattice * (1 + STRETCH * step))
        found = _evaluate_or_none(wider, trial.n_ions, potential)
        if found is None or found.output.energy >= best.output.energy:
            break
        best = found
    return best


def settled(
    crystal: Crystal,
    n_ions: int,
    given: GivenForces,
    potential: Potential,
    steps: int,
    output: PotentialOutput | None = None,
) -> Trial:
    """A host with ions after some steps of relaxation; as it was where these find no lower energy.

    Args:
        crystal: The host's cell, the ions last.
        n_ions: How many there are.
        given: Forces of the host alone.
        potential: The potential.
        steps: Of relaxation.
        output: What the potential says of the crystal as it stands, where that is known.

    Raises:
        InputError: The potential cannot compute the crystal as it stands.
    """
    places = [*range(len(crystal) - n_ions), *[-1] * n_ions]
    try:
        there = settle_changed(crystal, given, places, potential, steps)
    except InputError:
        there = Settled(crystal, None)
    if there.crystal is not crystal:
        before = there.start_energy if output is None else output.energy
        found = _evaluate_or_none(there.crystal, n_ions, potential)
        if found is not None and before is not None and found.output.energy < before:
            return found
    return Trial(crystal, n_ions, output or potential.evaluate([crystal])[0])


def _evaluate_or_none(crystal: Crystal, n_ions: int, potential: Potential) -> Trial | None:
    """None where an atom has lost its last neighbour."""
    try:
        return Trial(crystal, n_ions, potential.evaluate([crystal])[0])
    except InputError:
        return None


def fill_sites(host: Crystal, kinds: Sequence[InterstitialSite], wanted: int) -> NDArray[np.float64]:
    """Sites of at most so many ions in voids, kind after kind, each where the others crowd it least; (n, 3)."""
    filled_sites = kinds[0].frac_coords[:1]
    for kind in kinds:
        free = kind.frac_coords
        while len(filled_sites) < wanted:
            free = np.array([site for site in free if distances(host.lattice, site, filled_sites).min() >= APART])
            if not len(free):
                break
            crowding = [crowding_energy(host.lattice, site, filled_sites) for site in free]
            filled_sites = np.vstack([filled_sites, free[int(np.argmin(np.round(crowding, 9)))]])
    return filled_sites
