"""Answers to questions, with the help of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ionvolt.errors import InputError, ModelError
from ionvolt.ions import parse_ions
from ionvolt.models.card import ModelCard
from ionvolt.models.registry import AUTO, PAPER_MODEL, SHIPPED, auto_card, load_folder, shipped_models
from ionvolt.structures.materials_project import UnavailableError, check_id, require_key
from ionvolt.web import fetcher, worker
from ionvolt.web.metrics import Metrics
from ionvolt.web.pool import NoWorker, Pool, TaskTimeout, WorkerLost
from ionvolt.web.problems import Problem, problem
from ionvolt.web.requests import Question
from ionvolt.web.settings import Settings


class Service:
    """Predictions and explanations.

    Attributes:
        settings: How the server behaves.
        folders: Model folders by name, the default first. ``auto`` has none of its own: it stands for its name.
        cards: Their cards.
        pool: The workers.
        fetchers: The process that asks the Materials Project, started when it is first needed.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.folders = dict(settings.models) or _shipped()
        if not self.folders:
            raise ModelError("no model comes with this IonVolt. Name a model's folder: --model FOLDER")
        self.cards = {name: _card(name, folder) for name, folder in self.folders.items()}
        self.pool = Pool(
            worker.main,
            ({name: str(folder) for name, folder in self.folders.items()}, settings.limits, settings.worker_memory),
            settings.workers,
            preload=(worker.__name__,),
        )
        self.fetchers = Pool(fetcher.main, (settings.endpoint, settings.limits), 1, preload=(worker.__name__,))
        self._fetching: asyncio.Task[None] | None = None
        self.active = 0

    @property
    def default_model(self) -> str:
        """The model that answers where none is named."""
        return next(iter(self.folders))

    def models(self) -> list[dict[str, Any]]:
        """What the server answers with."""
        return [
            {
                "name": name,
                "description": card.description,
                "ions": self.pool.ready.get(name, {}).get("ions", list(card.ions)),
                "local_ions": self.pool.ready.get(name, {}).get("local_ions", []),
                "n_members": card.n_members,
                "default": name == self.default_model,
                "errors": {ion: _errors(facts) for ion, facts in card.ions.items()},
            }
            for name, card in self.cards.items()
        ]

    async def predict(self, question: Question) -> list[dict[str, Any]]:
        """One entry for each structure, in order.

        Raises:
            Problem: The ions or the model are not known, the server is busy, or the only structure was refused.
        """
        with self._admitted():
            task = self._task("predict", question)
            deadline = asyncio.get_running_loop().time() + self.settings.request_seconds
            turn = asyncio.Semaphore(self.settings.workers)

            async def one(index: int, structure: dict[str, Any]) -> dict[str, Any]:
                entry = {"index": index, "name": structure["name"]}
                async with turn:
                    try:
                        return entry | await self._run(task | {"structure": structure}, deadline)
                    except Problem as error:
                        if len(question.structures) == 1:
                            raise
                        return entry | {"problem": error.to_dict()}

            results = await asyncio.gather(*(one(i, s) for i, s in enumerate(question.structures)))
        return list(results)

    async def explain(self, question: Question) -> dict[str, Any]:
        """Explanations of the only structure and its CIF.

        Raises:
            Problem: It was refused, or the server is busy.
        """
        with self._admitted():
            task = self._task("explain", question)
            deadline = asyncio.get_running_loop().time() + self.settings.request_seconds
            return await self._run(task | {"structure": question.structures[0]}, deadline)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self.active >= self.settings.max_requests:
            raise problem("overloaded", "request", "too many requests at one time", "Try again soon")
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1

    def _task(self, kind: str, question: Question) -> dict[str, Any]:
        model = question.model or self.default_model
        if kind == "explain" and model in self.folders:
            model = self._explainer(model)
        if model not in self.folders:
            shown = ascii(model[:60])[1:-1]
            raise problem("refused", shown, "no such model", f"Choose from {', '.join(self.folders)}")
        known = self.pool.ready[model]["ions" if kind == "predict" else "local_ions"]
        try:
            ions = [ion.symbol for ion in parse_ions(question.ions)]
        except InputError as error:
            raise Problem("refused", error) from None
        if question.ions.strip().lower() == "all":
            ions = [ion for ion in ions if ion in known]
        missing = [ion for ion in ions if ion not in known]
        if missing or not ions:
            head = "head" if kind == "predict" else "local-voltage head"
            rule = f"no {head} for {', '.join(missing) or 'any ion'}"
            raise problem("refused", model, rule, f"Choose from {', '.join(known) or 'other models'}")
        return {"task": kind, "ions": ions, "assume": question.assume, "model": model}

    def _explainer(self, model: str) -> str:
        """The model that has local voltages: the one asked for, else the first that does."""
        able = [name for name in (model, *self.folders) if self.pool.ready[name]["local_ions"]]
        return able[0] if able else model

    async def _run(self, task: dict[str, Any], deadline: float) -> dict[str, Any]:
        structure = task["structure"]
        if "problem" in structure:
            raise structure["problem"]
        name = structure["name"]
        if "mp_id" in structure:
            task = task | {"structure": await self._fetch(structure["mp_id"])}
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            rule = f"the request takes more than {self.settings.request_seconds:g} s"
            raise problem("time-limit", name, rule, "Send fewer structures at a time")
        seconds = self.settings.task_seconds
        try:
            reply = await self.pool.run(task, seconds, patience=left)
        except NoWorker:
            raise problem("overloaded", name, "no worker was free in time", "Try again soon") from None
        except TaskTimeout:
            self.metrics.count("timeout")
            raise problem("time-limit", name, f"it takes more than {seconds:g} s", "Give a smaller cell") from None
        except WorkerLost:
            self.metrics.count("lost")
            raise problem("worker-lost", name, "its worker process died", "Try again; if it happens again, "
                          "the structure does it") from None  # fmt: skip
        if "refused" in reply:
            self.metrics.count("refused")
            raise Problem("refused", InputError(**reply["refused"]))
        self.metrics.count("answered")
        return reply

    async def _fetch(self, mp_id: str) -> dict[str, Any]:
        try:
            mp_id = check_id(mp_id)
            key = require_key(mp_id)
        except InputError as error:
            raise Problem("unavailable" if isinstance(error, UnavailableError) else "refused", error) from None
        seconds = self.settings.fetch_seconds
        try:
            if self._fetching is None:
                self._fetching = asyncio.create_task(self.fetchers.start())
            await asyncio.shield(self._fetching)
            reply = await self.fetchers.run({"mp_id": mp_id, "key": key}, seconds, patience=seconds)
        except (NoWorker, TaskTimeout, WorkerLost, ModelError):
            rule = f"the Materials Project does not answer within {seconds:g} s"
            raise problem("unavailable", mp_id, rule, "Try again later, or give a CIF") from None
        if "refused" in reply:
            raise Problem(reply["kind"], InputError(**reply["refused"]))
        return reply

    def close(self) -> None:
        """End all processes."""
        self.pool.close()
        self.fetchers.close()


def _shipped() -> dict[str, Path]:
    """The fast model first: it answers those who name none. The page asks for the best one."""
    names = sorted(shipped_models(), key=lambda name: (name != PAPER_MODEL, name))
    found = {name: SHIPPED / name for name in names}
    return found | {AUTO: Path(AUTO)} if auto_card() else found


def _card(name: str, folder: Path) -> ModelCard:
    best = auto_card() if name == AUTO else None
    return best or load_folder(folder).card


def _errors(facts: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean absolute and root mean square error (V) on held-out electrodes, by protocol."""
    network = "transfer" if facts.get("mode") == "head" else "network"
    measured = facts.get("errors")
    found = {}
    for protocol, entry in measured.items() if isinstance(measured, dict) else ():
        numbers = entry.get(network, entry)
        if "mae_low" in numbers:
            found[protocol] = {key: numbers[key] for key in ("n", "mae", "mae_low", "mae_high", "rmse")}
    return found
