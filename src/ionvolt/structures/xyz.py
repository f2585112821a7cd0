"""Read extended XYZ: frames of atoms with their cell in the comment line."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.checks import check, check_atom_count
from ionvolt.structures.contents import Contents, Entry
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.elements import from_symbol
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

_FIELD = re.compile(r"""([A-Za-z_][\w-]*)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^=]*\]|\S+)""", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][-+]?[0-9]+)?", re.ASCII)
_NAMES = ("config_name", "name", "label", "id", "material_id")


def read_xyz(text: str, source: str, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """The frames of an extended XYZ file.

    Frames of the same atoms in the same order are steps of one structure; others are a structure each.

    Args:
        text: The file.
        source: Its name, for messages.
        limits: The bounds.

    Raises:
        InputError: It is no XYZ file, or its frames have no cell.
    """
    lines = text.splitlines()
    entries: list[Entry] = []
    kinds: set[tuple[str, ...]] = set()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        count = lines[at].strip()
        if not (count.isascii() and count.isdigit() and len(count) < 10):
            raise refusal(
                source, f"line {at + 1} is {shown(count)}, not a number of atoms", "Check the counts of the frames"
            )
        n = int(count)
        check_atom_count(f"{source}, frame {len(entries) + 1}", n, limits)
        frame = lines[at + 1 : at + 2 + n]
        if len(frame) < n + 1:
            raise refusal(source, f"frame {len(entries) + 1} lists fewer than {n} atoms", "Give the whole file")
        comment = frame[0] if frame else ""
        fields = {key.lower(): value.strip("\"'") for key, value in _FIELD.findall(comment[:100_000])}
        symbol, place = _columns(fields.get("properties", ""))
        kinds.add(
            tuple(words[symbol] if len(words := row.split(None, symbol + 1)) > symbol else "" for row in frame[1:])
        )
        name = next((fields[key] for key in _NAMES if key in fields), "")
        entries.append(Entry(name, partial(_crystal, fields, frame[1:], symbol, place, limits=limits)))
        if len(entries) > limits.max_blocks:
            raise refusal(source, f"more than {limits.max_blocks} frames", "Give fewer a file")
        at += n + 2
    if not entries:
        raise refusal(source, "no structure in it: no frame", "Give an extended XYZ file")
    steps = len(kinds) == 1 and len(entries) > 1
    plain = [Entry(str(k), entry.crystal) for k, entry in enumerate(entries, start=1)]
    # Names that repeat, as those of the steps of one structure do, tell nothing apart.
    names = [entry.name for entry in entries]
    return Contents(entries if all(names) and len(set(names)) == len(names) and not steps else plain, steps)


def looks_like_xyz(text: str) -> bool:
    """Whether a number of atoms is followed by a comment with a cell in it."""
    count, _, rest = text[:100_000].lstrip().partition("\n")
    return count.strip().isdigit() and "lattice" in rest.partition("\n")[0].lower()


def _columns(properties: str) -> tuple[int, int]:
    """Where symbol and position begin in a line."""
    words = properties.split(":")
    at, symbol, place = 0, 0, 1
    for name, _, width in zip(words[::3], words[1::3], words[2::3], strict=False):
        if name.lower() in ("species", "symbols", "element"):
            symbol = at
        elif name.lower() in ("pos", "positions"):
            place = at
        at += int(width) if width.isascii() and width.isdigit() and len(width) < 6 else 1
    return symbol, place


def _crystal(fields: dict[str, str], rows: list[str], symbol: int, place: int, source: str, limits: Limits) -> Crystal:
    if "lattice" not in fields:
        raise refusal(
            source,
            "it has no cell (plain XYZ holds molecules)",
            'Give extended XYZ with Lattice="..." in the comment, or a CIF or POSCAR',
        )
    values = [float(text.lower().replace("d", "e")) for text in _NUMBER.findall(fields["lattice"])]
    if len(values) == 3:
        values = np.diag(values).ravel().tolist()
    if len(values) != 9:
        raise refusal(source, f"its Lattice holds {len(values)} numbers", "Give the nine numbers of three cell vectors")
    lattice = np.array(values).reshape(3, 3)
    if "pbc" in fields and any(word[:1].upper() in ("F", "0") for word in re.findall(r"\w+", fields["pbc"])):
        raise refusal(source, "it is not periodic in all three directions", 'Give pbc="T T T" and a cell')
    numbers, positions, notes = [], [], []
    for row in rows:
        words = row.split()
        number, note = from_symbol(words[symbol]) if len(words) > symbol else (0, "")
        if not number:
            raise refusal(source, f"{shown(row)} names no element", "Begin every line with the symbol of an element")
        try:
            positions.append([float(word) for word in words[place : place + 3]])
        except ValueError:
            positions.append([])
        if len(positions[-1]) != 3:
            raise refusal(source, f"{shown(row)} holds no position", "Give x, y and z of every atom")
        numbers.append(number)
        notes += [note] if note else []
    cartesian = np.array(positions, dtype=np.float64).reshape(-1, 3)
    return from_cartesian(lattice, np.array(numbers, dtype=np.int64), cartesian, source, limits, notes)


def from_cartesian(
    lattice: NDArray[np.float64],
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    source: str,
    limits: Limits,
    notes: list[str] | None = None,
) -> Crystal:
    """A checked crystal of Cartesian positions.

    Args:
        lattice: Cell vectors as rows, shape (3, 3), Å.
        numbers: Atomic numbers, shape (n_atoms,).
        positions: Shape (n_atoms, 3), Å.
        source: What to call it.
        limits: The bounds.
        notes: Reservations, in plain words.

    Raises:
        InputError: The cell has no volume, or the crystal breaks a rule.
    """
    if not (np.isfinite(lattice).all() and np.abs(lattice).max() <= 1e6 and abs(np.linalg.det(lattice)) > 1e-12):
        raise refusal(source, "the cell has no volume", "Give a cell with three vectors")
    if not (np.isfinite(positions).all() and np.abs(positions).max(initial=0.0) <= 1e6):
        raise refusal(source, "a position is not a number, or too large", "Check the positions")
    frac = np.asarray(np.linalg.solve(lattice.T, positions.T).T, dtype=np.float64)
    return check(Crystal(lattice, numbers, frac, source, tuple(dict.fromkeys(notes or ()))), limits)
