"""Read the text of a VASP POSCAR or CONTCAR."""

from __future__ import annotations

import math
from typing import NoReturn

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from ionvolt.structures.checks import check, check_atom_count
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.elements import from_symbol
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

_HEAD = 5  # comment, scale and three cell vectors


def read_poscar(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Read a POSCAR of VASP 5 or 6, or one of VASP 4 that names its elements elsewhere.

    Args:
        text: The POSCAR; velocities behind the positions are ignored.
        source: Its name, for messages and for the crystal.
        limits: The bounds.

    Returns:
        The checked crystal.

    Raises:
        InputError: It cannot be read or breaks a rule.
    """

    def refuse(rule: str, remedy: str) -> NoReturn:
        raise refusal(source, rule, remedy)

    # No sound file has longer lists than it may have atoms.
    rows = text.splitlines()[: limits.max_atoms + 100]
    lines = [line.split(maxsplit=limits.max_atoms + 10) for line in rows]
    if len(lines) < _HEAD + 3:
        refuse(f"no structure in it: {len(lines)} lines are too few for a POSCAR", "Give a CIF or POSCAR")
    lattice = _vectors(lines[2:_HEAD], "cell vector", source)
    if not np.abs(lattice).max() <= 1e6:
        refuse(f"a cell vector holds {np.abs(lattice).max():.3g}", "Check the cell")
    scale = _scale(lines[1], lattice, source, limits)

    row = _HEAD
    named: list[str] = []
    # VASP breaks long lists of elements, and then their counts, over several lines.
    while row < len(lines) and lines[row] and not _is_count(lines[row][0]):
        named += lines[row]
        row += 1
        if row > _HEAD + 10:
            break
    counts: list[int] = []
    while row < len(lines) and lines[row] and all(_is_count(word) for word in lines[row]):
        counts += [int(word) for word in lines[row]]
        row += 1
        if not named or len(counts) >= len(named):
            break
    if not counts or (named and len(named) != len(counts)):
        refuse(
            f"no structure in it: {len(named)} element names and {len(counts)} atom counts",
            "Line 6 of a POSCAR names the elements, line 7 counts their atoms",
        )
    n_atoms = sum(counts)
    if n_atoms == 0:
        refuse("it holds no atoms", "Give a crystal structure with at least one atom")
    check_atom_count(source, n_atoms, limits)

    mode = " ".join(lines[row]).lower() if row < len(lines) else ""
    if mode[:1] == "s":
        row += 1
        mode = " ".join(lines[row]).lower() if row < len(lines) else ""
    if mode[:1] not in ("d", "c", "k"):
        refuse(
            f"line {row + 1} says {shown(mode)}, neither Direct nor Cartesian",
            "State how the positions are given",
        )
    if "configuration" in mode:
        refuse("several structures: it is a trajectory (XDATCAR)", "Give one structure a file")
    listed = lines[row + 1 : row + 1 + n_atoms]
    if len(listed) < n_atoms:
        refuse(f"it counts {n_atoms} atoms but lists {len(listed)}", "Give a position for every atom")
    positions = _vectors(listed, "position", source)
    if not np.abs(positions).max() <= 1e6:
        refuse(f"a position holds {np.abs(positions).max():.3g}", "Check the positions")

    warnings: list[str] = []
    numbers = _elements(named, counts, listed, lines[0], source, warnings)
    if mode[0] != "d":
        # Both are scaled alike, so that the fractional coordinates do not depend on it.
        if not abs(np.linalg.det(lattice)) > 1e-12:
            refuse("the cell has no volume", "Check the cell vectors")
        positions = np.asarray(np.linalg.solve(lattice.T, positions.T).T, dtype=np.float64)
    crystal = Crystal(lattice * scale, numbers, positions, source, tuple(dict.fromkeys(warnings)))
    return check(crystal, limits)


def looks_like_poscar(text: str) -> bool:
    """Whether lines 2 to 5 hold a scale factor and three vectors."""
    lines = [line.split()[:3] for line in text[:4000].splitlines()[1:_HEAD]]
    if len(lines) < _HEAD - 1 or not lines[0] or any(len(line) < 3 for line in lines[1:]):
        return False
    return all(math.isfinite(cif.as_number(word)) for line in (lines[0][:1], *lines[1:]) for word in line)


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 10


def _vectors(rows: list[list[str]], what: str, source: str) -> NDArray[np.float64]:
    values = [[cif.as_number(word) for word in row[:3]] for row in rows]
    for row, words in zip(values, rows, strict=True):
        if len(row) != 3 or not all(math.isfinite(value) for value in row):
            raise refusal(
                source, f"{shown(' '.join(words))} is no {what}", "Give three numbers, in plain or e notation"
            )
    return np.array(values, dtype=np.float64).reshape(-1, 3)


def _scale(words: list[str], lattice: NDArray[np.float64], source: str, limits: Limits) -> float:
    value = cif.as_number(words[0]) if words else math.nan
    if len(words) >= 3 and all(math.isfinite(cif.as_number(word)) for word in words[:3]):
        raise refusal(source, "it has three scale factors", "Write the scaled cell with the one scale factor 1.0")
    if value < 0:
        # A negative factor is VASP's way to state the volume.
        volume = abs(float(np.linalg.det(lattice)))
        value = (-value / volume) ** (1.0 / 3.0) if volume > 1e-12 else math.nan
    if not 0.0 < value <= 1e6:
        raise refusal(
            source,
            f"the scale factor is {shown(' '.join(words))}",
            "Give a positive factor, or minus the volume",
        )
    return value


def _elements(
    named: list[str],
    counts: list[int],
    rows: list[list[str]],
    comment: list[str],
    source: str,
    warnings: list[str],
) -> NDArray[np.int64]:
    if named:
        symbols = [_plain(word) for word in named]
    else:
        behind = [next((word for word in row[3:] if word not in ("T", "F")), "") for row in rows]
        if all(from_symbol(word)[0] for word in behind):
            symbols, counts = behind, [1] * len(rows)
        elif len(comment) == len(counts) and all(from_symbol(word)[0] for word in comment):
            symbols = comment
            warnings.append(f"elements are taken from the comment line: {' '.join(symbols)}")
        else:
            raise refusal(
                source,
                "it names no elements (the format of VASP 4)",
                "Insert a line with their symbols above the line of atom counts",
            )
    numbers = []
    for symbol in symbols:
        number, note = from_symbol(symbol)
        if number == 0:
            raise refusal(source, f"{shown(symbol)} is no element", "Name the elements above their counts")
        if note:
            warnings.append(note)
        numbers.append(number)
    return np.repeat(np.array(numbers, dtype=np.int64), counts)


def _plain(word: str) -> str:
    # VASP adds the pseudopotential and its hash: Fe_pv/1a2b3c4d.
    return word.split("/")[0].split("_")[0]
