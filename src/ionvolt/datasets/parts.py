"""What a fetch has brought so far, beside the file that it will become: a killed one goes on from there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ionvolt.errors import DataError
from ionvolt.store import write_json

_STATE = "fetch.json"
_FORMAT = 1


class FetchedParts:
    """A folder of JSON lines, only ever added to.

    A line that a kill left unfinished is cut off when the folder is opened again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, state: dict[str, str]) -> str | None:
        """Go on with the folder if it was begun under the same state, else begin anew.

        Args:
            state: What parts have to agree in, such as the version of the database.

        Returns:
            What the state was if earlier parts had to go, else None.

        Raises:
            DataError: The folder is none of a fetch; nothing in it is touched.
        """
        wanted: dict[str, Any] = {"format": _FORMAT, **state}
        before: dict[str, Any] | None = None
        if self.folder.exists():
            try:
                before = json.loads((self.folder / _STATE).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                if not self.folder.is_dir() or any(self.folder.iterdir()):
                    raise DataError(
                        f"{self.folder}: it is in the way and holds no earlier fetch. Move it or choose another output"
                    ) from error
            if before == wanted:
                for path in self.folder.glob("*.jsonl"):
                    _cut_unfinished(path)
                return None
            self.remove()
        self.folder.mkdir(parents=True)
        write_json(self.folder / _STATE, wanted)
        return ", ".join(f"{k} {v}" for k, v in before.items() if k in state) if isinstance(before, dict) else None

    def add(self, name: str, records: Iterable[dict[str, Any]]) -> None:
        """Append records to one of the files."""
        text = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        with (self.folder / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(text)

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """All records of one of the files, in the order in which they came."""
        path = self.folder / f"{name}.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _cut_unfinished(path: Path) -> None:
    """Cut off what follows the last line break."""
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)
