"""Structures in a zip archive: read in memory, within bounds, and never written to a disk."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable

from ionvolt.structures.contents import Contents, Entry, only
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.disorder import DisorderedCrystal
from ionvolt.structures.limits import DEFAULT_LIMITS, Limits
from ionvolt.structures.wording import refusal, shown

MAGIC = b"PK\x03\x04"
"""What an archive begins with."""

# Text shrinks to a tenth, a table of one number to a hundredth.
_MOST_SHRUNK = 1_000
_TOTAL = 100
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, RuntimeError, NotImplementedError,
    ValueError, LookupError,
)  # fmt: skip
_REMEDY = "Pack the structure files anew, or give them in a folder"


def read_archive(
    data: bytes,
    source: str,
    promises: Callable[[str], bool],
    contents: Callable[[bytes, str], Contents],
    limits: Limits = DEFAULT_LIMITS,
) -> Contents:
    """The structure files of a zip archive.

    Args:
        data: The archive.
        source: Its name, for messages.
        promises: Whether a file name promises a structure; other files are passed over.
        contents: What the bytes of a file hold, given its name.
        limits: The bounds: so many files (``max_blocks``), each of at most ``max_bytes``, and 100 times that together.

    Raises:
        InputError: It is damaged, too large, or holds no structure file.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        listed = archive.infolist()
    except _DAMAGE as error:
        raise refusal(source, "the archive is damaged", _REMEDY) from error
    found = [info for info in listed if not info.is_dir() and _is_plain(info.filename) and promises(info.filename)]
    if not found:
        raise refusal(source, "no structure file in the archive", "Name files .cif, .vasp or POSCAR")
    if len(found) > limits.max_blocks:
        raise refusal(source, f"more than {limits.max_blocks} files", "Give fewer at a time")
    if sum(info.file_size for info in found) > _TOTAL * limits.max_bytes:
        raise refusal(
            source, f"its files hold more than {_TOTAL * limits.max_bytes / 1e6:g} MB", "Give fewer at a time"
        )
    members = [_Member(archive, info, contents, limits) for info in sorted(found, key=lambda info: info.filename)]
    return Contents([Entry(member.name, member.crystal, member.disordered) for member in members])


class _Member:
    """One file of an archive, unpacked when it is read."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        info: zipfile.ZipInfo,
        contents: Callable[[bytes, str], Contents],
        limits: Limits,
    ) -> None:
        self.name = info.filename
        self._archive, self._info, self._contents, self._limits = archive, info, contents, limits

    def crystal(self, source: str) -> Crystal:
        name, entry = self._only(source)
        return entry.crystal(name)

    def disordered(self, source: str) -> DisorderedCrystal:
        name, entry = self._only(source)
        if entry.disordered is None:
            return DisorderedCrystal.of(entry.crystal(name))
        return entry.disordered(name)

    def _only(self, source: str) -> tuple[str, Entry]:
        return only(self._contents(self._unpacked(source), source), source)

    def _unpacked(self, source: str) -> bytes:
        info, most = self._info, self._limits.max_bytes
        if info.flag_bits & 1:
            raise refusal(source, "it is encrypted", _REMEDY)
        if info.file_size > most or info.file_size > _MOST_SHRUNK * max(info.compress_size, 1):
            raise refusal(source, f"it holds more than {most / 1e6:g} MB, or is packed too tightly", _REMEDY)
        try:
            with self._archive.open(info) as file:
                data = file.read(most + 1)
        except _DAMAGE as error:
            raise refusal(source, f"{shown(info.filename)} in the archive is damaged", _REMEDY) from error
        if len(data) > most:
            raise refusal(source, f"it holds more than {most / 1e6:g} MB", _REMEDY)
        return data


def _is_plain(name: str) -> bool:
    """Whether a name stays inside the archive, and is not hidden."""
    parts = name.replace("\\", "/").split("/")
    return not any(part in ("", "..") or part.startswith((".", "__MACOSX")) for part in parts) and ":" not in parts[0]
