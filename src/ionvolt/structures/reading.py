"""From text, bytes or a file on disk to checked crystals, within bounds on size."""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from ionvolt.errors import InputError
from ionvolt.structures import archives, trajectory
from ionvolt.structures.cif import read_cif
from ionvolt.structures.cif_mending import without_reflections
from ionvolt.structures.contents import Contents, of_one, only, wanted
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal
from ionvolt.structures.encodings import decoded, in_ascii
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.poscar import looks_like_poscar, read_poscar
from ionvolt.structures.shelx import looks_like_res, read_res
from ionvolt.structures.structure_documents import read_json
from ionvolt.structures.wording import refusal
from ionvolt.structures.xyz import looks_like_xyz, read_xyz

Format = Literal["cif", "poscar", "res", "xyz", "json", "traj", "zip"]

KNOWN = "Give a CIF, POSCAR, .res, extended XYZ, pymatgen JSON or ASE trajectory"
"""What can be read."""

_BLOCK = re.compile(r"^[ \t]*data_", re.IGNORECASE | re.MULTILINE)
_GZIP = b"\x1f\x8b"
# bgzip begins a new part every 64 kB.
_MOST_PARTS = 100
# Files of many structures, or with reflections in them, may be so many times as large as that of one structure.
_MANY = 10
_ENDINGS: dict[str, Format] = {
    ".cif": "cif", ".mcif": "cif", ".vasp": "poscar", ".poscar": "poscar", ".res": "res", ".xyz": "xyz",
    ".extxyz": "xyz", ".json": "json", ".traj": "traj", ".zip": "zip",
}  # fmt: skip
# Files with these endings are as often something else.
_AMBIGUOUS = ("res", "xyz", "json", "traj", "zip")
_HEAD = 65_536


