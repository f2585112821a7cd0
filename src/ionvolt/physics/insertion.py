"""Discharged electrodes made from a charged host: ions put into its voids, relaxed, ranked by energy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import WorkingIon
from ionvolt.physics.cache import Cache, cached_relax
from ionvolt.physics.interstitials import distances, find_interstitials
from ionvolt.physics.potentials.interface import Potential
from ionvolt.physics.relaxation import Relaxation, RelaxSettings
from ionvolt.structures.charge_balance import count_electrons
from ionvolt.structures.chemistry import REDOX_ACTIVE
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.wording import refusal

APART = 2.2
"""Å that two inserted ions keep: less than the shortest distance between the sites of one compound's ions."""

MOST_SITES = 24
"""Sites that are compared for each further ion."""

ARRANGEMENTS = 2
"""Arrangements that are relaxed: started from as many of the best voids."""


def default_ions(host: Crystal, ion: WorkingIon) -> int:
    """How many ions a host's cell takes: one electron for each transition-metal atom, and at least one ion."""
    return max(1, int(redox_active(host).sum()) // ion.charge)


def estimated_ions(host: Crystal, ion: WorkingIon) -> int:
    """How many ions a host's cell is likely to take: ``default_ions``, but no more than its electrons allow."""
    electrons = count_electrons(host)
    if electrons is None:
        return 0
    return min(default_ions(host, ion), int(electrons.take / ion.charge + 1e-6))


def redox_active(crystal: Crystal) -> NDArray[np.bool_]:
    """Which atoms are of ``REDOX_ACTIVE`` metals, shape (n_atoms,)."""
    return np.isin(crystal.numbers, list(REDOX_ACTIVE))


def insert(
    host: Crystal,
    ion: WorkingIon,
    potential: Potential,
    settings: RelaxSettings | None,
    cache: Cache,
    n_ions: int | None = None,
) -> list[Relaxation]:
    """Put ions into a charged host.

    One ion is tried in every symmetry-distinct void of the host as it is. From each of the ``ARRANGEMENTS`` best voids
    the cell is then filled, each further ion where the energy is lowest with those before it in place, and relaxed.

    Args:
        host: The charged host; may hold some of the ion.
        ion: The working ion.
        potential: The potential.
        settings: When a relaxation is done; None leaves the ions where the voids are.
        cache: Where relaxations are remembered.
        n_ions: Ions to insert into a cell; by default as ``default_ions`` says.

    Returns:
        The arrangements, that of lowest energy first.

    Raises:
        InputError: The host has no void, or not as many as ions were asked for.
    """
    wanted = default_ions(host, ion) if n_ions is None else n_ions
    interstitials = find_interstitials(host)
    if wanted < 1 or not interstitials:
        raise refusal(
            host.source,
            "no void in it is wide enough for an ion" if not interstitials else f"{wanted} ions to insert",
            "Give a discharged structure instead" if not interstitials else "Ask for at least one",
        )
    singles = _energies(host, ion, [site.frac_coords[:1] for site in interstitials], potential)
    ranked = np.argsort(singles, kind="stable")
    sites = np.concatenate([interstitials[k].frac_coords for k in ranked])[:MOST_SITES]
    arrangements: list[NDArray[np.float64]] = []
    for k in ranked[:ARRANGEMENTS]:
        filled = _fill(host, ion, interstitials[k].frac_coords[:1], sites, wanted, potential)
        if filled is not None:
            arrangements.append(filled)
    if not arrangements:
        raise refusal(
            host.source,
            f"its voids do not hold {wanted} {ion.symbol} in a cell",
            "Ask for fewer with --insert, or give a discharged structure",
        )
    crystals = [with_ions(host, ion, sites) for sites in arrangements]
    if settings is None:
        settings = replace(RelaxSettings(), fmax=np.inf)
    relaxed = [cached_relax(crystal, potential, settings, cache) for crystal in crystals]
    return sorted(relaxed, key=lambda relaxation: relaxation.energy)


def _fill(
    host: Crystal,
    ion: WorkingIon,
    start: NDArray[np.float64],
    sites: NDArray[np.float64],
    wanted: int,
    potential: Potential,
) -> NDArray[np.float64] | None:
    """Sites of ``wanted`` ions, found one after the other; None where there is no room."""
    filled = start
    while len(filled) < wanted:
        free = [site for site in sites if distances(host.lattice, site, filled).min() >= APART]
        if not free:
            return None
        tries = [np.vstack([filled, site]) for site in free]
        filled = tries[int(np.argmin(_energies(host, ion, tries, potential)))]
    return filled


def _energies(
    host: Crystal, ion: WorkingIon, arrangements: list[NDArray[np.float64]], potential: Potential
) -> NDArray[np.float64]:
    outputs = potential.evaluate([with_ions(host, ion, sites) for sites in arrangements])
    return np.array([output.energy for output in outputs])


def with_ions(host: Crystal, ion: WorkingIon, sites: NDArray[np.float64]) -> Crystal:
    """The host with ions added at fractional coordinates."""
    return replace(
        host,
        numbers=np.concatenate([host.numbers, np.full(len(sites), ion.number)]),
        frac_coords=np.vstack([host.frac_coords, sites]),
    )
