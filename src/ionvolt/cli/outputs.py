"""Checks that come before anything heavy is imported: is the data set there, may the model's folder be written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CARD_FILE = "card.json"
"""As ``models.storage.CARD_FILE``, which is too heavy to import for an answer at once."""

ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Replace the model that is in the folder; without it the command ends.")
]


def require_data(path: Path, *, or_folder: bool = False) -> None:
    """Raise ``DataError`` where there is no such data set; some recipes take a folder of tables instead."""
    from ionvolt.errors import DataError

    if path.is_dir() and or_folder:
        return
    if path.is_dir():
        raise DataError(f"{path}: it is a folder, no data set. Name a Parquet file (`ionvolt data import` makes one)")
    if not path.is_file():
        raise DataError(f"{path}: no such data set. Make one with `ionvolt data import`")


def free_stem(folder: Path, stem: str) -> str:
    """A name that no file in the folder begins with, up to its ending: ``stem``, else ``stem-2`` and so on."""
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    names = [stem, *(f"{stem}-{n}" for n in range(2, len(there) + 3))]
    return next(name for name in names if not any(other.startswith(name + ".") for other in there))


def require_free(folder: Path, replace: bool) -> None:
    """Raise ``InputError`` where a model is in the folder already and was not said to be replaced."""
    from ionvolt.errors import InputError

    if not replace and (folder / CARD_FILE).exists():
        raise InputError(str(folder), "a finished model is there", "Give another folder, or --replace")