def read_text(
    text: str | bytes,
    name: str,
    *,
    fmt: Format | None = None,
    chosen: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Crystal:
    """Read the one structure in a text: CIF, POSCAR, SHELX ``.res``, extended XYZ or JSON.

    Args:
        text: The text, or the bytes of a file; gzipped bytes are unpacked.
        name: What to call it in messages; its ending settles the format where the text does not.
        fmt: The format, where it is known.
        chosen: Name or number of the structure that is wanted, where there are several.
        limits: The bounds.

    Returns:
        The checked crystal.

    Raises:
        InputError: The text holds no structure that can be used. Nothing else is raised, whatever the text.
    """
    source, entry = only(contents(text, name, fmt, limits), name, chosen)
    return entry.crystal(source)


def read_all(data: str | bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Iterator[Crystal | InputError]:
    """Read every structure in a text or the bytes of a file; see ``read_text``.

    Yields:
        Its crystal or the error that refused it, for each; of the steps of one structure only the last.
    """
    try:
        found = wanted(contents(data, name, None, limits), name)
    except InputError as error:
        yield error
        return
    for source, entry in found:
        try:
            yield entry.crystal(source)
        except InputError as error:
            yield error


def read_disordered_text(
    text: str | bytes, name: str, *, chosen: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> DisorderedCrystal:
    """Read the one structure in a text with the occupancies of its sites; see ``read_text``."""
    source, entry = only(contents(text, name, None, limits), name, chosen)
    return DisorderedCrystal.of(entry.crystal(source)) if entry.disordered is None else entry.disordered(source)


def read_file(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Read the one structure in a file, plain or gzipped.

    Args:
        path: The file; ``file.cif#name`` chooses one of several structures by its name or number.
        limits: The bounds.

    Returns:
        The checked crystal; its ``source`` is the path as given.

    Raises:
        InputError: The file cannot be read or holds no structure that can be used.
    """
    data, name, chosen = read_part(path, limits)
    return read_text(data, name, chosen=chosen, limits=limits)


def read_part(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> tuple[bytes, str, str | None]:
    """What a file holds, still packed where it is; its name; and what is chosen of it, as in ``file.cif#name``.

    Raises:
        InputError: It cannot be read, or is too large.
    """
    name = os.fspath(path)
    chosen = None
    base, mark, part = name.rpartition("#")
    if mark and not _is_file(name) and _is_file(base):
        name, chosen = base, part
    return read_data(name, limits), name, chosen


def read_data(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """What a file holds, still packed where it is.

    Raises:
        InputError: It cannot be read, or is too large.
    """
    name = os.fspath(path)
    remedy = "Check the path"
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISDIR(mode):
            raise refusal(name, "it is a folder, not a file", "Name a file in it")
        if not stat.S_ISREG(mode):
            # A pipe would block, and a device never ends.
            raise refusal(name, "it is not a regular file", "Copy it into a file, or pipe it in as '-'")
        with Path(name).open("rb") as file:
            return read_bounded(file, name, limits)
    except FileNotFoundError:
        raise refusal(name, "there is no such file", remedy) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not valid"
        raise refusal(name, f"it cannot be read ({reason.lower()})", remedy) from error


def read_bounded(stream: BinaryIO, name: str, limits: Limits) -> bytes:
    """Read a stream to its end, or refuse it as soon as it passes the limit."""
    data = stream.read(_MANY * limits.max_bytes + 1)
    if len(data) > _MANY * limits.max_bytes:
        raise _too_large(name, limits.max_bytes)
    return data


def contents(data: str | bytes, name: str, fmt: Format | None, limits: Limits) -> Contents:
    """The structures in a text or in the bytes of a file.

    Raises:
        InputError: It holds none.
    """
    if isinstance(data, bytes) and data.startswith(archives.MAGIC):
        unpacked = partial(_member, limits=limits)
        return archives.read_archive(data, name, is_structure_name, unpacked, limits)
    if isinstance(data, bytes):
        data = _unpack(data, name, limits)
        if data.startswith((trajectory.MAGIC, trajectory.OLD_MAGIC)):
            return trajectory.read_trajectory(data, name, limits)
        data = decoded(data, name)
    text, fmt = _text(data, name, fmt, limits)
    return _READERS[fmt](text, name, limits)


def is_structure_name(name: str) -> bool:
    """Whether a file name promises a structure: ``*.cif``, ``*.vasp``, ``POSCAR*`` and such, or gzipped."""
    return _format_of_name(name) is not None


def is_structure_file(path: Path) -> bool:
    """Whether a file promises a structure by its name and, where the name says little, by what it begins with."""
    fmt = _format_of_name(path.name)
    if fmt is None or fmt not in _AMBIGUOUS:
        return fmt is not None
    try:
        if not path.is_file():  # a pipe would block
            return True  # reading it says why
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_GZIP):
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except (OSError, zlib.error):
        return True
    if fmt in ("zip", "traj"):
        return head.startswith((archives.MAGIC, trajectory.MAGIC, trajectory.OLD_MAGIC))
    text = head.decode("latin-1")
    if fmt == "json":
        return all(word in text for word in ('"lattice"', '"sites"')) or '"lattice_vectors"' in text
    return looks_like_xyz(text) if fmt == "xyz" else looks_like_res(text)


def _text(text: str, name: str, fmt: Format | None, limits: Limits) -> tuple[str, Format]:
    """The text in ASCII, and its format."""
    if not text.strip("\ufeff\x1a \t\r\n\f\v"):
        raise refusal(name, "the file is empty", KNOWN)
    fmt = fmt or _format(text, name)
    if len(text) > limits.max_bytes:
        if fmt == "cif":
            text = without_reflections(text) if len(text) <= _MANY * limits.max_bytes else text
            if len(text) > limits.max_bytes:
                raise _too_large(name, limits.max_bytes)
        elif fmt not in ("xyz", "json") or len(text) > _MANY * limits.max_bytes:
            raise _too_large(name, limits.max_bytes)
    text = in_ascii(text, name)
    if fmt is None:
        raise refusal(name, "no structure in it: neither a CIF nor a POSCAR nor another known format", KNOWN)
    if fmt in ("traj", "zip"):
        raise refusal(name, "it is text, no trajectory and no archive", KNOWN)
    return text, fmt


def _member(data: bytes, name: str, limits: Limits) -> Contents:
    """The structures in a file of an archive, which may not be an archive itself."""
    if data.startswith(archives.MAGIC):
        raise refusal(name, "it is an archive in an archive", "Unpack it first")
    return contents(data, name, None, limits)


def _format(text: str, name: str) -> Format | None:
    head = text[:_HEAD].lstrip("\ufeff \t\r\n")
    if head.startswith(("{", "[")):
        return "json"
    # Asked first: no CIF looks like a POSCAR, but a comment in a POSCAR may begin with data_.
    if looks_like_poscar(text):
        return "poscar"
    if looks_like_xyz(head):
        return "xyz"
    if _BLOCK.search(text):
        return "cif"
    if looks_like_res(head):
        return "res"
    return _format_of_name(name) or ("cif" if "_atom_site_" in head else None)


def _format_of_name(name: str) -> Format | None:
    base = re.split(r"[/\\]", name)[-1].lower().removesuffix(".gz")
    ending = base[base.rfind(".") :] if "." in base else ""
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    return "poscar" if base.startswith(("poscar", "contcar")) else None


def _too_large(name: str, size: int) -> InputError:
    return refusal(name, f"it holds more than {size / 1e6:g} MB", "Give one structure a file, in its unit cell")


def _unpack(data: bytes, name: str, limits: Limits) -> bytes:
    if not data.startswith(_GZIP):
        return data
    parts: list[bytes] = []
    size = 0
    most = _MANY * limits.max_bytes
    try:
        while data:
            if len(parts) == _MOST_PARTS:
                raise zlib.error("too many parts")
            # Never more than the limit comes out, however much is packed inside.
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(data, limits.max_bytes + 1)
            size += len(part)
            parts.append(part)
            if size > limits.max_bytes and not member.eof and _may_be_long(parts[0]):
                part = member.decompress(member.unconsumed_tail, most + 1)
                size += len(part)
                parts.append(part)
            if size > most or (size > limits.max_bytes and not _may_be_long(parts[0])):
                raise _too_large(name, limits.max_bytes)
            if not member.eof:
                raise zlib.error("incomplete")
            data = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise refusal(name, "its compression is damaged", "Compress the file anew with gzip") from error
    return b"".join(parts)


def _may_be_long(head: bytes) -> bool:
    """Whether a file that begins like this may hold many structures, or reflections beside one."""
    return head.lstrip()[:1] in (b"{", b"[") or head.lstrip()[:1].isdigit() or b"data_" in head[:_HEAD]


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _read_poscar(text: str, source: str, limits: Limits) -> Contents:
    return of_one(partial(_poscar, text, limits=limits))


def _poscar(text: str, source: str, limits: Limits) -> Crystal:
    return read_poscar(text, source, limits)


_READERS: dict[Format, Callable[[str, str, Limits], Contents]] = {
    "cif": read_cif,
    "poscar": _read_poscar,
    "res": read_res,
    "xyz": read_xyz,
    "json": read_json,
}
