"""The sites that a CIF lists: cell, places, elements and occupancies."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from ionvolt.structures.checks import check_atom_count
from ionvolt.structures.cif_block import EMPTY, Block
from ionvolt.structures.elements import from_label, from_symbol
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

FRACT = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
_ESD = re.compile(r"-?[0-9]*(\.?)([0-9]*)\(([0-9]{1,4})\)", re.ASCII)


@dataclass(frozen=True)
class Sites:
    """The sites of a CIF block, before symmetry makes atoms of them.

    Attributes:
        lattice: Cell vectors as rows, shape (3, 3), Å.
        angles: Cell angles in degrees.
        frac_coords: Shape (n_sites, 3).
        numbers: Atomic numbers, shape (n_sites,).
        occupancies: Shape (n_sites,), each above 0 and at most 1; exactly 1 where the site is full.
        names: What to call each site in messages.
        notes: Reservations, in plain words.
    """

    lattice: NDArray[np.float64]
    angles: list[float]
    frac_coords: NDArray[np.float64]
    numbers: NDArray[np.int64]
    occupancies: NDArray[np.float64]
    names: list[str]
    notes: list[str]

    def __len__(self) -> int:
        return int(self.numbers.size)


def read_sites(block: Block, source: str, limits: Limits) -> Sites:
    """The sites of a block that has some.

    Raises:
        InputError: Something is missing, or cannot be.
    """
    notes: list[str] = []
    lengths, angles = _cell(block, source, limits)
    places = np.array([_numbers(block, tag, source) for tag in FRACT]).T
    check_atom_count(source, len(places), limits)
    if not np.abs(places).max() <= limits.max_coordinate:
        raise refusal(
            source,
            f"a fractional coordinate is {np.abs(places).max():.3g}, not within ±{limits.max_coordinate:g}",
            "Check the coordinates: fractional ones lie near 0 to 1",
        )
    labels = block.texts("_atom_site_label", len(places))
    names = [f"site {shown(label)}" if label not in EMPTY else f"site {i + 1}" for i, label in enumerate(labels)]
    names = names or [f"site {i + 1}" for i in range(len(places))]
    occupancies = _occupancies(block, names, source, limits, notes)
    kept = occupancies > 0.0
    if not kept.any():
        raise refusal(source, "no site is occupied", "Give a crystal structure with at least one atom")
    elements = _elements(block, labels, kept, source, notes)
    _check_marks(block, source, notes)
    return Sites(
        lattice_from_parameters(lengths, angles),
        angles,
        places[kept],
        elements,
        occupancies[kept],
        [name for name, keep in zip(names, kept, strict=True) if keep],
        notes,
    )


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


def check_parameters(lengths: Sequence[float], angles: Sequence[float], source: str, limits: Limits) -> None:
    """Refuse six cell parameters that make no cell."""
    remedy = "Check the cell: lengths in Å, angles in degrees"
    for name, length in zip("abc", lengths, strict=True):
        if not 0.0 < length <= limits.max_cell_length:
            raise refusal(
                source, f"the cell length {name} is {length:g}, not within 0 to {limits.max_cell_length:g} Å", remedy
            )
    for name, angle in zip(("alpha", "beta", "gamma"), angles, strict=True):
        if not 0.0 < angle < 180.0:
            raise refusal(source, f"the cell angle {name} is {angle:g}, not between 0 and 180 degrees", remedy)
    cos = [math.cos(math.radians(angle)) for angle in angles]
    if 1.0 - sum(x * x for x in cos) + 2.0 * cos[0] * cos[1] * cos[2] <= 1e-8:
        raise refusal(source, f"no cell has the angles {angles[0]:g}, {angles[1]:g}, {angles[2]:g}", remedy)


def _cell(block: Block, source: str, limits: Limits) -> tuple[list[float], list[float]]:
    remedy = "Check the cell: lengths in Å, angles in degrees"
    values = []
    for tag in (*_LENGTHS, *_ANGLES):
        text = block.raw(tag)
        if text is None:
            raise refusal(source, f"{tag} is missing", "Give the six cell parameters")
        value = cif.as_number(text)
        if tag in _LENGTHS and not 0.0 < value <= limits.max_cell_length:
            raise refusal(source, f"{tag} is {shown(text)}, not within 0 to {limits.max_cell_length:g} Å", remedy)
        if tag in _ANGLES and not 0.0 < value < 180.0:
            raise refusal(source, f"{tag} is {shown(text)}, not between 0 and 180 degrees", remedy)
        values.append(value)
    lengths, angles = values[:3], values[3:]
    check_parameters(lengths, angles, source, limits)
    return lengths, angles


def _numbers(block: Block, tag: str, source: str) -> list[float]:
    texts = block.column(tag)
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


def _elements(
    block: Block, labels: list[str], kept: NDArray[np.bool_], source: str, notes: list[str]
) -> NDArray[np.int64]:
    symbols = block.texts("_atom_site_type_symbol", len(kept))
    if not symbols and not labels:
        raise refusal(source, "its sites name no elements", "Give _atom_site_type_symbol for every site")
    numbers = []
    for i in np.flatnonzero(kept):
        named = bool(symbols) and symbols[i] not in EMPTY
        text = symbols[i] if named else (labels[i] if labels else "")
        number, note = from_symbol(text) if named else from_label(text)
        if number == 0:
            raise refusal(source, f"{shown(text)} is no element", "Name the element of every site")
        if note:
            notes.append(note)
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def _occupancies(block: Block, names: list[str], source: str, limits: Limits, notes: list[str]) -> NDArray[np.float64]:
    found = np.ones(len(names))
    texts = block.column("_atom_site_occupancy")
    if len(texts) != len(names):
        return found
    for i, text in enumerate(texts):
        if text in ("1", "1.0", "."):
            continue
        if text == "?":
            notes.append("an occupancy is not stated and taken as 1")
            continue
        value = cif.as_number(text)
        if abs(value - 1.0) <= limits.occupancy_tolerance:
            continue
        if abs(value - 1.0) <= _esd(text):
            notes.append(f"the occupancy {text} is taken as 1, which lies within its uncertainty")
        elif value == 0.0:
            found[i] = 0.0
            notes.append(f"{names[i]} has the occupancy 0 and is no atom")
        elif 0.0 < value < 1.0:
            found[i] = value
        else:
            raise refusal(
                source, f"the occupancy of {names[i]} is {shown(text)}", "Give an occupancy of 1, or leave it out"
            )
    return found


def _esd(text: str) -> float:
    """Standard uncertainty of a number such as ``0.98(3)``; 0 where none is given."""
    match = _ESD.fullmatch(text)
    return float(match[3]) * 10.0 ** -len(match[2]) if match else 0.0


def _check_marks(block: Block, source: str, notes: list[str]) -> None:
    if any(text not in EMPTY for text in block.column("_atom_site_disorder_group")):
        notes.append("sites are marked as disordered; they are taken as fully occupied")
    if any(text not in (*EMPTY, "0") for text in block.column("_atom_site_attached_hydrogens")):
        notes.append("hydrogens without coordinates (_atom_site_attached_hydrogens) are missing")
    if "dum" in block.column("_atom_site_calc_flag"):
        raise refusal(source, "a site is marked as a dummy atom", "Remove dummy sites")
    if block.value("_cell_modulation_dimension") not in ("", "0"):
        raise refusal(source, "the structure is modulated", "Give an ordinary three-dimensional structure")
