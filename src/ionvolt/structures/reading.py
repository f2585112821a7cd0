"""From text or a file on disk to a checked crystal, within bounds on size."""

from __future__ import annotations

import os
import re
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from ionvolt.structures.cif import read_cif
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.poscar import looks_like_poscar, read_poscar
from ionvolt.structures.wording import refusal

Format = Literal["cif", "poscar"]

_BLOCK = re.compile(r"^[ \t]*data_", re.IGNORECASE | re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_GZIP = b"\x1f\x8b"
# bgzip begins a new part every 64 kB.
_MOST_PARTS = 100


def read_text(text: str | bytes, name: str, *, fmt: Format | None = None, limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Read the text of a CIF or POSCAR.

    Args:
        text: The text, or its bytes in UTF-8; gzipped bytes are unpacked.
        name: What to call it in messages; its ending settles the format where the text does not.
        fmt: The format, where it is known.
        limits: The bounds.

    Returns:
        The checked crystal.

    Raises:
        InputError: The text holds no structure that can be used. Nothing else is raised, whatever the text.
    """
    text, fmt = plain_text(text, name, fmt, limits)
    reader = read_cif if fmt == "cif" else read_poscar
    return reader(text, name, limits)


def plain_text(text: str | bytes, name: str, fmt: Format | None, limits: Limits) -> tuple[str, Format]:
    """The text in ASCII, and its format.

    Raises:
        InputError: It is too large, no text, or of no known format.
    """
    if isinstance(text, bytes):
        text = _decode(_unpack(text, name, limits), name)
    _check_size(len(text), name, limits)
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise refusal(name, "the file is empty", "Give a CIF or POSCAR")
    if _CONTROL.search(text):
        raise refusal(name, "it holds binary data, not text", "Give a CIF or POSCAR, plain or gzipped")
    if not text.isascii():
        # Names of authors, degree signs: nothing that counts lies outside ASCII, and gemmi takes no other.
        text = text.encode("ascii", "backslashreplace").decode("ascii")
    fmt = fmt or _format(text, name)
    if fmt is None:
        raise refusal(name, "no structure in it: neither a CIF nor a POSCAR", "Give a CIF or POSCAR")
    return text, fmt


def read_file(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Crystal:
    """Read a CIF or POSCAR file, plain or gzipped.

    Args:
        path: The file.
        limits: The bounds.

    Returns:
        The checked crystal; its ``source`` is the path as given.

    Raises:
        InputError: The file cannot be read or holds no structure that can be used.
    """
    return read_text(read_data(path, limits), os.fspath(path), limits=limits)


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
    data = stream.read(limits.max_bytes + 1)
    _check_size(len(data), name, limits)
    return data


def is_structure_name(name: str) -> bool:
    """Whether a file name promises a structure: ``*.cif``, ``*.vasp``, ``POSCAR*`` and such, or gzipped."""
    return _format_of_name(name) is not None


def _format(text: str, name: str) -> Format | None:
    # Asked first: no CIF looks like a POSCAR, but a comment in a POSCAR may begin with data_.
    if looks_like_poscar(text):
        return "poscar"
    return "cif" if _BLOCK.search(text) else _format_of_name(name)


def _format_of_name(name: str) -> Format | None:
    base = re.split(r"[/\\]", name)[-1].lower().removesuffix(".gz")
    if base.endswith((".cif", ".mcif")):
        return "cif"
    if base.endswith((".vasp", ".poscar")) or base.startswith(("poscar", "contcar")):
        return "poscar"
    return None


def _check_size(size: int, name: str, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise refusal(
            name,
            f"it holds more than {limits.max_bytes / 1e6:g} MB",
            "Give one structure a file, in its unit cell",
        )


def _unpack(data: bytes, name: str, limits: Limits) -> bytes:
    if not data.startswith(_GZIP):
        return data
    parts: list[bytes] = []
    size = 0
    try:
        while data:
            if len(parts) == _MOST_PARTS:
                raise zlib.error("too many parts")
            # Never more than the limit comes out, however much is packed inside.
            member = zlib.decompressobj(wbits=31)
            part = member.decompress(data, limits.max_bytes + 1 - size)
            size += len(part)
            parts.append(part)
            _check_size(size, name, limits)
            if not member.eof:
                raise zlib.error("incomplete")
            data = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise refusal(name, "its compression is damaged", "Compress the file anew with gzip") from error
    return b"".join(parts)


def _decode(data: bytes, name: str) -> str:
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refusal(name, "it holds binary data, not text", "Give a CIF or POSCAR, plain or gzipped")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusal(
            name,
            f"it is not UTF-8 text (byte {error.start + 1})",
            "Save it as UTF-8, or give a CIF or POSCAR",
        ) from error
