"""Symmetry operations of a CIF, and the atoms that they make of its sites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import gemmi
import numpy as np
from numpy.typing import NDArray

from ionvolt.structures.checks import check_atom_count
from ionvolt.structures.limits import Limits
from ionvolt.structures.wording import refusal, shown

_TRIPLET = re.compile(r"[xyzXYZ0-9+\-*/., \t]{5,80}")
# Greatest misfit of a cell and a symmetry operation, as a share of the products of its lengths.
_METRIC_TOLERANCE = 0.03


@dataclass(frozen=True)
class Operations:
    """Symmetry operations x' = R x + t on fractional coordinates.

    Attributes:
        rotations: R, shape (n_operations, 3, 3).
        translations: t, shape (n_operations, 3).
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.rotations.shape[0])


def is_identity(triplets: Sequence[str]) -> bool:
    """Whether a list of operations is nothing but ``x, y, z``."""
    return len(triplets) == 1 and triplets[0].replace(" ", "").lower() in {"x,y,z", "+x,+y,+z"}


def from_triplets(triplets: Sequence[str], source: str, limits: Limits) -> Operations:
    """Parse operations such as ``-x+1/2, y, z``.

    Raises:
        InputError: An operation cannot be read, there are too many, or they form no group (a list cut short
            would lose atoms).
    """
    distinct = list(dict.fromkeys(triplets))
    if len(distinct) > limits.max_operations:
        raise refusal(
            source,
            f"{len(distinct)} symmetry operations are more than {limits.max_operations}",
            "Write the structure in P 1, with every atom of the cell listed",
        )
    parsed = [_parsed(text, source) for text in distinct]
    parsed = list({op.wrap().triplet(): op for op in parsed}.values())
    if not _closed(parsed):
        raise refusal(
            source,
            f"the {len(parsed)} symmetry operations form no group",
            "List all operations of the space group, or write the structure in P 1",
        )
    return _pack(parsed)


def combined(operations: Sequence[str], centerings: Sequence[str], source: str) -> list[str]:
    """Every operation followed by every centering translation.

    Raises:
        InputError: One cannot be read.
    """
    first = [_parsed(text, source) for text in dict.fromkeys(operations)]
    then = [_parsed(text, source) for text in dict.fromkeys(centerings)]
    return list(dict.fromkeys((shift * op).wrap().triplet() for shift in then for op in first))


def _parsed(text: str, source: str) -> gemmi.Op:
    try:
        if not _TRIPLET.fullmatch(text):
            raise ValueError(text)
        return gemmi.Op(text)
    except (ValueError, RuntimeError, IndexError) as error:
        raise refusal(
            source,
            f"{shown(text)} is not a symmetry operation",
            "Write operations like 'x, y, z' and '-x+1/2, y, -z', or the structure in P 1",
        ) from error


def from_space_group(
    name: str, number: int, hall: str, angles: Sequence[float], source: str
) -> tuple[Operations, list[str]]:
    """Operations of a space group that a file only names.

    Args:
        name: Hermann-Mauguin symbol, or "".
        number: Number in the International Tables, or 0; used where there is no symbol.
        hall: Hall symbol, or ""; it alone leaves no choice of setting, and so comes first.
        angles: Cell angles in degrees; they tell hexagonal from rhombohedral axes.
        source: For messages.

    Returns:
        The operations and reservations in plain words.

    Raises:
        InputError: No such space group, or one with two origins and no word on which.
    """
    if hall:
        try:
            return _pack(list(gemmi.symops_from_hall(hall))), []
        except (ValueError, RuntimeError, IndexError):
            if not (name or number):
                raise refusal(source, f"{shown(hall)} is no Hall symbol", "List the operations") from None
    if name:
        plain = _usual(name)
    else:
        found = gemmi.find_spacegroup_by_number(number) if 1 <= number <= 230 else None
        plain = found.hm if found else ""
    group = _find(plain, angles)
    if group is None:
        raise refusal(
            source,
            f"{shown(name or number)} is no known space group",
            "List the symmetry operations, or write the structure in P 1",
        )
    if group.ext in ("1", "2") and ":" not in plain:
        # The wrong origin gives a wrong crystal that may pass every other rule.
        raise refusal(
            source,
            f"the origin of space group {group.hm} is not stated",
            f"List the symmetry operations, or write {group.hm}:1 or {group.hm}:2",
        )
    notes = [] if name else [f"only the space group number is given; {group.xhm()} is assumed"]
    return _pack(list(group.operations())), notes


def _find(name: str, angles: Sequence[float]) -> gemmi.SpaceGroup | None:
    if not name.isascii() or not 0 < len(name) < 60:
        return None
    # The angles tell hexagonal from rhombohedral axes.
    for spelling in dict.fromkeys((name, name.replace(" ", ""), _short(name))):
        group = gemmi.find_spacegroup_by_name(spelling, angles[0], angles[2])
        if group is not None:
            return group
    return None


