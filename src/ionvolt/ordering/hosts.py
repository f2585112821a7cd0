"""Hosts whose only disorder is where the working ion sits, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.ordering.average import is_ordered_site, orderable_sites
from ionvolt.structures import check
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal


@dataclass(frozen=True, eq=False)
class PartlyFilled:
    """An ordered host and how much of the working ion its sites hold.

    Attributes:
        host: All but the working ion.
        n_ions: Working ions in a cell of ``host``, a fraction counted as such.
        n_sites: Sites of the working ion in that cell.
        formula: Formula of the cell with ``n_ions``, such as ``Na1.34Mn2O4``.
    """

    host: Crystal
    n_ions: float
    n_sites: int
    formula: str


def host_of(disordered: DisorderedCrystal, ion: WorkingIon) -> PartlyFilled | None:
    """The ordered host and the stated filling, where sites of the working ion alone are partly filled.

    Args:
        disordered: The crystal.
        ion: The working ion; sites that hold it beside another element are the host's own disorder.

    Returns:
        None where the ion's sites are all full, it has none, or other sites are disordered, too.

    Raises:
        InputError: The host breaks a rule of ``structures.check``.
    """
    try:
        sites, notes = orderable_sites(disordered)
    except InputError:
        return None
    own = [set(site) == {ion.number} for site in sites]
    rest = [site for site, mine in zip(sites, own, strict=True) if not mine]
    filled = [site[ion.number] for site, mine in zip(sites, own, strict=True) if mine]
    if not rest or not all(map(is_ordered_site, rest)) or all(occupancy == 1.0 for occupancy in filled):
        return None
    keep = ~np.array(own)
    numbers = np.array([next(iter(site)) for site in rest], dtype=np.int64)
    amount = float(sum(filled))
    host = check(
        Crystal(
            disordered.lattice,
            numbers,
            disordered.frac_coords[keep],
            disordered.source,
            (*disordered.warnings, *notes, _removal_note(ion, amount, len(filled))),
            disordered.doubts,
        )
    )
    others = "".join(f"{symbol}{count}" for symbol, count in host.composition.items())
    return PartlyFilled(host, amount, len(filled), f"{ion.symbol}{amount:.6g}{others}")


def _removal_note(ion: WorkingIon, amount: float, n_sites: int) -> str:
    return (
        f"{ion.symbol} fills {amount:.3g} of {n_sites} sites of a cell: it was removed, and as much is inserted "
        "(--order places it instead)"
    )
