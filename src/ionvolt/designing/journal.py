"""The folder of a design: its plan, and one record for each candidate that was relaxed, so that a run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.designing.assessment import Relaxed
from ionvolt.designing.records import Candidate
from ionvolt.errors import InputError
from ionvolt.physics.cache import key
from ionvolt.store import is_trace, write_json
from ionvolt.structures.crystal import Crystal

PLAN, RECORDS = "plan.json", "records"


class Journal:
    """What is known already; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Write the plan, or hold it against the one that is there.

        Raises:
            InputError: Another design is in the folder, or other files.
        """
        if self.folder is None:
            return
        path = self.folder / PLAN
        if not path.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or _foreign(self.folder)):
                raise InputError(str(self.folder), "it holds other files", "Name a new folder with -o")
            write_json(path, plan)
            return
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(str(path), "it cannot be read", "Remove the folder, or name another one") from error
        wrong = [name for name in plan if not isinstance(before, dict) or before.get(name) != plan[name]]
        if wrong:
            name = wrong[0]
            was = before.get(name) if isinstance(before, dict) else None
            raise InputError(
                str(self.folder),
                f"it was begun with another {name.replace('_', ' ')} ({_short(was)}, now {_short(plan[name])})",
                "Name another folder, or repeat the command as it was; relaxations are remembered in the cache",
            )

    def load(self, candidate: Candidate) -> Relaxed | InputError | None:
        """What became of a candidate; None where it was not relaxed yet or the record cannot be read."""
        if self.folder is None:
            return None
        try:
            content = json.loads(self._path(candidate).read_text(encoding="utf-8"))
            return InputError(*content["refused"]) if "refused" in content else _from_json(content)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, candidate: Candidate, found: Relaxed | InputError) -> None:
        """Keep what became of a candidate."""
        if self.folder is None:
            return
        if isinstance(found, InputError):
            content: dict[str, Any] = {"refused": [found.source, found.rule, found.remedy]}
        else:
            content = _to_json(found)
        write_json(self._path(candidate), content)

    def _path(self, candidate: Candidate) -> Path:
        assert self.folder is not None
        return self.folder / RECORDS / f"{key(candidate.crystal, 'design', candidate.out)}.json"


def _foreign(folder: Path) -> bool:
    """Whether a folder without a plan holds anything but what a run that was killed at once leaves."""
    return any(not is_trace(path) for path in folder.iterdir())


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _to_json(found: Relaxed) -> dict[str, Any]:
    content = {field.name: getattr(found, field.name) for field in fields(found)}
    for name in ("discharged", "charged"):
        crystal = content[name]
        content[name] = {
            "lattice": crystal.lattice.tolist(),
            "numbers": crystal.numbers.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "source": crystal.source,
        }
    return content | {"warnings": list(found.warnings)}


def _from_json(content: dict[str, Any]) -> Relaxed:
    for name in ("discharged", "charged"):
        c = content[name]
        content[name] = Crystal(
            np.array(c["lattice"]), np.array(c["numbers"]), np.array(c["frac_coords"]).reshape(-1, 3), c["source"]
        )
    with suppress(KeyError):
        content["warnings"] = tuple(content["warnings"])
    return Relaxed(**content)
