"""Read SHELX ``.res`` files, as SHELXL refines them and AIRSS and CASTEP write them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import partial

import gemmi
import numpy as np
from numpy.typing import NDArray

from ionvolt.structures import symmetry
from ionvolt.structures.checks import check_atom_count, check_cell
from ionvolt.structures.cif_sites import check_parameters, lattice_from_parameters
from ionvolt.structures.contents import Contents, Entry, named
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal, join, ordered
from ionvolt.structures.elements import from_symbol
from ionvolt.structures.formulas import Formula, doubt, formula_of
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

_STARTS = re.compile(r"^TITL\b", re.IGNORECASE | re.MULTILINE)
_CENTERINGS = {1: "P", 2: "I", 3: "R", 4: "F", 5: "A", 6: "B", 7: "C"}
# Instructions that may have a whole number behind them, as atoms have the number of their kind.
_INSTRUCTIONS = re.compile(
    r"ZERR|DISP|LAUE|MORE|TIME|OMIT|SHEL|BASF|TWIN|TWST|EXTI|SWAT|HOPE|MERG|SPEC|RESI|MOVE|ANIS|AFIX|HFIX|FRAG|FEND"
    r"|EXYZ|EADP|EQIV|CONN|BIND|FREE|DFIX|DANG|BUMP|SAME|SADI|CHIV|FLAT|DELU|SIMU|DEFS|ISOR|NCSY|SUMP|L\.S\.|CGLS|BLOC"
    r"|DAMP|STIR|WGHT|BOND|CONF|MPLA|RTAB|HTAB|LIST|ACTA|SIZE|TEMP|WPDB|FMAP|GRID|PLAN|MOLE|ABIN|ANSC|ANSR|NEUT|PRIG"
    r"|RIGU|XNPD|TREF|PATT|ESEL|BEDE|LONE|REXP"
)
# Sites that are full may be off by the digits of their occupancy factors.
_FULL = 0.02


@dataclass
class _Model:
    """What the instructions of one file say."""

    title: str = ""
    cell: list[float] = field(default_factory=list)
    lattice_type: int = 1
    operations: list[str] = field(default_factory=lambda: ["x,y,z"])
    elements: list[str] = field(default_factory=list)
    units: list[float] = field(default_factory=list)
    variables: list[float] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    places: list[list[float]] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    problem: str = ""


def read_res(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The structures of a ``.res`` file: one for each ``TITL``.

    Args:
        text: The file.
        source: Its name, for messages.
        limits: The bounds.

    Raises:
        InputError: It holds no structure.
    """
    begins = [match.start() for match in _STARTS.finditer(text)]
    if len(begins) > limits.max_blocks:
        raise refusal(source, f"more than {limits.max_blocks} structures", "Give fewer a file")
    begins = begins or [0]
    parts = [text[begin:end] for begin, end in zip(begins, [*begins[1:], len(text)], strict=True)]
    models = [model for part in parts if (model := _parse(part, limits)).cell]
    if not models:
        raise refusal(source, "no structure in it: it has no CELL", "Give CELL, LATT, SFAC and the atoms")
    return Contents(
        named(
            Entry(
                model.title if len(models) > 1 else "",
                partial(_crystal, model, limits=limits),
                partial(_disordered, model, limits=limits),
            )
            for model in models
        )
    )


def looks_like_res(text: str) -> bool:
    """Whether a text has the instructions CELL and SFAC."""
    head = text[:100_000]
    return all(re.search(rf"^{word}\s", head, re.MULTILINE | re.IGNORECASE) for word in ("CELL", "SFAC"))


