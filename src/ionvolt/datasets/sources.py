"""Where the structures of a table are: a file of JSON lines, or a folder of structure files."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Protocol

from ionvolt.errors import DataError, InputError
from ionvolt.store import file_sha256, sha256
from ionvolt.structures import Crystal, Limits, read_file, read_text

_ENDING = re.compile(r"\.(cif|mcif|vasp|poscar)(\.gz)?$", re.IGNORECASE)
AS_PUBLISHED = Limits(min_bond=0.0)
"""Bounds on structures of a table: cells that collapsed while they were relaxed have their label, too."""
MAX_LINE = 4 * Limits.max_bytes
"""Bytes of one line: the largest CIF that is read, and room for JSON's escapes."""
MAX_UNPACKED = 4_000_000_000
"""Bytes of all lines after decompression; the whole Materials Project takes about an eighth of that."""

_ENDINGS = ("", ".cif", ".cif.gz", ".vasp", ".vasp.gz")


class Structures(Protocol):
    """Crystals by their key."""

    def find(self, key: str) -> Crystal:
        """The crystal of a key; raises ``InputError`` where there is none or it is refused."""

    def record(self) -> dict[str, str]:
        """Name and checksum of what was read, for the provenance."""


def open_structures(path: Path, wanted: Collection[str] | None = None) -> Structures:
    """A folder of structure files, or JSON lines ``{"id": …, "cif": …}``, gzipped or not.

    Args:
        path: The folder or file.
        wanted: Keys that will be asked for, if known: lines of others are not kept in memory.

    Raises:
        DataError: Neither, or the lines cannot be read.
    """
    return StructureFolder(path) if path.is_dir() else StructureLines(path, wanted)


def without_ending(name: str) -> str:
    """A key or file name without folders and without the ending of a structure file."""
    return _ENDING.sub("", name.replace("\\", "/").rsplit("/", 1)[-1])


def file_record(path: Path) -> dict[str, str]:
    """Name and sha256 of a file."""
    return {"name": path.name, "sha256": file_sha256(path)}


class StructureFolder:
    """Structure files by name, with or without their ending; never a file outside the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checksums: dict[str, str] = {}

    def find(self, key: str) -> Crystal:
        """Read the file of that name."""
        path = self._path(key)
        if path is None:
            raise InputError(
                key[:80] or "(no file named)", f"no such structure file in {self._folder}", "Name a file of that folder"
            )
        crystal = read_file(path, AS_PUBLISHED)
        self._checksums[str(path.relative_to(self._folder))] = file_record(path)["sha256"]
        return crystal

    def record(self) -> dict[str, str]:
        """Folder, number of files read, and one sha256 over their names and checksums."""
        lines = "".join(f"{name} {checksum}\n" for name, checksum in sorted(self._checksums.items()))
        return {
            "name": f"{self._folder.resolve().name}/ ({len(self._checksums)} structure files)",
            "sha256": sha256([lines.encode("utf-8", "surrogateescape")]),
        }

    def _path(self, key: str) -> Path | None:
        try:
            for ending in _ENDINGS:
                path = self._folder / f"{key}{ending}"
                if key and path.is_file():
                    return path if path.resolve().is_relative_to(self._folder.resolve()) else None
        except (OSError, ValueError):
            # Names that no file can have: too long, or with a null byte in them.
            pass
        return None


class StructureLines:
    """CIFs by id out of a file of JSON lines; each is read once, however many rows name it."""

    def __init__(self, path: Path, wanted: Collection[str] | None = None) -> None:
        self._path = path
        self._texts: dict[str, str] = {}
        self._read: dict[str, Crystal | InputError] = {}
        for number, record in _records(path):
            if wanted is not None and record["id"] not in wanted:
                continue
            if self._texts.setdefault(record["id"], record["cif"]) != record["cif"]:
                raise DataError(f"{path}: line {number} gives {record['id']} another structure. Give each id one line")

    def find(self, key: str) -> Crystal:
        """Read the CIF of that id."""
        if key not in self._texts:
            raise InputError(key[:80] or "(no id)", f"no structure of that id in {self._path.name}", "Add it there")
        if key not in self._read:
            try:
                self._read[key] = read_text(self._texts[key], key, fmt="cif", limits=AS_PUBLISHED)
            except InputError as error:
                self._read[key] = error
        result = self._read[key]
        if isinstance(result, InputError):
            raise result
        return result

    def record(self) -> dict[str, str]:
        """Name and sha256 of the file."""
        return file_record(self._path)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = total = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            # Never more than one line in memory, however much is packed inside.
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
                total += len(line)
                if len(line) > MAX_LINE:
                    raise DataError(f"{path}: line {number} has more than {MAX_LINE / 1e6:g} MB. Give one CIF a line")
                if total > MAX_UNPACKED:
                    raise DataError(f"{path}: it holds more than {MAX_UNPACKED / 1e6:g} MB. Give it in parts")
                if not line.strip():
                    continue
                record = json.loads(line)
                if not isinstance(record, dict) or not all(isinstance(record.get(k), str) for k in ("id", "cif")):
                    raise DataError(f'{path}: line {number} is not {{"id": …, "cif": …}}. Write one such object a line')
                yield number, record
    except FileNotFoundError:
        raise DataError(f"{path}: no such file or folder of structures. Check the path") from None
    except json.JSONDecodeError as error:
        raise DataError(f'{path}: line {number} is not JSON. Write one {{"id": …, "cif": …}} a line') from error
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise DataError(f"{path}: the structures cannot be read ({error}). Give JSON lines, gzipped or not") from error
