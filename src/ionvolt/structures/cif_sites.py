"""The sites that a CIF lists: cell, places, elements and occupancies."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.structures.checks import check_atom_count
from ionvolt.structures.cif_block import EMPTY, Block
from ionvolt.structures.elements import from_label, from_symbol
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

FRACT = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_LENGTHS = ("_cell_length_a", "_cell_length_b", "_cell_length_c")
_ANGLES = ("_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma")
# What stands for a tetrahedral site, a transition metal or the hydrogen on an oxygen as often as for an element.
_SITE_NAMES = frozenset(("T", "TM", "HO"))
_FULL = frozenset(("1", "1.0", "."))
_FRACTION = re.compile(r"(-?[0-9]{1,2})/([1-9][0-9]?)", re.ASCII)
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
        labels: Label of each site, or its number.
        marks: Disorder assembly and disorder group of each site; empty where the block has no such column.
        notes: Reservations, in plain words.
    """

    lattice: NDArray[np.float64]
    angles: list[float]
    frac_coords: NDArray[np.float64]
    numbers: NDArray[np.int64]
    occupancies: NDArray[np.float64]
    labels: list[str]
    marks: list[tuple[str, str]]
    notes: list[str]

    def __len__(self) -> int:
        return int(self.numbers.size)

    def names(self) -> list[str]:
        """What to call each site in messages."""
        return [_name(self.labels, k) for k in range(len(self))]


def read_sites(block: Block, stated: frozenset[int] | None, source: str, limits: Limits) -> Sites:
    """The sites of a block that has some.

    Args:
        block: The block.
        stated: Elements of the formula that it states, if it does; they tell labels apart.
        source: For messages.
        limits: The bounds.

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
    occupancies = _occupancies(block, labels, len(places), source, limits, notes)
    kept = occupancies > 0.0
    if not kept.any():
        raise refusal(source, "no site is occupied", "Give a crystal structure with at least one atom")
    elements = _elements(block, labels, kept, stated, source, notes)
    if "dum" in block.column("_atom_site_calc_flag"):
        raise refusal(source, "a site is marked as a dummy atom", "Remove dummy sites")
    return Sites(
        lattice_from_parameters(lengths, angles),
        angles,
        places[kept],
        elements,
        occupancies[kept],
        [labels[k] if labels else f"{k + 1}" for k in np.flatnonzero(kept)],
        _marks(block, kept),
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


def _name(labels: list[str], k: int) -> str:
    return f"site {shown(labels[k])}" if labels and labels[k] not in EMPTY else f"site {k + 1}"


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
        values = [_coordinate(text) for text in texts]
    for text, value in zip(texts, values, strict=True):
        if not math.isfinite(value):
            raise refusal(source, f"{tag} holds {shown(text)}, which is not a number", "Give every coordinate")
    if not values:
        raise refusal(source, f"{tag} is missing", "Give all three fractional coordinates")
    return values


def _coordinate(text: str) -> float:
    """A number such as ``0.1234(5)``, or a simple fraction such as ``1/4``."""
    match = _FRACTION.fullmatch(cif.as_string(text).strip())
    return int(match[1]) / int(match[2]) if match else float(cif.as_number(text))


def _elements(
    block: Block,
    labels: list[str],
    kept: NDArray[np.bool_],
    stated: frozenset[int] | None,
    source: str,
    notes: list[str],
) -> NDArray[np.int64]:
    symbols = block.texts("_atom_site_type_symbol", len(kept))
    if not symbols and not labels:
        raise refusal(source, "its sites name no elements", "Give _atom_site_type_symbol for every site")
    numbers = []
    for i in np.flatnonzero(kept):
        named = bool(symbols) and symbols[i] not in EMPTY
        text = symbols[i] if named else (labels[i] if labels else "")
        number, note = from_symbol(text) if named else from_label(text, stated)
        if number == 0 or (named and stated is not None and number not in stated and text.upper() in _SITE_NAMES):
            raise _no_element(text, named, stated, source)
        if note:
            notes.append(note)
        numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def _no_element(text: str, named: bool, stated: frozenset[int] | None, source: str) -> InputError:
    remedy = "Name the element of every site" + ("" if named else " (_atom_site_type_symbol)")
    without, _ = from_symbol(text) if named else from_label(text)
    alike = any(character.isalpha() for character in text) and text.strip().upper().rstrip("0123456789") in _SITE_NAMES
    if alike or (without and stated):
        return refusal(source, f"{shown(text)} does not say which element it is", remedy)
    return refusal(source, f"{shown(text)} is no element", remedy)


def _marks(block: Block, kept: NDArray[np.bool_]) -> list[tuple[str, str]]:
    if not block.has("_atom_site_disorder_group"):
        return []
    n = len(kept)
    groups = block.texts("_atom_site_disorder_group", n) or [""] * n
    assemblies = block.texts("_atom_site_disorder_assembly", n) or [""] * n
    return [(a, g) for a, g, keep in zip(assemblies, groups, kept, strict=True) if keep]


def _occupancies(
    block: Block, labels: list[str], n_sites: int, source: str, limits: Limits, notes: list[str]
) -> NDArray[np.float64]:
    found = np.ones(n_sites)
    texts = block.column("_atom_site_occupancy")
    if len(texts) != n_sites or _FULL.issuperset(texts):
        return found
    for i, text in enumerate(texts):
        if text in _FULL:
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
            notes.append(f"{_name(labels, i)} has the occupancy 0 and is no atom")
        elif 0.0 < value < 1.0:
            found[i] = value
        else:
            raise refusal(
                source,
                f"the occupancy of {_name(labels, i)} is {shown(text)}",
                "Give an occupancy of 1, or leave it out",
            )
    return found


def _esd(text: str) -> float:
    """Standard uncertainty of a number such as ``0.98(3)``; 0 where none is given."""
    match = _ESD.fullmatch(text)
    return float(match[3]) * 10.0 ** -len(match[2]) if match else 0.0
