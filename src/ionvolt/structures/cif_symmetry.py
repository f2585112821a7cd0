"""The symmetry that a CIF states, as operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gemmi import cif

from ionvolt.errors import InputError
from ionvolt.structures import symmetry
from ionvolt.structures.cif_block import Block
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

_OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_MAGNETIC = "_space_group_symop_magn_operation_xyz"
_CENTERING = "_space_group_symop_magn_centering_xyz"
_NAMES = ("_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt", "_space_group_name_h-m_full")
_HALL = ("_symmetry_space_group_name_hall", "_space_group_name_hall")
_NUMBERS = ("_symmetry_int_tables_number", "_space_group_it_number")
_MODULATED = re.compile(
    r"_(cell_wave_vector|atom_site_(displace|occ|u|fourier|moment)_?(fourier|special|wave)|atom_site_fourier"
    r"|atom_sites_(displace|axes|modulation)|space_group_(symop_)?(magn_)?ssg|cell_subsystem)\S*"
)
# The time reversal behind an operation of a magnetic group.
_REVERSAL = re.compile(r",\s*[+-]?1\s*$")


@dataclass(frozen=True)
class Stated:
    """The symmetry that a block states.

    Attributes:
        operations: The operations; None where the listed atoms are all there are.
        unlisted: Where a space group is named but only ``x, y, z`` is listed: the operations of the named one, if it
            is a known one; otherwise None.
        name: The named space group, or "".
        nothing: Whether the block says nothing of its symmetry.
    """

    operations: symmetry.Operations | None
    unlisted: symmetry.Operations | None = None
    name: str = ""
    nothing: bool = False


def check_not_modulated(block: Block, source: str) -> None:
    """Refuse a structure that is described in more than three dimensions.

    Raises:
        InputError: It is.
    """
    dimension = block.value("_cell_modulation_dimension")
    waves = (match[0] for match in _MODULATED.finditer(" ".join(block.tags)))
    if dimension not in ("", "0") or any(block.values(tag) for tag in waves):
        raise refusal(
            source,
            "the structure is modulated, and its waves move, turn or replace atoms from cell to cell",
            "Give an ordinary three-dimensional structure, such as a commensurate supercell",
        )


def read_symmetry(block: Block, angles: list[float], source: str, limits: Limits, notes: list[str]) -> Stated:
    """The symmetry of a block.

    Args:
        block: The block.
        angles: Cell angles in degrees.
        source: For messages.
        limits: The bounds.
        notes: Reservations are added here.

    Raises:
        InputError: It cannot be understood.
    """
    magnetic = _magnetic(block, source, limits)
    if magnetic:
        notes.append("the structure is magnetic; its moments are not used")
        identity = symmetry.is_identity(magnetic)
        return Stated(None if identity else symmetry.from_triplets(magnetic, source, limits))
    number = cif.as_number(block.value(*_NUMBERS))
    name = block.value(*_NAMES)
    hall = block.value(*_HALL)
    it_number = int(number) if 0 < number < 1000 else 0
    plain = "".join(name.split()).upper() in ("P1", "") and not number > 1
    for tag in _OPERATIONS:
        column = block.column(tag)
        if not column:
            continue
        _check_length(column, source, limits)
        triplets = [cif.as_string(text) for text in column]
        if not symmetry.is_identity(triplets):
            return Stated(symmetry.from_triplets(triplets, source, limits))
        if plain:
            return Stated(None)
        notes.append(
            f"space group {shown(name or it_number)} is named, but only 'x, y, z' is listed; "
            "the atoms are taken as all there are"
        )
        try:
            unlisted, _ = symmetry.from_space_group(name, it_number, hall, angles, source)
        except InputError:
            return Stated(None, None, name or str(it_number))
        return Stated(None, unlisted, name or str(it_number))
    if not (name or hall) and not number > 0:
        notes.append("no symmetry is stated; the atoms are taken as all there are (P 1)")
        return Stated(None, nothing=True)
    if plain and name:
        return Stated(None)
    operations, more = symmetry.from_space_group(name, it_number, hall, angles, source)
    notes.extend(more)
    return Stated(operations)


def _magnetic(block: Block, source: str, limits: Limits) -> list[str]:
    """Operations of a magnetic group without time reversal, each combined with every centering."""
    column = block.column(_MAGNETIC)
    if not column:
        return []
    _check_length(column, source, limits)
    operations = [_REVERSAL.sub("", cif.as_string(text)) for text in column]
    centerings = [_REVERSAL.sub("", cif.as_string(text)) for text in block.column(_CENTERING)]
    if not centerings:
        return operations
    if len(operations) * len(centerings) > limits.max_unfolded:
        raise refusal(
            source,
            f"{len(operations)} symmetry operations times {len(centerings)} centerings are more than "
            f"{limits.max_unfolded}",
            "Check the symmetry",
        )
    return symmetry.combined(operations, centerings, source)


def _check_length(column: Sequence[str], source: str, limits: Limits) -> None:
    if len(column) > limits.max_unfolded:
        raise refusal(
            source, f"{len(column)} symmetry operations are more than {limits.max_unfolded}", "Check the symmetry"
        )
