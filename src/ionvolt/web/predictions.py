"""Many structures and ions as pieces of work: each answer is told as it comes, and none spoils another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ionvolt.errors import InputError
from ionvolt.models.interface import NORMAL_90, widen
from ionvolt.web.costs import Costs, guessed_atoms
from ionvolt.web.problems import Problem
from ionvolt.web.requests import Asked

READ_SECONDS = 0.01


def nobody(kind: str, content: dict[str, Any]) -> None:
    """Takes what happens where nobody listens."""


@dataclass(eq=False)
class Run:
    """A question on its way.

    Attributes:
        client: Who asks.
        deadline: Time of the event loop when it must be answered.
        seconds: How long that is from its start.
        emit: Takes what happens: kind and content.
        total: Pieces in all.
        done: Of those, done.
        left: Estimated seconds of a worker that are left.
        spent: Estimated seconds of a worker for what is done.
    """

    client: str
    deadline: float
    seconds: float
    emit: Callable[[str, dict[str, Any]], None] = nobody
    total: int = 0
    done: int = 0
    left: float = 0.0
    spent: float = 0.0
    flow: object = field(default_factory=object)

    def past(self, pieces: int, seconds: float) -> None:
        """Take note of pieces that are done."""
        self.done += pieces
        self.spent += seconds
        self.left = max(0.0, self.left - seconds)

    def elapsed(self, now: float) -> float:
        """Seconds since its start."""
        return now - (self.deadline - self.seconds)


Ask = Callable[[dict[str, Any], Run, str, float], Awaitable[dict[str, Any]]]
"""Has a task done: the task, its run, for which model, and its cost. Raises ``Problem``."""

Fetch = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""A structure as a worker takes it. Raises ``Problem``."""


@dataclass(eq=False)
class Structure:
    """A structure whose ions are asked for.

    Attributes:
        asked: The whole question.
        index: Which of its structures.
        run: The question on its way.
        facts: Of the structure, once it is read.
        found: Predictions by ion.
        refused: Problems by ion.
        problem: What is wrong with all of it.
        doubts: Why no prediction for it is in the domain; None until that is known.
        added: What its forces add to intervals (``worker.relaxation``).
    """

    asked: Asked
    index: int
    run: Run
    facts: dict[str, Any] = field(default_factory=dict)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, Problem] = field(default_factory=dict)
    problem: Problem | None = None
    doubts: list[str] | None = None
    added: dict[str, Any] = field(default_factory=dict)

    async def answer(self, ask: Ask, fetch: Fetch, costs: Costs, width: int) -> None:
        """All of its ions; what goes wrong is kept, not raised.

        Args:
            ask: Has a piece of work done.
            fetch: Gets the structure.
            costs: What pieces cost.
            width: Ions at one time.
        """
        asked, ions = self.asked, self.asked.ions
        thought = costs.many(asked.model, ions, guessed_atoms(asked.structures[self.index]))
        try:
            given = await fetch(asked.structures[self.index])
            charged = None if asked.charged is None else await fetch(asked.charged)
            if len(ions) == 1 or not (asked.relaxes or costs.slow(asked.model)):
                # Who listens gets the voltage first; for others one turn does it all.
                first = self.run.emit is not nobody and not asked.relaxes
                task = asked.task("predict", given, ions, charged) | {"checks": asked.checks and not first}
                reply = await ask(task, self.run, asked.model, thought)
                self.run.past(len(ions), thought)
                self._read(reply)
                self._take(reply, ions)
                # A model that has no domain is asked for no doubts.
                if first and any(prediction["in_domain"] is not None for prediction in self.found.values()):
                    await self._check(given, charged, ask, costs)
            else:
                reply = await ask({"task": "read", "structure": given}, self.run, "read", READ_SECONDS)
                self.run.left += costs.many(asked.model, ions, reply["n_atoms"]) - thought
                self._read(reply)
                await self._ion_by_ion(reply["crystal"] | {"checked": True}, charged, ask, costs, width)
        except Problem as error:
            self.run.past(len(ions), thought)
            self.problem = error
            self.run.emit("problem", {"index": self.index, "problem": error.to_dict()})

    async def _ion_by_ion(
        self, crystal: dict[str, Any], charged: dict[str, Any] | None, ask: Ask, costs: Costs, width: int
    ) -> None:
        turn = asyncio.Semaphore(width)

        async def one(ion: str) -> None:
            cost = costs.one(self.asked.model, ion, self.facts["n_atoms"])
            async with turn:
                try:
                    reply = await ask(
                        self.asked.task("predict", crystal, [ion], charged) | {"checks": False},
                        self.run,
                        self.asked.model,
                        cost,
                    )
                except Problem as error:
                    self.refused[ion] = error
                    reply = {"predictions": [], "ions_refused": []}
                self.run.past(1, cost)
                self._take(reply, [ion])

        # Whether it is relaxed is told soon, but after the first voltage.
        answers = [one(ion) for ion in self._in_order()]
        await asyncio.gather(*answers[:width], self._check(crystal, charged, ask, costs), *answers[width:])

    async def _check(self, structure: dict[str, Any], charged: dict[str, Any] | None, ask: Ask, costs: Costs) -> None:
        """Whether the structures are relaxed, once for all ions; where that cannot be told, nothing is said."""
        if not self.asked.checks:
            self.doubts = []
            return
        task = {"task": "relaxation", "structure": structure, "charged": charged}
        try:
            reply = await ask(task, self.run, "relaxation", costs.one("relaxation", "", guessed_atoms(structure)))
            self.doubts, self.added = reply["doubts"], reply["added"]
        except Problem:
            self.doubts = []
        if self.doubts or any(self.added.get("half_widths", {}).values()):
            told = [self._checked(ion) for ion in self.asked.ions if ion in self.found]
            self.run.emit("doubts", {"index": self.index, "doubts": self.doubts, "predictions": told})

    def _in_order(self) -> list[str]:
        """The ion asked for first, then those that the structure holds, then the others."""
        holds = self.facts["holds"]
        return sorted(self.asked.ions, key=lambda ion: (ion != self.asked.first, ion not in holds))

    def _read(self, reply: dict[str, Any]) -> None:
        self.facts = {key: reply[key] for key in ("formula", "n_atoms", "holds")}
        self.run.emit("structure", {"index": self.index, "name": self.name} | self.facts)

    def _take(self, reply: dict[str, Any], ions: Sequence[str]) -> None:
        for prediction in reply["predictions"]:
            self.found[prediction["working_ion"]] = prediction
        for entry in reply["ions_refused"]:
            self.refused[entry["working_ion"]] = Problem("refused", InputError(**entry["refused"]))
        for ion in ions:
            about = {"index": self.index, "working_ion": ion}
            if ion in self.found:
                self.run.emit("prediction", about | {"prediction": self._checked(ion)})
            elif ion in self.refused:
                self.run.emit("refused", about | {"problem": self.refused[ion].to_dict()})

    @property
    def name(self) -> str:
        """As the user gave it."""
        return str(self.asked.structures[self.index]["name"])

    @property
    def error(self) -> Problem | None:
        """What stands in the place of all predictions, if nothing else does."""
        if self.problem is not None or self.found:
            return self.problem
        return next((self.refused[ion] for ion in self.asked.ions if ion in self.refused), None)

    def entry(self) -> dict[str, Any]:
        """What is known by now, as plain JSON types."""
        found = {"index": self.index, "name": self.name}
        if error := self.error:
            return found | {"problem": error.to_dict()}
        ions = self.asked.ions
        refused = [{"working_ion": ion, "problem": self.refused[ion].to_dict()} for ion in ions if ion in self.refused]
        predictions = [self._checked(ion) for ion in ions if ion in self.found]
        return found | self.facts | {"predictions": predictions, "refused": refused}

    def _checked(self, ion: str) -> dict[str, Any]:
        return _checked(self.found[ion], self.doubts or [], self.added)


