"""The symmetry that a CIF states, as operations."""

from __future__ import annotations

from gemmi import cif

from ionvolt.structures import symmetry
from ionvolt.structures.cif_block import Block
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

_OPERATIONS = ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation_xyz",)
_NAMES = ("_symmetry_space_group_name_h-m", "_space_group_name_h-m_alt")
_HALL = ("_symmetry_space_group_name_hall", "_space_group_name_hall")
_NUMBERS = ("_symmetry_int_tables_number", "_space_group_it_number")


def read_operations(
    block: Block, angles: list[float], source: str, limits: Limits, notes: list[str]
) -> symmetry.Operations | None:
    """The operations, or None where the listed atoms are already all.

    Args:
        block: The block.
        angles: Cell angles in degrees.
        source: For messages.
        limits: The bounds.
        notes: Reservations are added here.
    """
    number = cif.as_number(block.value(*_NUMBERS))
    name = block.value(*_NAMES)
    plain = "".join(name.split()).upper() in ("P1", "") and not number > 1
    for tag in _OPERATIONS:
        column = block.column(tag)
        if not column:
            continue
        if len(column) > limits.max_unfolded:
            raise refusal(
                source,
                f"{len(column)} symmetry operations are more than {limits.max_unfolded}",
                "Check the symmetry",
            )
        triplets = [cif.as_string(text) for text in column]
        if symmetry.is_identity(triplets):
            if not plain:
                notes.append(
                    f"space group {shown(name or int(number))} is named, but only 'x, y, z' is listed; "
                    "the atoms are taken as all there are"
                )
            return None
        return symmetry.from_triplets(triplets, source, limits)
    if any(block.column(tag) for tag in _MAGNETIC):
        raise refusal(source, "only magnetic symmetry is given", "List the ordinary symmetry operations, or use P 1")
    hall = block.value(*_HALL)
    if not (name or hall) and not number > 0:
        notes.append("no symmetry is stated; the atoms are taken as all there are (P 1)")
        return None
    if plain and name:
        return None
    it_number = int(number) if 0 < number < 1000 else 0
    operations, more = symmetry.from_space_group(name, it_number, hall, angles, source)
    notes.extend(more)
    return operations
