"""Structures that a command was given: are they there at all, and the one where one was asked for."""

from __future__ import annotations

import glob
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionvolt.structures import Crystal

_ID = re.compile(r"(mp|mvc)-(\d+|[a-z]+)")
"""As ``structures.materials_project.is_id``, which is too heavy to import for an answer at once."""


def require_inputs(files: Sequence[str]) -> None:
    """End with code 2, a line for each, where none of the files is there; nothing heavy is imported for that."""
    from ionvolt.errors import InputError, printable

    missing = [given for given in files if not _is_there(given)]
    if len(missing) < len(files):
        return
    errors = [
        InputError(printable(given), "no file matches the pattern", "Check the pattern")
        if glob.has_magic(given)
        else InputError(printable(given), "no such file or folder", "Check the path")
        for given in missing
    ]
    for error in errors[:-1]:
        print(f"ionvolt: {error}", file=sys.stderr)
    raise errors[-1]


def _is_there(given: str) -> bool:
    try:
        if given == "-" or _ID.fullmatch(given) or Path(given).exists() or Path(given.rpartition("#")[0]).is_file():
            return True
        return glob.has_magic(given) and next(glob.iglob(given, recursive=True), None) is not None  # noqa: PTH207
    except (OSError, ValueError):
        return False


def only(file: str) -> Crystal:
    """The one structure of a file.

    Raises:
        InputError: It cannot be used, or there are several.
    """
    require_inputs([file])
    from ionvolt.errors import InputError
    from ionvolt.structures import read_many

    found = list(read_many([file]))
    if len(found) != 1:
        raise InputError(file, f"{len(found)} structures", "Give one file")
    if isinstance(found[0], InputError):
        raise found[0]
    return found[0]


def exit_code(answered: int, refused: int) -> int:
    """0: all was answered; 1: some were refused; 2: nothing was answered."""
    return 0 if not refused else 1 if answered else 2