def _checked(prediction: dict[str, Any], doubts: list[str], added: dict[str, Any]) -> dict[str, Any]:
    """A prediction after the check of its structures: the intervals are wider, and doubts lead out of the domain."""
    if prediction["in_domain"] is None:
        return prediction
    words = list(doubts)
    found: dict[str, Any] = {"in_domain": prediction["in_domain"] and not doubts}
    extra = added.get("half_widths", {}).get(prediction["end_members"], 0.0)
    if extra and prediction["voltage_measured"] is not None:
        ends = prediction["voltage_measured_lower"], prediction["voltage_measured_upper"]
        lower, upper, _ = widen(*ends, extra, added["strain"])
        found |= {"voltage_measured_lower": lower, "voltage_measured_upper": upper}
    if extra and prediction["voltage_lower"] is not None:
        lower, upper, note = widen(prediction["voltage_lower"], prediction["voltage_upper"], extra, added["strain"])
        found |= {"voltage_lower": lower, "voltage_upper": upper, "voltage_std": (upper - lower) / 2 / NORMAL_90}
        words += [] if note is None else [note]
    return prediction | found | {"warnings": [*prediction["warnings"], *words]}


async def answer_all(asked: Asked, run: Run, structures: Sequence[Structure], ask: Ask, fetch: Fetch, costs: Costs,
                     workers: int) -> None:  # fmt: skip
    """All structures; where there are many, the first ion of each comes before the second of any."""
    width = max(1, -(-(workers + 1) // len(structures)))
    run.total += len(structures) * len(asked.ions)
    run.left += expected(asked, costs)
    await asyncio.gather(*(structure.answer(ask, fetch, costs, width) for structure in structures))


def expected(asked: Asked, costs: Costs) -> float:
    """Seconds of a worker that a question is thought to take."""
    return sum(costs.many(asked.model, asked.ions, guessed_atoms(structure)) for structure in asked.structures)