def _usual(name: str) -> str:
    """The symbol without marks of type setting, and with its setting behind a colon."""
    plain = re.sub(r"</?su[bp]>|[_~*]", "", name).strip().strip("'\"")
    plain = re.sub(r"\(([1-5])\)", r"\1", plain)  # P2(1)/c
    plain = re.sub(r"\s*\(?\s*origin\s*(?:choice\s*|at\s*)?([12])\s*\)?$", r":\1", plain, flags=re.IGNORECASE)
    # Databases write the setting behind the symbol: S and Z for origin 1 and 2, H and R for the axes.
    if plain[:1] in "Rr":
        return re.sub(r"(?<=[1-9a-z\s])\s*([HR])[SZ]?$", lambda m: f":{m[1]}", plain)
    return re.sub(r"(?<=[1-9a-z\s])\s*(?:([SZ])|O([12]))$", lambda m: f":{m[2] or 'SZ'.index(m[1]) + 1}", plain)


def _short(name: str) -> str:
    """``F m -3 m`` of the full symbol ``F 4/m -3 2/m``."""
    symbol, colon, setting = name.partition(":")
    centering, *axes = symbol.split()
    if len(axes) not in (2, 3) or not any("/" in axis for axis in axes[1:]):
        return name
    keep_first = axes[0][:1] in "46" and axes[1] != "-3"
    short = [axis if i == 0 and keep_first else axis.split("/")[-1] for i, axis in enumerate(axes)]
    return " ".join((centering, *short)) + colon + setting


def _closed(operations: list[gemmi.Op]) -> bool:
    group = gemmi.GroupOps(operations)
    try:
        group.add_missing_elements()
    except (ValueError, RuntimeError):
        return False
    return len(group) == len(operations)


def _pack(operations: list[gemmi.Op]) -> Operations:
    rotations = np.array([op.rot for op in operations], dtype=np.float64) / gemmi.Op.DEN
    translations = np.array([op.tran for op in operations], dtype=np.float64) / gemmi.Op.DEN
    return Operations(rotations, translations - np.floor(translations))


def check_fit(operations: Operations, lattice: NDArray[np.float64], source: str) -> None:
    """Refuse operations that would not map the cell's lattice onto itself.

    Raises:
        InputError: Such as a sixfold axis in a cubic cell, or rhombohedral operations on a hexagonal one.
    """
    metric = lattice @ lattice.T
    lengths = np.sqrt(np.diag(metric))
    rotated = operations.rotations.transpose(0, 2, 1) @ metric @ operations.rotations
    misfit = np.abs(rotated - metric) / np.outer(lengths, lengths)
    if not misfit.max() <= _METRIC_TOLERANCE:
        raise refusal(
            source,
            "the symmetry operations do not fit the cell",
            "Check space group, setting and cell against each other, or write the structure in P 1",
        )


def unfold(
    sites: NDArray[np.float64],
    operations: Operations,
    lattice: NDArray[np.float64],
    source: str,
    limits: Limits,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every atom of the cell, from its symmetry-distinct sites.

    A site near a special position (0.333 for 1/3) is first put onto it: onto the mean of those of its images
    that lie within ``limits.merge_distance`` of it. Images that then coincide are one atom.

    Args:
        sites: Fractional coordinates, shape (n_sites, 3).
        operations: The symmetry operations.
        lattice: Cell vectors as rows, Å.
        source: For messages.
        limits: The bounds.

    Returns:
        Index of the site of each atom, shape (n_atoms,), and the atoms' fractional coordinates in [0, 1),
        shape (n_atoms, 3).

    Raises:
        InputError: More sites times operations, or more atoms, than the limits allow.
    """
    unfolded = len(sites) * len(operations)
    if unfolded > limits.max_unfolded:
        raise refusal(
            source,
            f"{len(sites)} sites times {len(operations)} operations exceed {limits.max_unfolded} atoms",
            "Check the symmetry, or write the structure in P 1",
        )
    rotations, translations = operations.rotations, operations.translations
    images = np.einsum("oij,sj->soi", rotations, sites) + translations
    shift = images - sites[:, None]
    shift -= np.rint(shift)
    fixing = _norm(shift @ lattice) < limits.merge_distance
    order = np.maximum(fixing.sum(axis=1), 1)
    check_atom_count(source, int(np.ceil(len(operations) / order).sum()), limits)

    special = sites + np.where(fixing[..., None], shift, 0.0).sum(axis=1) / order[:, None]
    images = np.einsum("oij,sj->soi", rotations, special) + translations
    images -= np.floor(images)
    owners, coords = [], []
    for site, orbit in enumerate(images):
        atoms = orbit if order[site] == 1 else _distinct(orbit, lattice, limits.merge_distance)
        owners.append(np.full(len(atoms), site, dtype=np.int64))
        coords.append(atoms)
    return np.concatenate(owners), np.concatenate(coords)


def _distinct(orbit: NDArray[np.float64], lattice: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    shift = orbit[:, None] - orbit[None]
    shift -= np.rint(shift)
    same = _norm(shift @ lattice) < tolerance
    # An image stays where none before it is the same atom.
    distinct: NDArray[np.float64] = orbit[same.argmax(axis=1) == np.arange(len(orbit))]
    return distinct


def _norm(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norm: NDArray[np.float64] = np.sqrt((vectors * vectors).sum(axis=-1))
    return norm
