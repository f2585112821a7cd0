"""Everything a user may hand over: objects, paths, text, folders, globs and standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ionvolt.errors import InputError
from ionvolt.structures.checks import check, check_atom_count
from ionvolt.structures.contents import only
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal, ordered, rounded
from ionvolt.structures.elements import ISOTOPES, from_symbol
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.reading import (
    is_structure_file,
    read_all,
    read_bounded,
    read_file,
    read_part,
    read_text,
)
from ionvolt.structures.structure_documents import is_structure, of_document
from ionvolt.structures.wording import refusal, shown

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core.structure import Structure


_STDIN = "standard input"


def as_crystal(obj: object, source: str | None = None, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Turn whatever describes a crystal into a checked ``Crystal``.

    Args:
        obj: A ``Crystal``, a pymatgen ``Structure`` or its dictionary, ASE ``Atoms``, a path, a Materials Project id
            (where no file has that name), or the text of a CIF or POSCAR (a string with a line break in it is text).
        source: What to call it; by default the path, or the kind of object.
        limits: The bounds.

    Returns:
        The checked crystal.

    Raises:
        InputError: It cannot be used.
    """
    if isinstance(obj, Crystal):
        return check(obj if source is None else replace(obj, source=source), limits)
    if isinstance(obj, str) and ("\n" in obj or "\r" in obj):
        return read_text(obj, source or "text", limits=limits)
    if isinstance(obj, (str, os.PathLike)):
        crystal = _one(os.fspath(obj), limits) if isinstance(obj, str) else read_file(obj, limits)
        return crystal if source is None else replace(crystal, source=source)
    # The library is known to be imported if the object is one of its own: no need to import it to find out.
    libraries = {kind.__module__.split(".")[0] for kind in type(obj).__mro__}
    name = source or type(obj).__name__
    if "pymatgen" in libraries and hasattr(obj, "lattice") and hasattr(obj, "is_ordered"):
        return _from_pymatgen(cast("Structure", obj), name, limits)
    if "ase" in libraries and hasattr(obj, "get_scaled_positions"):
        return _from_ase(cast("Atoms", obj), name, limits)
    if isinstance(obj, dict) and is_structure(obj):
        label, entry = only(of_document(obj, name, limits), name)
        return entry.crystal(label)
    raise refusal(
        name,
        f"a {type(obj).__name__} is no crystal structure",
        "Give a path, an id, CIF or POSCAR text, a pymatgen Structure or its dictionary, ASE Atoms or a Crystal",
    )


def read_many(
    inputs: Iterable[str], limits: Limits = DEFAULT_LIMITS, passed_over: Counter[str] | None = None
) -> Iterator[Crystal | InputError]:
    """Read many structures, one after the other.

    Args:
        inputs: Files, folders (searched with all that is below them, in sorted order, for files whose name
            promises a structure), glob patterns, Materials Project ids (where no file has that name), or ``-`` for
            standard input. ``file.cif#name`` is one structure of a file that holds several.
        limits: The bounds.
        passed_over: The files of folders that were passed over are counted here, by the ending of their names.

    Yields:
        For every structure, in order, its crystal or the error that refused it. A file of several gives each, called
        ``file.cif#name``; one with the steps of one structure gives the last. A missing file, a pattern without
        a match and a folder without a structure give one error each.
    """
    for name in found_files(inputs, limits, passed_over):
        if isinstance(name, InputError):
            yield name
        else:
            yield from read_found(name, limits)


def found_files(
    inputs: Iterable[str], limits: Limits = DEFAULT_LIMITS, passed_over: Counter[str] | None = None
) -> Iterator[str | InputError]:
    """Names of the files that ``read_many`` reads, in order; of most of them nothing is read for that.

    An input that stands for no file gives the error that says so.
    """
    n_files = 0
    for given in inputs:
        for found in _files(given, passed_over):
            if isinstance(found, InputError):
                yield found
                continue
            n_files += 1
            if n_files > limits.max_files:
                yield refusal(given, f"more than {limits.max_files} files", "Give fewer at a time")
                return
            yield found


def passed_over_text(passed_over: Mapping[str, int]) -> str:
    """``3 files (2 .txt, 1 without an ending)`` of what ``read_many`` passed over."""
    parts = [f"{count} {ending or 'without an ending'}" for ending, count in sorted(passed_over.items())]
    total = sum(passed_over.values())
    more = f", {len(parts) - 8} other endings" if len(parts) > 8 else ""
    return f"{total} file{'' if total == 1 else 's'} ({', '.join(parts[:8])}{more})"