def _parse(text: str, limits: Limits) -> _Model:
    model = _Model()
    part = 0
    for line in re.sub(r"=[ \t]*\n[ \t]+", " ", text).split("\n"):
        if not line.strip() or line[0] == " ":
            continue
        words = line.split("!")[0].split()
        if not words:
            continue
        keyword = words[0].upper().split("_")[0][:4]
        if keyword in ("END", "HKLF"):
            break
        if keyword.startswith("REM"):
            continue
        if keyword == "TITL":
            # AIRSS: the name, then pressure, volume, enthalpy and more.
            model.title = words[1] if len(words) > 1 else ""
        elif keyword == "CELL":
            model.cell = [gemmi.cif.as_number(word) for word in words[2:8]]
        elif keyword == "LATT" and len(words) > 1:
            number = gemmi.cif.as_number(words[1])
            model.lattice_type = int(number) if abs(number) < 10 else 0
        elif keyword == "SYMM":
            model.operations.append("".join(words[1:]))
        elif keyword == "SFAC":
            # The long form gives one element and its scattering factors.
            long_form = len(words) > 3 and math.isfinite(gemmi.cif.as_number(words[2]))
            model.elements += words[1:2] if long_form else words[1:]
        elif keyword == "UNIT":
            model.units = [gemmi.cif.as_number(word) for word in words[1:]]
        elif keyword == "FVAR":
            model.variables += [gemmi.cif.as_number(word) for word in words[1:]]
        elif keyword == "PART" and len(words) > 1:
            number = gemmi.cif.as_number(words[1])
            part = int(number) if abs(number) < 1000 else 0
        elif not _INSTRUCTIONS.fullmatch(keyword) and len(words) > 1 and words[1].lstrip("-").isdigit():
            _add_atom(model, words, part)
        if len(model.names) > limits.max_atoms or len(model.operations) > limits.max_operations:
            break
    return model


def _add_atom(model: _Model, words: list[str], part: int) -> None:
    if re.fullmatch(r"Q\d+", words[0], re.IGNORECASE):  # peaks of the difference map
        return
    values = [gemmi.cif.as_number(word) for word in words[1:6]]
    if len(values) < 4 or not all(math.isfinite(value) for value in values) or values[0] != int(values[0]):
        model.problem = model.problem or f"{shown(' '.join(words))} is no atom and no instruction"
        return
    model.names.append(words[0])
    model.kinds.append(int(values[0]))
    model.places.append([_free(value, model.variables) for value in values[1:4]])
    model.factors.append(_free(values[4], model.variables) if len(values) > 4 else 1.0)
    model.parts.append(part)


def _free(value: float, variables: list[float]) -> float:
    """A parameter: ten is added to a fixed one, more to one that is tied to a free variable."""
    tens = round(value / 10.0)
    rest = value - 10.0 * tens
    if tens in (0, 1):
        return rest
    k = abs(tens) - 1
    variable = variables[k] if k < len(variables) else 1.0
    return rest * variable if tens > 0 else rest * (variable - 1.0)


def _crystal(model: _Model, source: str, limits: Limits) -> Crystal:
    crystal, names = _unfolded(model, source, limits)
    return ordered(crystal, names, limits)


def _disordered(model: _Model, source: str, limits: Limits) -> DisorderedCrystal:
    crystal, _ = _unfolded(model, source, limits)
    check_cell(crystal.lattice, source, limits)
    return crystal


