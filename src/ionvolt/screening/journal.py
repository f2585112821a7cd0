"""What has been done of a shard that is not finished.

Each worker that claims a shard writes a file of its own, one line for every chunk of units that is done, so that no
two ever write into one file. Whoever claims the shard next reads all of them. A line that a crash or a full disk cut
off is dropped, and with it what came after.

A chunk is announced before it is begun. Units that were announced and never done, more than once, are what ends the
worker: they are tried alone and at last given up.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ionvolt.errors import DataError
from ionvolt.screening.records import Row, to_line

MOST_ATTEMPTS = 3
"""Times that a process may end at a unit before it is given up."""


@dataclass
class Done:
    """What the journals of a shard hold.

    Attributes:
        rows: Rows of the units that are done.
        attempts: How often a process ended at a unit that was never done.
    """

    rows: dict[int, list[Row]] = field(default_factory=dict)
    attempts: Counter[int] = field(default_factory=Counter)


class Journal:
    """The journal that one worker writes for one shard."""

    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path = target.with_name(f"{target.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}.journal")
        self._file = self.path.open("xb", buffering=0)

    def begin(self, units: Sequence[int]) -> None:
        """Announce units."""
        self._write(to_line({"begin": list(units)}))

    def done(self, rows: Mapping[int, Sequence[Row]]) -> None:
        """Note the rows of units."""
        self._write(to_line({"done": {str(unit): list(found) for unit, found in rows.items()}}))

    def close(self) -> None:
        """End it on purpose: what was announced and not done did not end the worker."""
        with contextlib.suppress(DataError):
            self._write(to_line({"closed": True}))
        self._file.close()

    def _write(self, line: bytes) -> None:
        try:
            written = self._file.write(line)
        except OSError as error:
            raise _no_space(self.path, error.strerror or str(error)) from error
        if written != len(line):
            raise _no_space(self.path, "only a part of a line was taken")


@contextmanager
def journal(target: Path) -> Iterator[Journal]:
    """A journal for a shard; closed at the end, whatever ends it, but for the death of the process."""
    try:
        opened = Journal(target)
    except OSError as error:
        raise _no_space(target, error.strerror or str(error)) from error
    try:
        yield opened
    finally:
        opened.close()


def read_journals(target: Path) -> Done:
    """What all journals of a shard hold; of a unit that was done twice, the rows that stand first."""
    found = Done()
    for path in journals_of(target):
        with contextlib.suppress(OSError):
            _read(path.read_bytes(), found)
    for unit in found.rows:
        found.attempts.pop(unit, None)
    return found


def journals_of(target: Path) -> list[Path]:
    """All journals of a shard."""
    return sorted(target.parent.glob(f"{target.stem}.*.journal"))


def remove_journals(target: Path) -> None:
    """Remove them once the shard's table is there."""
    for path in journals_of(target):
        path.unlink(missing_ok=True)


def keep_rows(target: Path, rows: Mapping[int, Sequence[Row]]) -> None:
    """A journal that holds rows of a table which is to be done anew in part."""
    with journal(target) as opened:
        opened.done(rows)


def _read(content: bytes, found: Done) -> None:
    begun: set[int] = set()
    for line in content.split(b"\n")[:-1]:  # what has no line break at its end was cut off
        try:
            entry = json.loads(line)
            if "begin" in entry:
                begun |= set(entry["begin"])
            elif "done" in entry:
                for unit, rows in entry["done"].items():
                    found.rows.setdefault(int(unit), rows)
                    begun.discard(int(unit))
            elif "closed" in entry:
                begun.clear()
        except (ValueError, TypeError, AttributeError):
            break
    found.attempts.update(begun)


def _no_space(path: Path, reason: str) -> DataError:
    return DataError(f"{path}: it cannot be written ({reason}). Make room, then give the same command: it goes on")
