"""Answers to questions, with the help of workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ionvolt.errors import InputError
from ionvolt.ions import parse_ions, working_ion
from ionvolt.structures.materials_project import find_key
from ionvolt.web.admission import Admission
from ionvolt.web.catalogue import card_of, described, model_folders
from ionvolt.web.costs import Costs, guessed_atoms
from ionvolt.web.jobs import Job, Jobs
from ionvolt.web.landscape import landscape, read_table
from ionvolt.web.metrics import Metrics
from ionvolt.web.pieces import AS_JOB, Pieces
from ionvolt.web.predictions import READ_SECONDS, Run, Structure, answer_all, expected
from ionvolt.web.problems import Problem, problem
from ionvolt.web.requests import Asked, Question
from ionvolt.web.settings import Settings

FORMATS_SECONDS = 0.05
OTHER_COSTS = {name: name for name in ("read", "relaxation", "compute", "profile", "order", "design")} | {
    "structures": "read"
}


class Service:
    """Predictions, explanations, computations.

    Attributes:
        settings: How the server behaves.
        folders: Model folders by name, the default first.
        cards: Their cards.
        costs: What answers cost.
        pieces: The workers.
        admission: Who may ask for how much.
        jobs: Long work.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        if settings.landscape is not None:
            read_table(settings.landscape)  # said at the start if it is none
        self.folders = model_folders(settings.models)
        self.cards = {name: card_of(name, folder) for name, folder in self.folders.items()}
        self.costs = Costs({name: card.kind for name, card in self.cards.items()} | OTHER_COSTS)
        self.pieces = Pieces(settings, metrics, self.costs, {name: str(path) for name, path in self.folders.items()})
        self.admission = Admission(settings, self.pieces.pool.turns)
        self.jobs = Jobs(settings)

    @property
    def default_model(self) -> str:
        """The model that answers where none is named."""
        return next(iter(self.folders))

    def models(self) -> list[dict[str, Any]]:
        """What the server answers with."""
        return [
            {"name": name, "default": name == self.default_model} | described(card, self._facts(name))
            for name, card in self.cards.items()
        ]

    def examples(self) -> list[dict[str, Any]]:
        """Bundled crystals."""
        found: list[dict[str, Any]] = self.pieces.facts["examples"]
        return found

    @property
    def has_materials_project(self) -> bool:
        """Whether there is a key, so that ids and formulas can be asked for."""
        return find_key() is not None

    async def search(self, formula: str, client: str) -> list[dict[str, Any]]:
        """Materials of a formula.

        Raises:
            Problem: It is none, the Materials Project cannot be asked, or the server is busy.
        """
        with self.admission.request(client):
            return await self.pieces.search(formula)

    def landscape(self, ion: str) -> dict[str, Any]:
        """Known electrodes of an ion.

        Raises:
            Problem: There is no such ion.
        """
        try:
            symbol = working_ion(ion).symbol
        except InputError as error:
            raise Problem("refused", error) from None
        return landscape(symbol, self.pieces.facts["measured"][symbol], self.settings.landscape)

    def _facts(self, model: str) -> dict[str, Any]:
        found: dict[str, Any] = self.pieces.facts.get("models", {}).get(model, {})
        return found

    async def predict(self, question: Question, client: str) -> list[dict[str, Any]]:
        """One entry for each structure, in order.

        Raises:
            Problem: The ions or the model are not known, the server is busy, the answer would take too long, or the
                only structure was refused.
        """
        asked = self._asked("predict", question)
        with self.admission.request(client):
            self._refuse_what_is_too_long(asked)
            self.admission.begin(client, asked.pieces)
            try:
                run = self._run(client, self.settings.request_seconds)
                structures = [Structure(asked, index, run) for index in range(len(asked.structures))]
                await self._answer_all(asked, run, structures)
            finally:
                self.admission.end(client, asked.pieces)
        if len(structures) == 1 and (error := structures[0].error):
            raise error
        return [structure.entry() for structure in structures]

    def start_predict(self, question: Question, client: str, size: int, *, attended: bool) -> Job:
        """The same as a job.

        Raises:
            Problem: The ions or the model are not known, or the client or the server has too much to do.
        """
        asked = self._asked("predict", question)

        async def work(job: Job) -> None:
            run = self._run(client, self.settings.job_seconds)
            structures = [Structure(asked, index, run) for index in range(len(asked.structures))]
            results = job.outcome["results"] = [structure.entry() for structure in structures]

            def emit(kind: str, content: dict[str, Any]) -> None:
                job.done, job.total, job.seconds_left = run.done, run.total, self._seconds_left(run)
                results[content["index"]] = structures[content["index"]].entry()
                job.emit(kind, content)

            run.emit = emit
            await self._answer_all(asked, run, structures)

        return self._begin("predict", client, size, asked.pieces, work, attended=attended)

    def start_long(self, kind: str, question: Question, client: str, size: int, *, attended: bool) -> Job:
        """Compute, order or vary one structure, as a job.

        Raises:
            Problem: The ion or the model is not known, or the client or the server has too much to do.
        """
        asked = self._asked("predict", question) if question.ions else None
        ions = asked.ions if asked else []
        if kind in ("compute", "design") and len(ions) != 1:
            raise problem("refused", "ion", "not one working ion", "Ask for one at a time")
        more = {"ions": ions, "model": asked.model if asked else self.default_model, "assume": question.assume}
        cost_of = "profile" if question.options.get("profile") else kind

        async def work(job: Job) -> None:
            run = self._run(client, self.settings.job_seconds)
            job.total = 1
            structure, n_atoms = await self._measured(kind, await self.pieces.fetch(question.structures[0]), run, job)
            charged = None if question.charged is None else await self.pieces.fetch(question.charged)
            task = {"task": kind, "structure": structure, "charged": charged} | more | question.options
            cost = self.costs.one(cost_of, "", n_atoms)

            def heard(progress: dict[str, Any]) -> None:
                job.seconds_left = round(max(1.0, cost - run.elapsed(asyncio.get_running_loop().time())), 1)
                job.emit("progress", progress)

            waits = self.pieces.long.turns.running >= self.pieces.long.size
            heard({"text": "waiting for its turn" if waits else "beginning"})
            reply = await self.pieces.ask_long(task, run, cost_of, cost, heard)
            job.done = 1
            job.outcome |= {"result": reply["result"], "structures": reply["structures"]}
            job.emit("result", {"result": reply["result"]})

        return self._begin(kind, client, size, 1, work, attended=attended)

    async def _measured(self, kind: str, given: dict[str, Any], run: Run, job: Job) -> tuple[dict[str, Any], int]:
        """A structure that is to be computed, read and found small enough, and its number of atoms."""
        if kind not in ("compute", "design"):
            return given, guessed_atoms(given)
        reply = await self.pieces.ask({"task": "read", "structure": given}, run, "read", READ_SECONDS)
        n_atoms = reply["n_atoms"]
        job.emit("structure", {"index": 0, "name": given["name"], "formula": reply["formula"], "n_atoms": n_atoms})
        if n_atoms > self.settings.long_atoms:
            rule = f"it holds {n_atoms} atoms, and this server computes up to {self.settings.long_atoms}"
            remedy = "Give the primitive cell, or run ionvolt compute on a machine of your own"
            raise problem("refused", given["name"], rule, remedy)
        return reply["crystal"] | {"checked": True}, n_atoms

    def _begin(
        self, kind: str, client: str, size: int, pieces: int, work: Callable[[Job], Awaitable[None]], *, attended: bool
    ) -> Job:
        self.admission.begin(client, pieces)
        try:
            job = self.jobs.start(kind, client, size, work, attended=attended)
        except Problem:
            self.admission.end(client, pieces)
            raise
        assert job.task is not None
        job.task.add_done_callback(lambda _: self.admission.end(client, pieces))
        return job

    async def explain(self, question: Question, client: str) -> dict[str, Any]:
        """What each atom of the only structure adds, and its CIF.

        Raises:
            Problem: It was refused, or the server is busy.
        """
        asked = self._asked("explain", question)
        with self.admission.request(client):
            run = self._run(client, self.settings.request_seconds)
            structure = await self.pieces.fetch(asked.structures[0])
            charged = None if asked.charged is None else await self.pieces.fetch(asked.charged)
            task = asked.task("explain", structure, asked.ions, charged)
            if asked.relaxes:
                return await self.pieces.ask_long(task, run, "compute", self._relaxing(structure))
            cost = self.costs.many(asked.model, asked.ions, guessed_atoms(structure))
            return await self.pieces.ask(task, run, asked.model, cost)

    async def structures(self, question: Question, client: str) -> dict[str, Any]:
        """The only structure in common formats, and without the ion, if one is named.

        Raises:
            Problem: It was refused, or the server is busy.
        """
        ions = _ions(question.ions) if question.ions else []
        with self.admission.request(client):
            run = self._run(client, self.settings.request_seconds)
            structure = await self.pieces.fetch(question.structures[0])
            task = {"task": "structures", "structure": structure, "ions": ions, "assume": question.assume}
            return await self.pieces.ask(task, run, "structures", FORMATS_SECONDS)

    async def _answer_all(self, asked: Asked, run: Run, structures: list[Structure]) -> None:
        async def ask(task: dict[str, Any], run: Run, cost_of: str, cost: float) -> dict[str, Any]:
            if asked.relaxes and task["task"] == "predict":
                return await self.pieces.ask_long(task, run, "compute", self._relaxing(task["structure"]))
            return await self.pieces.ask(task, run, cost_of, cost)

        await answer_all(asked, run, structures, ask, self.pieces.fetch, self.costs, self.settings.workers)

    def _relaxing(self, structure: dict[str, Any]) -> float:
        return self.costs.one("compute", "", guessed_atoms(structure))

    def _run(self, client: str, seconds: float) -> Run:
        return Run(client, asyncio.get_running_loop().time() + seconds, seconds)

    def _seconds_left(self, run: Run) -> float:
        """At the pace so far; before that, its own work shared among workers and with others that take turns."""
        if run.spent > 0:
            return round(run.left * run.elapsed(asyncio.get_running_loop().time()) / run.spent, 1)
        others = self.pieces.pool.turns.others(run.client, run.flow)
        return round(run.left * (1 + others) / self.settings.workers, 1)

    def _refuse_what_is_too_long(self, asked: Asked) -> None:
        """Only what cannot be answered in time by far: estimates are not exact."""
        seconds = expected(asked, self.costs) / self.settings.workers
        limit = self.settings.request_seconds
        if seconds > 2 * limit:
            rule = f"it would take about {seconds:.0f} s, and a request may take {limit:g} s"
            raise problem("too-long", "request", rule, AS_JOB)

    def _asked(self, kind: str, question: Question) -> Asked:
        """The question with a known model and known ions."""
        model = question.model or self.default_model
        if kind == "explain" and model in self.folders:
            model = self._explainer(model)
        if model not in self.folders:
            shown = ascii(model[:60])[1:-1]
            raise problem("refused", shown, "no such model", f"Choose from {', '.join(self.folders)}")
        able = self._facts(model)["ions" if kind == "predict" else "local_ions"]
        ions = _ions(question.ions)
        if question.ions.strip().lower() == "all":
            ions = [ion for ion in ions if ion in able]
        missing = [ion for ion in ions if ion not in able]
        if missing or not ions:
            head = "head" if kind == "predict" else "local-voltage head"
            rule = f"no {head} for {', '.join(missing) or 'any ion'}"
            raise problem("refused", model, rule, f"Choose from {', '.join(able) or 'other models'}")
        known = Asked(
            question.structures, ions, question.assume, model, question.first, question.options, question.charged
        )
        wanted = question.check_relaxation
        checks = (self.costs.slow(model) if wanted is None else wanted) and not known.relaxes
        return replace(known, checks=checks)

    def _explainer(self, model: str) -> str:
        """The model that shares its answers out among atoms: the one asked for, else the first that does."""
        able = [name for name in (model, *self.folders) if self._facts(name)["local_ions"]]
        return able[0] if able else model

    def close(self) -> None:
        """End all processes."""
        self.jobs.close()
        self.pieces.close()


def _ions(given: str) -> list[str]:
    try:
        return [ion.symbol for ion in parse_ions(given)]
    except InputError as error:
        raise Problem("refused", error) from None