def read_found(name: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[Crystal | InputError]:
    """Every structure of a file, an id or standard input (``-``), or the error that refused it."""
    try:
        if name == "-":
            data: bytes | None = _stdin(limits)
            name = _STDIN
        elif _is_missing_id(name):
            data = None
        else:
            data, name, chosen = read_part(name, limits)
            if chosen is not None:
                yield read_text(data, name, chosen=chosen, limits=limits)
                return
        if data is None:
            yield _one(name, limits)
            return
    except InputError as error:
        yield error
        return
    yield from read_all(data, name, limits)


def _is_missing_id(name: str) -> bool:
    from ionvolt.structures.materials_project import is_id

    return is_id(name) and not Path(name).exists()


def _one(name: str, limits: Limits) -> Crystal:
    """The one structure of a file or an id."""
    if _is_missing_id(name):
        from ionvolt.structures.materials_project import fetch_crystal

        return fetch_crystal(name, limits=limits)
    return read_file(name, limits)


def _files(given: str, passed_over: Counter[str] | None) -> Iterator[str | InputError]:
    if given == "-":
        yield given
        return
    try:
        is_folder, exists = Path(given).is_dir(), Path(given).exists()
    except (OSError, ValueError):
        is_folder, exists = False, False
    if is_folder:
        found = False
        for path in _below(Path(given), passed_over):
            found = True
            yield str(path)
        if not found:
            yield refusal(given, "no structure file in the folder", "Name files .cif, .vasp or POSCAR, or list them")
    elif not exists and glob.has_magic(given):
        # Path.glob knows no absolute patterns.
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207
        matches = [match for match in matches if not Path(match).is_dir()]
        if not matches:
            yield refusal(given, "no file matches the pattern", "Check the pattern")
        yield from matches
    else:
        yield given


def _below(folder: Path, passed_over: Counter[str] | None) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            if is_structure_file(Path(root) / name):
                yield Path(root) / name
            elif passed_over is not None:
                passed_over[Path(name.lower().removesuffix(".gz")).suffix] += 1


def _stdin(limits: Limits) -> bytes:
    try:
        return read_bounded(sys.stdin.buffer, _STDIN, limits)
    except (OSError, ValueError) as error:
        raise refusal(_STDIN, "it cannot be read", "Pipe a CIF or POSCAR in") from error


def _from_pymatgen(structure: Structure, name: str, limits: Limits) -> Crystal:
    check_atom_count(name, len(structure), limits)
    if not structure.is_ordered:
        return _from_disordered(structure, name, limits)
    dummy = next((s for s in structure.species if type(s).__name__ == "DummySpecies"), None)
    if dummy is not None:
        raise refusal(name, f"{shown(dummy)} is no element", "Remove dummy species or name their element")
    crystal = Crystal.from_pymatgen(structure, name)
    # pymatgen calls deuterium H, too; only the name of its enumeration tells them apart.
    names = {str(getattr(getattr(s, "element", s), "name", "")) for s in structure.species}
    notes = tuple(note for _, note in map(from_symbol, sorted(names & ISOTOPES.keys())))
    if notes:
        crystal = replace(crystal, warnings=notes)
    return check(crystal, limits)


def _from_disordered(structure: Structure, name: str, limits: Limits) -> Crystal:
    """The crystal of sites that hold one element in several valences; others are refused."""
    sites: list[dict[int, float]] = []
    for site in structure:
        shares: dict[int, float] = {}
        for species, share in site.species.items():
            number, _ = from_symbol(str(getattr(getattr(species, "element", species), "symbol", "")))
            if not number:
                raise refusal(name, f"{shown(species)} is no element", "Remove dummy species or name their element")
            shares[number] = shares.get(number, 0.0) + float(share)
        sites.append(rounded(shares, limits))
    lattice, places = np.array(structure.lattice.matrix), np.array(structure.frac_coords)
    return ordered(DisorderedCrystal(lattice, places, tuple(sites), name), limits=limits)


def _from_ase(atoms: Atoms, name: str, limits: Limits) -> Crystal:
    check_atom_count(name, len(atoms), limits)
    if not bool(np.all(atoms.pbc)):
        raise refusal(name, "it is not periodic in all three directions", "Set pbc=True and a cell")
    if not abs(float(np.linalg.det(np.asarray(atoms.cell)))) > 0.0:
        raise refusal(name, "it has no three-dimensional cell", "Set a cell with three vectors")
    return check(Crystal.from_ase(atoms, name), limits)
