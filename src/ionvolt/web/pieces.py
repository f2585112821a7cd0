"""Having pieces of work done by workers, and what is said where that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ionvolt.errors import InputError, ModelError, UnavailableError
from ionvolt.structures.materials_project import check_id, require_key
from ionvolt.web.costs import Costs
from ionvolt.web.metrics import Metrics
from ionvolt.web.pool import NoWorker, Pool, TaskTimeout, WorkerLost
from ionvolt.web.predictions import Run
from ionvolt.web.problems import Problem, problem
from ionvolt.web.remembered import Remembered, key_of
from ionvolt.web.settings import Settings
from ionvolt.web.template import Template

WORKER, FETCHER = "ionvolt.web.worker", "ionvolt.web.fetcher"
"""Modules of the processes; the server itself loads no model and imports no torch."""

AS_JOB = "Ask for it as a job (POST /api/v1/jobs), or for fewer structures or ions at a time"

GIVES_WAY, BACKGROUND = 3, 10
"""Niceness of the workers, and of those for what takes minutes: spare ones have a core when they need one."""

BUSY = 10.0
"""On a busy machine a piece of work may take so many times its seconds, as long as it has not had the processor."""

PATIENT = 8.0
"""A piece of work may take so many times what it is thought to take."""


class Pieces:
    """The workers, and the process that asks the Materials Project.

    Attributes:
        settings: How the server behaves.
        metrics: Counts what becomes of pieces.
        costs: What they cost.
        pool: Workers for short pieces.
        long: Workers for what takes minutes: they give way to others, and each piece has one of its own.
        remembered: Answers of slow models of a while ago.
        fetchers: The process that asks the Materials Project, started when it is first needed.
    """

    def __init__(self, settings: Settings, metrics: Metrics, costs: Costs, folders: dict[str, str]) -> None:
        self.settings = settings
        self.metrics = metrics
        self.costs = costs
        self.template = Template(f"{WORKER}:prepare", (folders, settings.limits, settings.worker_memory), (WORKER,))
        self.pool = Pool(self.template, settings.workers, spare=1, niceness=GIVES_WAY)
        self.long = Pool(self.template, max(1, settings.workers // 2), niceness=BACKGROUND, fresh=True)
        self.remembered = Remembered(settings.max_remembered, settings.keep_seconds)
        self.fetchers = Pool(Template(f"{FETCHER}:prepare", (settings.endpoint, settings.limits), (WORKER,)), 1)
        self._fetching: asyncio.Task[None] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What the workers say of themselves; nothing before they are ready."""
        return self.template.facts

    async def start(self) -> None:
        """Start the workers.

        Raises:
            ModelError: They cannot be.
        """
        await self.pool.start()
        await self.long.start()

    def close(self) -> None:
        """End all processes."""
        for pool in (self.pool, self.long, self.fetchers):
            pool.close()
            pool.template.close()

    async def ask(self, task: dict[str, Any], run: Run, cost_of: str, cost: float) -> dict[str, Any]:
        """Have a short piece of work done.

        Args:
            task: For a worker.
            run: The question that it belongs to.
            cost_of: What its cost is that of: a model, or another kind of work.
            cost: Seconds that it is thought to take.

        Raises:
            Problem: It was refused, or it was not done in time.
        """
        key = key_of(task) if self.costs.slow(cost_of) else None
        known = None if key is None else self.remembered.find(key)
        if known is not None:
            return known
        return await self._ask(self.pool, task, run, cost_of, cost, self.settings.longest_seconds, key=key)

    async def ask_long(
        self,
        task: dict[str, Any],
        run: Run,
        cost_of: str,
        cost: float,
        heard: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Have a piece of work done that takes minutes; ``heard`` is called with what it tells on the way."""
        return await self._ask(self.long, task, run, cost_of, cost, self.settings.long_seconds, heard)

    async def _ask(
        self,
        pool: Pool,
        task: dict[str, Any],
        run: Run,
        cost_of: str,
        cost: float,
        longest: float,
        heard: Callable[[dict[str, Any]], None] | None = None,
        key: bytes | None = None,
    ) -> dict[str, Any]:
        name = task["structure"]["name"]
        left = run.deadline - asyncio.get_running_loop().time()
        over = problem("time-limit", name, f"the {run.seconds:g} s of the request were over before its turn", AS_JOB)
        if left <= 0:
            raise over
        seconds = float(f"{min(longest, max(self.settings.task_seconds, PATIENT * cost)):.2g}")
        spent: list[float] = []
        try:
            reply = await pool.run(
                task,
                min(seconds, left),
                stretch=max(1.0, min(BUSY, left / seconds)),
                patience=left,
                client=run.client,
                flow=run.flow,
                cost=cost,
                took=spent.append,
                heard=heard,
                known=(lambda: None) if key is None else (lambda: self.remembered.find(key)),
            )
        except NoWorker:
            raise over from None
        except TaskTimeout:
            self.metrics.count("timeout")
            self.costs.learn(cost_of, cost, spent[0])
            if left <= seconds:
                raise over from None
            raise _too_slow(name, seconds, task.get("ions", [])) from None
        except WorkerLost:
            self.metrics.count("lost")
            remedy = "Try again; if it happens again, the structure does it"
            raise problem("worker-lost", name, "its worker process died", remedy) from None
        if "refused" in reply:
            self.metrics.count("refused")
            raise Problem("refused", InputError(**reply["refused"]))
        if spent:
            self.costs.learn(cost_of, cost, spent[0])
        if key is not None:
            self.remembered.keep(key, reply)
        self.metrics.count("answered")
        return reply

    async def fetch(self, structure: dict[str, Any]) -> dict[str, Any]:
        """A structure as a worker takes it.

        Raises:
            Problem: There is none of the name, or the Materials Project cannot be asked.
        """
        if "problem" in structure:
            raise structure["problem"]
        return await self._from_materials_project(structure["mp_id"]) if "mp_id" in structure else structure

    async def _from_materials_project(self, mp_id: str) -> dict[str, Any]:
        try:
            mp_id = check_id(mp_id)
        except InputError as error:
            raise Problem("refused", error) from None
        return await self._ask_materials_project({"mp_id": mp_id}, mp_id)

    async def search(self, formula: str) -> list[dict[str, Any]]:
        """Materials of a formula.

        Raises:
            Problem: It is none, or the Materials Project cannot be asked.
        """
        reply = await self._ask_materials_project({"formula": formula}, formula)
        found: list[dict[str, Any]] = reply["materials"]
        return found

    async def _ask_materials_project(self, task: dict[str, Any], name: str) -> dict[str, Any]:
        try:
            key = require_key(name)
        except UnavailableError as error:
            raise Problem("unavailable", error) from None
        seconds = self.settings.fetch_seconds
        try:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self.fetchers.start())
            await asyncio.shield(self._fetching)
            reply = await self.fetchers.run(task | {"key": key}, seconds, patience=seconds)
        except (NoWorker, TaskTimeout, WorkerLost, ModelError):
            rule = f"the Materials Project does not answer within {seconds:g} s"
            raise problem("unavailable", name, rule, "Try again later, or give a CIF") from None
        if "refused" in reply:
            raise Problem(reply["kind"], InputError(**reply["refused"]))
        return reply


def _too_slow(name: str, seconds: float, ions: list[str]) -> Problem:
    """A time-out is no refusal: nothing is wrong with the structure."""
    what = f"its answer for {', '.join(ions)}" if 0 < len(ions) <= 3 else "its answer"
    rule = f"{what} took longer than the {seconds:g} s that this server gives"
    remedy = "Give the primitive cell, choose the model cgcnn-mp2020, or run ionvolt predict on a machine of your own"
    return problem("time-limit", name, rule, remedy)
