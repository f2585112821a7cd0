"""Answers to questions, with the help of workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ionvolt.errors import InputError, ModelError
from ionvolt.ions import parse_ions, working_ion
from ionvolt.models.card import ModelCard, read_card
from ionvolt.models.registry import AUTO, PAPER_MODEL, SHIPPED, auto_card, load_folder, shipped_models
from ionvolt.models.storage import CARD_FILE
from ionvolt.structures.materials_project import UnavailableError, check_id, require_key
from ionvolt.web.costs import Costs, guessed_atoms
from ionvolt.web.jobs import Job, Jobs
from ionvolt.web.landscape import landscape
from ionvolt.web.metrics import Metrics
from ionvolt.web.pool import NoWorker, Pool, TaskTimeout, WorkerLost
from ionvolt.web.predictions import Run, Structure, answer_all, expected
from ionvolt.web.problems import Problem, problem
from ionvolt.web.requests import Asked, Question
from ionvolt.web.settings import Settings
from ionvolt.web.template import Template

WORKER, FETCHER = "ionvolt.web.worker", "ionvolt.web.fetcher"
"""Modules of the processes; the server itself loads no model and imports no torch."""

AS_JOB = "Ask for it as a job (POST /api/v1/jobs), or for fewer structures or ions at a time"
GIVES_WAY = 3
"""Niceness of the workers: those kept for who asks for little have a core when they need one."""

FORMATS_SECONDS = 0.05

OTHER_COSTS = {name: name for name in ("read", "relaxation", "compute", "profile", "order")} | {"structures": "read"}

BUSY = 10.0
"""On a busy machine a piece of work may take so many times its seconds, as long as it has not had the processor."""

BACKGROUND = 10
"""Niceness of the workers for what takes minutes."""

PATIENT = 8.0
"""A piece of work may take so many times what it is thought to take."""


class Service:
    """Predictions and explanations.

    Attributes:
        settings: How the server behaves.
        folders: Model folders by name, the default first. ``auto`` has none of its own: it stands for its name.
        cards: Their cards.
        pool: The workers.
        long: Workers for what takes minutes: they give way to others, and each task has one of its own.
        fetchers: The process that asks the Materials Project, started when it is first needed.
        jobs: Long work.
        costs: What answers cost.
        active: Requests that are answered or wait.
        pieces: Structures times ions of all that is answered or waits.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.folders = dict(settings.models) or _shipped()
        if not self.folders:
            raise ModelError("no model comes with this IonVolt. Name a model's folder: --model FOLDER")
        self.cards = {name: _card(name, folder) for name, folder in self.folders.items()}
        folders = {name: str(folder) for name, folder in self.folders.items()}
        preload = (WORKER,)
        self.template = Template(f"{WORKER}:prepare", (folders, settings.limits, settings.worker_memory), preload)
        self.pool = Pool(self.template, settings.workers, spare=1, niceness=GIVES_WAY)
        self.long = Pool(self.template, max(1, settings.workers // 2), niceness=BACKGROUND, fresh=True)
        self.fetchers = Pool(Template(f"{FETCHER}:prepare", (settings.endpoint, settings.limits), preload), 1)
        self.jobs = Jobs(settings)
        self.costs = Costs({name: card.kind for name, card in self.cards.items()} | OTHER_COSTS)
        self._fetching: asyncio.Task[None] | None = None
        self.active = 0
        self.pieces = 0
        self._requests: Counter[str] = Counter()
        self._pieces: Counter[str] = Counter()

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
                "ions": self._facts(name).get("ions", list(card.ions)),
                "local_ions": self._facts(name).get("local_ions", []),
                "n_members": card.n_members,
                "default": name == self.default_model,
                "errors": {ion: _errors(facts) for ion, facts in card.ions.items()},
            }
            for name, card in self.cards.items()
        ]

    def examples(self) -> list[dict[str, Any]]:
        """Bundled crystals."""
        found: list[dict[str, Any]] = self.template.facts["examples"]
        return found

    def landscape(self, ion: str) -> dict[str, Any]:
        """Known electrodes of an ion.

        Raises:
            Problem: There is no such ion.
        """
        try:
            symbol = working_ion(ion).symbol
        except InputError as error:
            raise Problem("refused", error) from None
        return landscape(symbol, self.template.facts["measured"][symbol], self.settings.landscape)

    def _facts(self, model: str) -> dict[str, Any]:
        """What the workers say of a model; nothing before they are ready."""
        found: dict[str, Any] = self.template.facts.get("models", {}).get(model, {})
        return found

    async def predict(self, question: Question, client: str) -> list[dict[str, Any]]:
        """One entry for each structure, in order.

        Raises:
            Problem: The ions or the model are not known, the server is busy, the answer would take too long, or the
                only structure was refused.
        """
        asked = self._asked("predict", question)
        with self._admitted(client):
            self._refuse_what_is_too_long(asked)
            self._count(client, asked.pieces)
            try:
                run = self._run(client, self.settings.request_seconds)
                structures = await self._answer_all(asked, run)
            finally:
                self._count(client, -asked.pieces)
        if len(structures) == 1 and (error := structures[0].error):
            raise error
        return [structure.entry() for structure in structures]

    def start_predict(self, question: Question, client: str, size: int, *, attended: bool) -> Job:
        """The same as a job.

        Raises:
            Problem: The ions or the model are not known, or the client or the server has too much to do.
        """
        asked = self._asked("predict", question)
        self._count(client, asked.pieces)

        async def work(job: Job) -> None:
            run = self._run(client, self.settings.job_seconds)
            structures = [Structure(asked, index, run) for index in range(len(asked.structures))]
            results = job.outcome["results"] = [structure.entry() for structure in structures]

            def say(kind: str, content: dict[str, Any]) -> None:
                job.done, job.total, job.seconds_left = run.done, run.total, self._seconds_left(run)
                results[content["index"]] = structures[content["index"]].entry()
                job.say(kind, content)

            run.say = say
            await self._answer_all(asked, run, structures)

        def after() -> None:
            self._count(client, -asked.pieces)

        return self._begin("predict", client, size, work, after, attended=attended)

    def start_long(self, kind: str, question: Question, client: str, size: int, *, attended: bool) -> Job:
        """Compute or order one structure, as a job.

        Raises:
            Problem: The ion or the model is not known, or the client or the server has too much to do.
        """
        asked = self._asked("predict", question) if question.ions else None
        ions = asked.ions if asked else []
        if kind == "compute" and len(ions) != 1:
            raise problem("refused", "ion", "not one working ion", "Ask for one at a time")
        model = asked.model if asked else self.default_model
        self._count(client, 1)

        async def work(job: Job) -> None:
            run = self._run(client, self.settings.job_seconds)
            job.total, job.outcome["result"] = 1, None
            structure = await self._fetched(question.structures[0])
            charged = None if question.charged is None else await self._fetched(question.charged)
            n_atoms = guessed_atoms(structure)
            if kind == "compute":
                read = await self._ask({"task": "read", "structure": structure}, run, "read", 0.01)
                n_atoms = read["n_atoms"]
                job.say("structure", {"index": 0, "name": structure["name"]} | _facts_alone(read))
                if n_atoms > self.settings.long_atoms:
                    rule = f"it holds {n_atoms} atoms, and this server computes up to {self.settings.long_atoms}"
                    remedy = "Give the primitive cell, or run ionvolt compute on a machine of your own"
                    raise problem("refused", structure["name"], rule, remedy)
                structure = read["crystal"] | {"checked": True}
            task = {"task": kind, "structure": structure, "charged": charged, "ions": ions, "model": model,
                    "assume": question.assume, **question.options}  # fmt: skip
            cost_of = "profile" if question.options.get("profile") else kind
            cost = self.costs.one(cost_of, "", n_atoms)
            begin = asyncio.get_running_loop().time()

            def heard(progress: dict[str, Any]) -> None:
                job.seconds_left = round(max(1.0, cost - (asyncio.get_running_loop().time() - begin)), 1)
                job.say("progress", progress)

            heard({"text": "waiting for a worker" if self.long.turns.running >= self.long.size else "it begins"})
            reply = await self._ask(task, run, cost_of, cost, pool=self.long, heard=heard)
            job.done = 1
            job.outcome |= {"result": reply["result"], "structures": reply["structures"]}
            job.say("result", {"result": reply["result"]})

        return self._begin(kind, client, size, work, lambda: self._count(client, -1), attended=attended)

    def _begin(
        self,
        kind: str,
        client: str,
        size: int,
        work: Callable[[Job], Awaitable[None]],
        after: Callable[[], None],
        *,
        attended: bool,
    ) -> Job:
        try:
            job = self.jobs.start(kind, client, size, work, attended=attended)
        except Problem:
            after()
            raise
        assert job.task is not None
        job.task.add_done_callback(lambda _: after())
        return job

    async def explain(self, question: Question, client: str) -> dict[str, Any]:
        """Explanations of the only structure and its CIF.

        Raises:
            Problem: It was refused, or the server is busy.
        """
        asked = self._asked("explain", question)
        with self._admitted(client):
            run = self._run(client, self.settings.request_seconds)
            structure = await self._fetched(asked.structures[0])
            cost = self.costs.many(asked.model, asked.ions, guessed_atoms(structure))
            charged = None if asked.charged is None else await self._fetched(asked.charged)
            task = {"task": "explain", "ions": asked.ions, "assume": asked.assume, "model": asked.model,
                    "structure": structure, "charged": charged, "options": asked.options}  # fmt: skip
            return await self._ask(task, run, asked.model, cost)

    async def structures(self, question: Question, client: str) -> dict[str, Any]:
        """The only structure in common formats, and without the ion, if one is named.

        Raises:
            Problem: It was refused, or the server is busy.
        """
        ions = _ions(question.ions) if question.ions else []
        with self._admitted(client):
            run = self._run(client, self.settings.request_seconds)
            task = {"task": "structures", "ions": ions, "assume": question.assume}
            return await self._ask(
                task | {"structure": await self._fetched(question.structures[0])}, run, "structures", FORMATS_SECONDS
            )

    async def _answer_all(self, asked: Asked, run: Run, structures: list[Structure] | None = None) -> list[Structure]:
        structures = structures or [Structure(asked, index, run) for index in range(len(asked.structures))]
        await answer_all(asked, run, structures, self._ask, self._fetched, self.costs, self.settings.workers)
        return structures

    def _run(self, client: str, seconds: float) -> Run:
        return Run(client, asyncio.get_running_loop().time() + seconds, seconds)

    def _seconds_left(self, run: Run) -> float:
        """At the pace so far; before that, its own work shared among workers and with others that take turns."""
        if run.spent > 0:
            return round(run.left * run.elapsed(asyncio.get_running_loop().time()) / run.spent, 1)
        others = self.pool.turns.others(run.client, run.flow)
        return round(run.left * (1 + others) / self.settings.workers, 1)

    @contextmanager
    def _admitted(self, client: str) -> Iterator[None]:
        if self._requests[client] >= self.settings.client_requests:
            rule = f"{self._requests[client]} requests of yours are being answered"
            raise problem("share", "request", rule, "Wait for some of them", self._retry(client))
        if self.active >= self.settings.max_requests:
            raise problem("overloaded", "request", "too many requests at one time", "Try again soon")
        self.active += 1
        self._requests[client] += 1
        try:
            yield
        finally:
            self.active -= 1
            self._requests[client] -= 1
            if not self._requests[client]:
                del self._requests[client]

    def _count(self, client: str, pieces: int) -> None:
        """Take note of structures times ions that begin, or (negative) end."""
        if pieces > 0:
            if self._pieces[client] + pieces > self.settings.client_pieces:
                rule = f"more than {self.settings.client_pieces} structures times ions of yours at one time"
                raise problem("share", "request", rule, "Wait until some are answered", self._retry(client))
            if self.pieces + pieces > self.settings.max_pieces:
                raise problem("overloaded", "request", "too much to answer at one time", "Try again soon")
        self.pieces += pieces
        self._pieces[client] += pieces
        if not self._pieces[client]:
            del self._pieces[client]

    def _retry(self, client: str) -> dict[str, str]:
        seconds = self.pool.turns.seconds_of(client) / self.settings.workers
        return {"Retry-After": str(max(1, min(120, round(seconds))))}

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
        """The model that has local voltages: the one asked for, else the first that does."""
        able = [name for name in (model, *self.folders) if self._facts(name)["local_ions"]]
        return able[0] if able else model

    async def _ask(
        self,
        task: dict[str, Any],
        run: Run,
        model: str,
        cost: float,
        pool: Pool | None = None,
        heard: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Have a piece of work done; by default by the workers for short ones.

        Raises:
            Problem: It was refused, or it was not done in time.
        """
        name = task["structure"]["name"]
        left = run.deadline - asyncio.get_running_loop().time()
        over = problem("time-limit", name, f"the {run.seconds:g} s of the request were over before its turn", AS_JOB)
        if left <= 0:
            raise over
        longest = self.settings.longest_seconds if pool is None else self.settings.long_seconds
        seconds = min(longest, max(self.settings.task_seconds, PATIENT * cost))
        seconds = float(f"{seconds:.2g}")
        spent: list[float] = []
        try:
            reply = await (pool or self.pool).run(
                task,
                min(seconds, left),
                stretch=max(1.0, min(BUSY, left / seconds)),
                patience=left,
                client=run.client,
                flow=run.flow,
                cost=cost,
                took=spent.append,
                heard=heard,
            )
        except NoWorker:
            raise over from None
        except TaskTimeout:
            self.metrics.count("timeout")
            self.costs.learn(model, cost, spent[0])
            if left <= seconds:
                raise over from None
            raise _too_slow(name, seconds, task.get("ions", [])) from None
        except WorkerLost:
            self.metrics.count("lost")
            raise problem("worker-lost", name, "its worker process died", "Try again; if it happens again, "
                          "the structure does it") from None  # fmt: skip
        if "refused" in reply:
            self.metrics.count("refused")
            raise Problem("refused", InputError(**reply["refused"]))
        self.costs.learn(model, cost, spent[0])
        self.metrics.count("answered")
        return reply

    async def _fetched(self, structure: dict[str, Any]) -> dict[str, Any]:
        """A structure as a worker takes it.

        Raises:
            Problem: There is none of the name.
        """
        if "problem" in structure:
            raise structure["problem"]
        return await self._fetch(structure["mp_id"]) if "mp_id" in structure else structure

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
        self.jobs.close()
        for pool in (self.pool, self.long, self.fetchers):
            pool.close()
            pool.template.close()


def _facts_alone(read: dict[str, Any]) -> dict[str, Any]:
    return {key: read[key] for key in ("formula", "n_atoms", "holds")}


def _ions(given: str) -> list[str]:
    try:
        return [ion.symbol for ion in parse_ions(given)]
    except InputError as error:
        raise Problem("refused", error) from None


def _too_slow(name: str, seconds: float, ions: list[str]) -> Problem:
    """A time-out is no refusal: nothing is wrong with the structure."""
    what = f"its answer for {', '.join(ions)}" if 0 < len(ions) <= 3 else "its answer"
    rule = f"{what} took longer than the {seconds:g} s that this server gives"
    remedy = "Give the primitive cell, choose the model cgcnn-mp2020, or run ionvolt predict on a machine of your own"
    return problem("time-limit", name, rule, remedy)


def _shipped() -> dict[str, Path]:
    """The default of the command line first, here and on the page."""
    names = sorted(shipped_models(), key=lambda name: (name != PAPER_MODEL, name))
    found = {name: SHIPPED / name for name in names}
    return {AUTO: Path(AUTO)} | found if auto_card() else found


def _card(name: str, folder: Path) -> ModelCard:
    """Of a model of the user's, only once it has been loaded, which shows whether it can be."""
    best = auto_card() if name == AUTO else None
    if best is None and folder.parent == SHIPPED:
        return read_card(folder / CARD_FILE)
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
