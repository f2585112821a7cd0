"""Read the text of a CIF, unfolded to every atom of the cell."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures import symmetry
from ionvolt.structures.checks import check, check_cell
from ionvolt.structures.cif_block import Block, parse
from ionvolt.structures.cif_sites import FRACT, Sites, read_sites
from ionvolt.structures.cif_symmetry import read_operations
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.disorder import DisorderedCrystal, join
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import listed, refusal, shown

_BLOCK = re.compile(r"(?<!\S)data_", re.IGNORECASE)


@dataclass(frozen=True)
class _Unfolded:
    """The listed sites, and every atom of the cell that they stand for.

    Attributes:
        sites: As listed.
        owners: For each atom the index of its listed site, shape (n_atoms,).
        frac_coords: Shape (n_atoms, 3).
        warnings: Reservations, each once.
        doubts: Those among them that are reasons not to trust the input.
    """

    sites: Sites
    owners: NDArray[np.int64]
    frac_coords: NDArray[np.float64]
    warnings: tuple[str, ...]
    doubts: tuple[str, ...]


def read_cif(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Read the one structure of a CIF.

    Args:
        text: The CIF.
        source: Its name, for messages and for the crystal.
        limits: The bounds.

    Returns:
        The checked crystal, with reservations in its ``warnings``.

    Raises:
        InputError: No structure, several, a disordered one, or one that breaks a rule.
    """
    return _ordered(_unfold(_block_with_atoms(text, source, limits), source, limits), source, limits)


def read_disordered_cif(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> DisorderedCrystal:
    """Read the one structure of a CIF with the occupancies of its sites.

    The distances are not checked: places that are never occupied together may be close.

    Args:
        text: The CIF.
        source: Its name, for messages and for the crystal.
        limits: The bounds.

    Raises:
        InputError: No structure, several, or one that breaks a rule.
    """
    found = _unfold(_block_with_atoms(text, source, limits), source, limits)
    coords, sites = _joined(found, source, limits)
    check_cell(found.sites.lattice, source, limits)
    return DisorderedCrystal(found.sites.lattice, coords, sites, source, found.warnings, found.doubts)


def _block_with_atoms(text: str, source: str, limits: Limits) -> Block:
    if sum(1 for _ in _BLOCK.finditer(text)) > limits.max_blocks:
        raise refusal(source, f"more than {limits.max_blocks} data blocks", "Give one structure a file")
    parsed = parse(text, source, limits)
    blocks = [block for block in parsed if block.column(FRACT[0])]
    if len(blocks) > 1:
        names = listed([shown(block.name)[1:-1] for block in blocks])
        raise refusal(source, f"{len(blocks)} structures in one file ({names})", "Give one structure a file")
    if not blocks:
        cartesian = any(block.column("_atom_site_cartn_x") for block in parsed)
        raise refusal(
            source,
            "its atoms have no fractional coordinates" if cartesian else "no structure in it: it lists no atoms",
            "Give a CIF with _atom_site_fract_x, _y and _z",
        )
    return blocks[0]


def _unfold(block: Block, source: str, limits: Limits) -> _Unfolded:
    sites = read_sites(block, source, limits)
    notes = sites.notes
    operations = read_operations(block, sites.angles, source, limits, notes)
    owners, places = np.arange(len(sites)), sites.frac_coords
    if operations is not None:
        symmetry.check_fit(operations, sites.lattice, source)
        owners, places = symmetry.unfold(places, operations, sites.lattice, source, limits)
    return _Unfolded(sites, owners, places, tuple(dict.fromkeys(notes)), ())


def _joined(found: _Unfolded, source: str, limits: Limits) -> tuple[NDArray[np.float64], tuple[dict[int, float], ...]]:
    sites = found.sites
    return join(
        found.owners, found.frac_coords, sites.numbers, sites.occupancies, sites.lattice, sites.names, source, limits
    )


def _ordered(found: _Unfolded, source: str, limits: Limits) -> Crystal:
    sites = found.sites
    numbers, places = sites.numbers[found.owners], found.frac_coords
    if (sites.occupancies < 1.0).any():
        places, shared = _joined(found, source, limits)
        for site in shared:
            if len(site) > 1 or next(iter(site.values())) < 1.0:
                raise _disordered(sites, site, source)
        numbers = np.array([next(iter(site)) for site in shared], dtype=np.int64)
    return check(Crystal(sites.lattice, numbers, places, source, found.warnings, found.doubts), limits)


def _disordered(sites: Sites, site: dict[int, float], source: str) -> Exception:
    partial = [k for k in np.flatnonzero(sites.occupancies < 1.0) if int(sites.numbers[k]) in site]
    shares = " + ".join(f"{SYMBOLS[number]} {occupancy:.3g}" for number, occupancy in site.items())
    return refusal(
        source,
        f"{sites.names[partial[0]]} is occupied by {shares}: the structure is disordered",
        "Order it with ionvolt order FILE or predict --order, or give an ordered structure",
    )
