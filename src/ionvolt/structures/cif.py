"""Read the text of a CIF, unfolded to every atom of the cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.structures import symmetry
from ionvolt.structures.checks import check, check_cell
from ionvolt.structures.cif_block import Block, parse
from ionvolt.structures.cif_evidence import Evidence
from ionvolt.structures.cif_sites import FRACT, Sites, read_sites
from ionvolt.structures.cif_symmetry import Stated, check_not_modulated, read_symmetry
from ionvolt.structures.contents import Contents, Entry, named
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal, join, ordered
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

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


def read_cif(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The structures of a CIF, one for each data block that lists atoms.

    Args:
        text: The CIF.
        source: Its name, for messages.
        limits: The bounds.

    Raises:
        InputError: It is no CIF, or holds no structure.
    """
    if len(text) > 5 * limits.max_blocks and sum(1 for _ in _BLOCK.finditer(text)) > limits.max_blocks:
        raise refusal(source, f"more than {limits.max_blocks} data blocks", "Give one structure a file")
    parsed = parse(text, source, limits)
    blocks = [block for block in parsed if block.states(FRACT[0])]
    if not blocks:
        cartesian = any(block.has("_atom_site_cartn_x") for block in parsed)
        raise refusal(
            source,
            "its atoms have no fractional coordinates" if cartesian else "no structure in it: it lists no atoms",
            "Give a CIF with _atom_site_fract_x, _y and _z",
        )
    return Contents(
        named(
            Entry(block.name, partial(_crystal, block, limits=limits), partial(_disordered, block, limits=limits))
            for block in blocks
        )
    )


def _crystal(block: Block, source: str, limits: Limits) -> Crystal:
    found = _unfold(block, source, limits)
    sites = found.sites
    if (sites.occupancies < 1.0).any():
        return ordered(*_joined(found, source, limits), limits)
    numbers = sites.numbers[found.owners]
    return check(Crystal(sites.lattice, numbers, found.frac_coords, source, found.warnings, found.doubts), limits)


def _disordered(block: Block, source: str, limits: Limits) -> DisorderedCrystal:
    crystal, _ = _joined(_unfold(block, source, limits), source, limits)
    check_cell(crystal.lattice, source, limits)
    return crystal


def _joined(found: _Unfolded, source: str, limits: Limits) -> tuple[DisorderedCrystal, list[str]]:
    sites = found.sites
    bare = DisorderedCrystal(sites.lattice, found.frac_coords, (), source, found.warnings, found.doubts)
    return join(bare, found.owners, sites.numbers, sites.occupancies, sites.names(), limits)


def _unfold(block: Block, source: str, limits: Limits) -> _Unfolded:
    check_not_modulated(block, source)
    evidence = Evidence(block, source)
    sites = read_sites(block, evidence.elements, source, limits)
    notes = sites.notes
    stated = read_symmetry(block, sites.angles, source, limits, notes)
    owners, places = np.arange(len(sites)), sites.frac_coords
    if stated.operations is not None:
        symmetry.check_fit(stated.operations, sites.lattice, source)
        owners, places = symmetry.unfold(places, stated.operations, sites.lattice, source, limits)
    amounts = _amounts(sites, owners)
    full = sites.occupancies == 1.0
    if stated.name:
        _check_complete(sites, stated, evidence, amounts, source, limits)
    evidence.check_attached_hydrogens(amounts, bool(full.all()))
    if sites.marks:
        note = evidence.check_alternatives(sites.marks, full, amounts)
        notes += [note] if note else []
    doubts = evidence.doubts(amounts, bool(full.all()))
    if stated.nothing and not doubts:
        doubts = evidence.doubts_of_units(amounts, bool(full.all()))
    return _Unfolded(sites, owners, places, tuple(dict.fromkeys((*doubts, *notes))), tuple(doubts))


def _amounts(sites: Sites, owners: NDArray[np.int64]) -> dict[int, float]:
    weights = sites.occupancies[owners]
    amounts = np.bincount(sites.numbers[owners], weights)
    return {number: float(amounts[number]) for number in dict.fromkeys(sites.numbers.tolist())}


def _check_complete(
    sites: Sites, stated: Stated, evidence: Evidence, amounts: dict[int, float], source: str, limits: Limits
) -> None:
    """Refuse a file that names a space group, lists only ``x, y, z`` and yet not every atom of the cell.

    Whole cells under the name of their space group are common, so that the name alone says nothing. What does is
    which contents agree with the formula and the number of its units, or else whether the group puts further atoms
    between the listed ones.
    """
    is_ordered = bool((sites.occupancies == 1.0).all())
    whole = evidence.is_whole(amounts, is_ordered)
    if whole or stated.unlisted is None:
        return
    try:
        symmetry.check_fit(stated.unlisted, sites.lattice, source)
        owners, places = symmetry.unfold(sites.frac_coords, stated.unlisted, sites.lattice, source, limits)
        if len(owners) == len(sites):
            return
        if evidence.stated and not evidence.agrees(_amounts(sites, owners), is_ordered):
            return  # that the listed sites do not agree, either, is told elsewhere
        if whole is None:
            check(Crystal(sites.lattice, sites.numbers[owners], places, source), limits)
    except InputError:
        return
    raise refusal(
        source,
        f"space group {shown(stated.name)} is named, but only 'x, y, z' is listed, and the sites are not all atoms "
        f"of the cell ({len(sites)} of {len(owners)})",
        "List all symmetry operations, or write the structure in P 1 with every atom of the cell",
    )
