"""Read the text of a CIF: one block with atoms, fully ordered, unfolded to every atom of the cell."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from ionvolt.structures import symmetry
from ionvolt.structures.checks import check, check_atom_count
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.elements import from_label, from_symbol
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import listed, refusal, shown

_FRACT = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
_OPERATIONS = (
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
)
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_operation.xyz")
_NAMES = ("_symmetry_space_group_name_H-M", "_space_group_name_H-M_alt", "_space_group.name_H-M_alt")
_HALL = ("_symmetry_space_group_name_Hall", "_space_group_name_Hall", "_space_group.name_Hall")
_NUMBERS = ("_symmetry_Int_Tables_number", "_space_group_IT_number", "_space_group.IT_number")
_EMPTY = ("", "?", ".")
_BLOCK = re.compile(r"(?<!\S)data_", re.IGNORECASE)


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
    block = _block_with_atoms(text, source, limits)
    warnings: list[str] = []
    lengths, angles = _cell(block, source, limits)
    lattice = lattice_from_parameters(lengths, angles)

    sites = np.array([_numbers(block, tag, source) for tag in _FRACT]).T
    check_atom_count(source, len(sites), limits)
    if not np.abs(sites).max() <= limits.max_coordinate:
        raise refusal(
            source,
            f"a fractional coordinate is {np.abs(sites).max():.3g}, not within ±{limits.max_coordinate:g}",
            "Check the coordinates: fractional ones lie near 0 to 1",
        )
    numbers = _elements(block, len(sites), source, warnings)
    _check_order(block, len(sites), source, limits, warnings)

    operations = _operations(block, angles, source, limits, warnings)
    if operations is not None:
        symmetry.check_fit(operations, lattice, source)
        owners, sites = symmetry.unfold(sites, operations, lattice, source, limits)
        numbers = numbers[owners]
    return check(Crystal(lattice, numbers, sites, source, tuple(dict.fromkeys(warnings))), limits)


def lattice_from_parameters(lengths: Sequence[float], angles: Sequence[float]) -> NDArray[np.float64]:
    """Cell vectors as rows: c along z, a in the xz plane (pymatgen's convention).

    Args:
        lengths: a, b, c in Å.
        angles: Alpha, beta, gamma in degrees; of a cell that exists.
    """
    a, b, c = lengths
    cos_a, cos_b, cos_g = (math.cos(math.radians(angle)) for angle in angles)
    sin_a, sin_b = (math.sin(math.radians(angle)) for angle in angles[:2])
    cos_gs = min(1.0, max(-1.0, (cos_a * cos_b - cos_g) / (sin_a * sin_b)))
    sin_gs = math.sqrt(1.0 - cos_gs * cos_gs)
    return np.array([[a * sin_b, 0.0, a * cos_b], [-b * sin_a * cos_gs, b * sin_a * sin_gs, b * cos_a], [0.0, 0.0, c]])


def _block_with_atoms(text: str, source: str, limits: Limits) -> cif.Block:
    if sum(1 for _ in _BLOCK.finditer(text)) > limits.max_blocks:
        raise refusal(source, f"more than {limits.max_blocks} data blocks", "Give one structure a file")
    try:
        document = cif.read_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        reason = str(error).removeprefix("string:")
        if "duplicate block name" in reason:
            name = reason.split("name:")[-1].strip()
            raise refusal(
                source, f"several structures: {shown(name)} names two blocks", "Give one structure a file"
            ) from error
        if "data_" not in text.lower():
            raise refusal(source, "no structure in it: it holds no CIF data block", "Give a CIF or POSCAR") from error
        raise refusal(
            source,
            f"not a valid CIF: line {shown(reason, 90)[1:-1]}",
            "Mend that line, or export the file anew",
        ) from error
    blocks = [block for block in document if block.find_values(_FRACT[0])]
    if len(blocks) > 1:
        names = listed([shown(block.name)[1:-1] for block in blocks])
        raise refusal(source, f"{len(blocks)} structures in one file ({names})", "Give one structure a file")
    if not blocks:
        cartesian = any(block.find_values("_atom_site_Cartn_x") for block in document)
        raise refusal(
            source,
            "its atoms have no fractional coordinates" if cartesian else "no structure in it: it lists no atoms",
            "Give a CIF with _atom_site_fract_x, _y and _z",
        )
    return blocks[0]


def _value(block: cif.Block, tags: Sequence[str]) -> str:
    for tag in tags:
        value = block.find_value(tag)
        if value and value not in _EMPTY:
            return cif.as_string(value).strip()
    return ""


def _cell(block: cif.Block, source: str, limits: Limits) -> tuple[list[float], list[float]]:
    remedy = "Check the cell: lengths in Å, angles in degrees"
    values = []
    for tag in (*_LENGTHS, *_ANGLES):
        text = block.find_value(tag)
        if text is None:
            raise refusal(source, f"{tag} is missing", "Give the six cell parameters")
        value = cif.as_number(text)
        if tag in _LENGTHS and not 0.0 < value <= limits.max_cell_length:
            raise refusal(source, f"{tag} is {shown(text)}, not within 0 to {limits.max_cell_length:g} Å", remedy)
        if tag in _ANGLES and not 0.0 < value < 180.0:
            raise refusal(source, f"{tag} is {shown(text)}, not between 0 and 180 degrees", remedy)
        values.append(value)
    lengths, angles = values[:3], values[3:]
    cos = [math.cos(math.radians(angle)) for angle in angles]
    if 1.0 - sum(x * x for x in cos) + 2.0 * cos[0] * cos[1] * cos[2] <= 1e-8:
        raise refusal(source, f"no cell has the angles {angles[0]:g}, {angles[1]:g}, {angles[2]:g}", remedy)
    return lengths, angles


def _numbers(block: cif.Block, tag: str, source: str) -> list[float]:
    texts = list(block.find_values(tag))
    try:
        values: list[float] = np.array(texts, dtype=np.float64).tolist()
    except ValueError:  # uncertainties such as 0.1234(5), or what is no number at all
        values = [cif.as_number(text) for text in texts]
    for text, value in zip(texts, values, strict=True):
        if not math.isfinite(value):
            raise refusal(source, f"{tag} holds {shown(text)}, which is not a number", "Give every coordinate")
    if not values:
        raise refusal(source, f"{tag} is missing", "Give all three fractional coordinates")
    return values


def _column(block: cif.Block, tag: str, n_sites: int) -> list[str]:
    column = block.find_values(tag)
    # A column of another loop says nothing about these sites.
    return [cif.as_string(text) for text in column] if len(column) == n_sites else []


def _elements(block: cif.Block, n_sites: int, source: str, warnings: list[str]) -> NDArray[np.int64]:
    symbols = _column(block, "_atom_site_type_symbol", n_sites)
    labels = _column(block, "_atom_site_label", n_sites)
    if not symbols and not labels:
        raise refusal(source, "its sites name no elements", "Give _atom_site_type_symbol for every site")
    numbers = []
    for i in range(n_sites):
        named = bool(symbols) and symbols[i] not in _EMPTY
        text = symbols[i] if named else (labels[i] if labels else "")
        number, note = from_symbol(text) if named else from_label(text)
        if number == 0:
            raise refusal(source, f"{shown(text)} is no element", "Name the element of every site")
        if note:
            warnings.append(note)
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def _check_order(block: cif.Block, n_sites: int, source: str, limits: Limits, warnings: list[str]) -> None:
    occupancies = block.find_values("_atom_site_occupancy")
    for i, text in enumerate(occupancies):
        if text in ("1", "1.0", "."):
            continue
        if text == "?":
            warnings.append("an occupancy is not stated and taken as 1")
            continue
        value = cif.as_number(text)
        if abs(value - 1.0) <= limits.occupancy_tolerance:
            continue
        label = (_column(block, "_atom_site_label", n_sites) or [""] * n_sites)[i : i + 1]
        site = f"site {shown(label[0])}" if label and label[0] else f"site {i + 1}"
        if 0.0 < value < 1.0:
            raise refusal(
                source,
                f"{site} is occupied by {value:g}: the structure is disordered",
                "Give an ordered structure",
            )
        raise refusal(source, f"the occupancy of {site} is {shown(text)}", "Give an occupancy of 1, or leave it out")
    if any(text not in _EMPTY for text in block.find_values("_atom_site_disorder_group")):
        warnings.append("sites are marked as disordered; they are taken as fully occupied")
    if any(text not in (*_EMPTY, "0") for text in block.find_values("_atom_site_attached_hydrogens")):
        warnings.append("hydrogens without coordinates (_atom_site_attached_hydrogens) are missing")
    if "dum" in block.find_values("_atom_site_calc_flag"):
        raise refusal(source, "a site is marked as a dummy atom", "Remove dummy sites")
    if _value(block, ("_cell_modulation_dimension",)) not in ("", "0"):
        raise refusal(source, "the structure is modulated", "Give an ordinary three-dimensional structure")


def _operations(
    block: cif.Block, angles: list[float], source: str, limits: Limits, warnings: list[str]
) -> symmetry.Operations | None:
    """The operations, or None where the listed atoms are already all."""
    number = cif.as_number(_value(block, _NUMBERS))
    name = _value(block, _NAMES)
    plain = "".join(name.split()).upper() in ("P1", "") and not number > 1
    for tag in _OPERATIONS:
        column = block.find_values(tag)
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
                warnings.append(
                    f"space group {shown(name or int(number))} is named, but only 'x, y, z' is listed; "
                    "the atoms are taken as all there are"
                )
            return None
        return symmetry.from_triplets(triplets, source, limits)
    if any(block.find_values(tag) for tag in _MAGNETIC):
        raise refusal(source, "only magnetic symmetry is given", "List the ordinary symmetry operations, or use P 1")
    hall = _value(block, _HALL)
    if not (name or hall) and not number > 0:
        warnings.append("no symmetry is stated; the atoms are taken as all there are (P 1)")
        return None
    if plain and name:
        return None
    it_number = int(number) if 0 < number < 1000 else 0
    operations, notes = symmetry.from_space_group(name, it_number, hall, angles, source)
    warnings.extend(notes)
    return operations
