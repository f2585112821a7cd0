"""What the tasks of a worker share."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ionvolt.ions import WORKING_IONS
from ionvolt.models.interface import Predictor
from ionvolt.structures import Crystal, DisorderedCrystal, Limits, check, read_text
from ionvolt.structures.crystal import SYMBOLS
from ionvolt.structures.formulas import formula_of
from ionvolt.web.link import Link, Message


@dataclass(frozen=True)
class Workshop:
    """What a task needs.

    Attributes:
        models: By name.
        limits: Bounds on a structure.
        link: Takes progress.
    """

    models: Mapping[str, Predictor]
    limits: Limits
    link: Link

    def crystal(self, task: Message) -> Crystal:
        """The structure of a task."""
        return crystal_of(task["structure"], self.limits)

    def charged(self, task: Message) -> Crystal | None:
        """The charged structure of a task, if there is one."""
        return crystal_of(task["charged"], self.limits) if task.get("charged") else None

    def log(self, words: str) -> None:
        """Say what begins."""
        self.link.report({"text": words})


def facts_of(crystal: Crystal) -> Message:
    """What is told of a structure as soon as it is read."""
    held = set(crystal.symbols)
    return {"formula": crystal.formula, "n_atoms": len(crystal), "holds": [ion for ion in WORKING_IONS if ion in held]}


def facts_of_disordered(crystal: DisorderedCrystal) -> Message:
    """The same of a crystal with partly filled sites; ``n_atoms`` counts sites."""
    amounts: dict[int, float] = {}
    for site in crystal.sites:
        for number, occupancy in site.items():
            amounts[number] = amounts.get(number, 0.0) + occupancy
    held = {SYMBOLS[number] for number in amounts}
    holds = [ion for ion in WORKING_IONS if ion in held]
    return {"formula": formula_of(amounts), "n_atoms": len(crystal), "holds": holds}


def crystal_of(given: Message, limits: Limits) -> Crystal:
    """A structure as it travels: text, bytes, or one that was read before."""
    name = str(given["name"])
    if "text" in given:
        return read_text(str(given["text"]), name, limits=limits)
    if "base64" in given:
        return read_text(base64.b64decode(given["base64"]), name, limits=limits)
    lattice, numbers, places = (np.array(given[key]) for key in ("lattice", "numbers", "frac_coords"))
    notes = (tuple(given["warnings"]), tuple(given.get("doubts", ())))
    crystal = Crystal(lattice, numbers, places, name, *notes)
    return crystal if given.get("checked") else check(crystal, limits)