def _unfolded(model: _Model, source: str, limits: Limits) -> tuple[DisorderedCrystal, list[str]]:
    if model.problem:
        raise refusal(source, model.problem, "Give CELL, LATT, SYMM, SFAC and lines of atoms")
    if len(model.cell) != 6 or not all(math.isfinite(value) for value in model.cell):
        raise refusal(source, "CELL does not hold a wavelength and six numbers", "Give the six cell parameters")
    check_parameters(model.cell[:3], model.cell[3:], source, limits)
    if not model.names:
        raise refusal(source, "it holds no atoms", "Give a crystal structure with at least one atom")
    check_atom_count(source, len(model.names), limits)
    lattice = lattice_from_parameters(model.cell[:3], model.cell[3:])
    numbers, notes = _elements(model, source)
    operations = _operations(model, source, limits)
    symmetry.check_fit(operations, lattice, source)
    places = np.array(model.places)
    if not np.abs(places).max() <= limits.max_coordinate:
        raise refusal(source, f"a fractional coordinate is {np.abs(places).max():.3g}", "Check the coordinates")
    owners, coords = symmetry.unfold(places, operations, lattice, source, limits)
    # A factor counts the site once for each operation that leaves it in place; AIRSS writes 1 for full sites.
    sharing = len(operations) / np.bincount(owners, minlength=len(numbers))
    factors = np.array(model.factors)
    occupancies = np.where(factors == 1.0, 1.0, factors * sharing)
    occupancies[np.abs(occupancies - 1.0) <= _FULL] = 1.0
    if not ((occupancies >= 0.0) & (occupancies <= 1.0)).all():
        k = int(np.flatnonzero((occupancies < 0.0) | (occupancies > 1.0))[0])
        raise refusal(
            source, f"the occupancy of {shown(model.names[k])} is {occupancies[k]:.3g}", "Give occupancies from 0 to 1"
        )
    _check_parts(model, occupancies, source)
    doubts = _doubts(model, numbers, owners, occupancies)
    kept = occupancies[owners] > 0.0
    bare = DisorderedCrystal(lattice, coords[kept], (), source, tuple(dict.fromkeys((*doubts, *notes))), tuple(doubts))
    names = [f"site {shown(name)}" for name in model.names]
    return join(bare, owners[kept], numbers, occupancies, names, limits)


def _elements(model: _Model, source: str) -> tuple[NDArray[np.int64], list[str]]:
    numbers, notes = [], []
    for name, kind in zip(model.names, model.kinds, strict=True):
        if not 0 < kind <= len(model.elements):
            raise refusal(source, f"atom {shown(name)} is of kind {kind}, which SFAC does not list", "Check SFAC")
        number, note = from_symbol(model.elements[kind - 1].lstrip("$"))
        if not number:
            raise refusal(source, f"{shown(model.elements[kind - 1])} is no element", "Check SFAC")
        numbers.append(number)
        notes += [note] if note else []
    return np.array(numbers, dtype=np.int64), notes


def _operations(model: _Model, source: str, limits: Limits) -> symmetry.Operations:
    centering = _CENTERINGS.get(abs(model.lattice_type))
    if centering is None:
        raise refusal(source, "LATT is not 1 to 7 or -1 to -7", "Check LATT")
    group = gemmi.symops_from_hall("R 3" if centering == "R" else f"{centering} 1")
    shifts = ["x+{}/24,y+{}/24,z+{}/24".format(*vector) for vector in group.cen_ops]
    listed = symmetry.combined(model.operations, shifts, source)
    if model.lattice_type > 0:
        listed = symmetry.combined(listed, ["x,y,z", "-x,-y,-z"], source)
    return symmetry.from_triplets(listed, source, limits)


def _check_parts(model: _Model, occupancies: NDArray[np.float64], source: str) -> None:
    full = {part for part, occupancy in zip(model.parts, occupancies, strict=True) if part and occupancy == 1.0}
    if len(full) > 1:
        raise refusal(
            source,
            "sites are alternatives of each other (PART), without occupancies",
            "Keep one of the alternatives, or give occupancies and order it",
        )


def _doubts(
    model: _Model,
    numbers: NDArray[np.int64],
    owners: NDArray[np.int64],
    occupancies: NDArray[np.float64],
) -> list[str]:
    """Whether SFAC and UNIT state other contents than the atoms."""
    if len(model.units) != len(model.elements) or not all(unit >= 0.0 for unit in model.units):
        return []
    stated: dict[int, float] = {}
    for symbol, unit in zip(model.elements, model.units, strict=True):
        number = from_symbol(symbol.lstrip("$"))[0]
        if unit > 0.0:
            stated[number] = stated.get(number, 0.0) + unit
    read: dict[int, float] = {}
    for owner in owners:
        number = int(numbers[owner])
        read[number] = read.get(number, 0.0) + float(occupancies[owner])
    read = {number: amount for number, amount in read.items() if amount > 0.0}
    if 0 in stated or not stated:
        return []
    formula = Formula(formula_of(stated), stated, dict.fromkeys(stated, 0.0))
    return doubt(formula, read, bool((occupancies == 1.0).all()))
