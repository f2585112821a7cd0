"""Work that takes longer than a request: it has a name, can be watched, fetched later and given up, and is bounded."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from ionvolt.errors import InputError
from ionvolt.web.problems import Problem, problem
from ionvolt.web.settings import Settings

Status = Literal["running", "done", "cancelled", "failed"]
HEARTBEAT_SECONDS = 10.0


class Job:
    """A piece of long work.

    Attributes:
        id: Its name, which nobody guesses.
        kind: What it does.
        client: Who asked for it.
        status: How far it is.
        outcome: What has come out so far, plain JSON types.
        problem: Why it failed.
        events: What has happened, in order: kind and content. A reader that comes late starts at the first.
        done: Parts done.
        total: Parts in all.
        seconds_left: Estimate; None where there is none.
        watchers: Readers of the events at this moment.
        size: Bytes that it holds.
    """

    def __init__(self, kind: str, client: str, size: int, *, attended: bool) -> None:
        self.id = secrets.token_urlsafe(18)
        self.kind = kind
        self.client = client
        self.size = size
        self.attended = attended
        self.status: Status = "running"
        self.outcome: dict[str, Any] = {}
        self.problem: dict[str, Any] | None = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.done = self.total = 0
        self.seconds_left: float | None = None
        self.watchers = 0
        self.started = self.seen = time.monotonic()
        self.ended: float | None = None
        self.task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def emit(self, kind: str, content: dict[str, Any]) -> None:
        """Tell all readers of an event; every one says how far the job is."""
        event = content | {"done": self.done, "total": self.total, "seconds_left": self.seconds_left}
        self.events.append((kind, event))
        self.size += len(json.dumps(content))
        self._news.set()
        self._news = asyncio.Event()

    def to_dict(self) -> dict[str, Any]:
        """The job as plain JSON types."""
        return {
            "id": self.id,
            "kind": self.kind,
            "status": self.status,
            "done": self.done,
            "total": self.total,
            "seconds": round((self.ended or time.monotonic()) - self.started, 3),
            "seconds_left": self.seconds_left if self.status == "running" else None,
            "outcome": self.outcome,
            "problem": self.problem,
        }

    async def follow(self, start: int = 0) -> AsyncGenerator[tuple[int, str, dict[str, Any]] | None, None]:
        """Events from a number on, as they come, until the job has ended; None now and then where nothing happens."""
        self.watchers += 1
        try:
            at = start
            while True:
                news = self._news
                while at < len(self.events):
                    yield at, *self.events[at]
                    at += 1
                if self.ended is not None:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await news.wait()
                    continue
                yield None
        finally:
            self.watchers -= 1
            self.seen = time.monotonic()

    def end(self, status: Status, why: dict[str, Any] | None = None) -> None:
        """The last event."""
        if self.ended is None:
            self.status, self.problem, self.ended = status, why, time.monotonic()
            self.seconds_left = None
            self.emit("end", {"status": status, "problem": why})


class Jobs:
    """All jobs that run or whose results are kept."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._jobs: dict[str, Job] = {}
        self._minder: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """Jobs that have not ended."""
        return sum(job.ended is None for job in self._jobs.values())

    @property
    def held(self) -> int:
        """Bytes of all jobs."""
        return sum(job.size for job in self._jobs.values())

    def start(
        self, kind: str, client: str, size: int, work: Callable[[Job], Awaitable[None]], *, attended: bool = False
    ) -> Job:
        """Begin a job.

        Args:
            kind: What it does.
            client: Who asks.
            size: Bytes of the request.
            work: Does it: fills the job's outcome and says what happens.
            attended: Whether it is given up when nobody has watched it for some time.

        Raises:
            Problem: The client, or all together, have too many.
        """
        limits = self.settings
        own = [job for job in self._jobs.values() if job.client == client and job.ended is None]
        if len(own) >= limits.client_jobs:
            rule = f"{len(own)} jobs of yours are running"
            raise problem("share", "request", rule, "Wait for one to end, or give one up (DELETE)")
        self._make_room(size)
        if self.running >= limits.max_jobs or self.held + size > limits.max_held:
            raise problem("overloaded", "request", "too many jobs at one time", "Try again soon")
        job = Job(kind, client, size, attended=attended)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._do(job, work))
        if self._minder is None or self._minder.done():
            self._minder = asyncio.create_task(self._mind())
        return job

    def find(self, name: str) -> Job:
        """A job by its id.

        Raises:
            Problem: There is none, or no longer.
        """
        job = self._jobs.get(name)
        if job is None:
            shown = ascii(name[:40])[1:-1]
            minutes = self.settings.keep_seconds / 60
            rule = f"no such job; results are kept for {minutes:g} minutes"
            raise problem("not-found", shown, rule, "Ask again: POST /api/v1/jobs")
        job.seen = time.monotonic()
        return job

    def cancel(self, job: Job) -> None:
        """Give a job up; what has come out stays."""
        if job.task is not None and job.ended is None:
            job.end("cancelled")
            job.task.cancel()

    def close(self) -> None:
        """Give all up."""
        for job in self._jobs.values():
            self.cancel(job)
        if self._minder is not None:
            self._minder.cancel()

    async def _do(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self.settings.job_seconds):
                await work(job)
            job.end("done")
        except TimeoutError:
            rule = f"it took more than {self.settings.job_seconds / 60:g} minutes"
            remedy = "What came out until then is kept. Ask for fewer structures or ions at a time"
            job.end("failed", problem("time-limit", "job", rule, remedy).to_dict())
        except Problem as error:
            job.end("failed", error.to_dict())
        except asyncio.CancelledError:
            job.end("cancelled")
        except Exception:
            unexpected = InputError("job", "an unexpected error, kept in the server's log", "Try again")
            job.end("failed", Problem("internal", unexpected).to_dict())
            raise

    async def _mind(self) -> None:
        """Forget what is old; give up what nobody watches."""
        while self._jobs:
            await asyncio.sleep(min(2.0, self.settings.attended_seconds / 2))
            now = time.monotonic()
            for job in list(self._jobs.values()):
                if job.ended is not None and now - max(job.ended, job.seen) > self.settings.keep_seconds:
                    del self._jobs[job.id]
                elif job.attended and not job.watchers and now - job.seen > self.settings.attended_seconds:
                    self.cancel(job)

    def _make_room(self, size: int) -> None:
        """Forget the results that ended first, where there are too many."""
        ended = sorted((job for job in self._jobs.values() if job.ended is not None), key=lambda job: job.ended or 0.0)
        while ended and (len(self._jobs) >= 2 * self.settings.max_jobs or self.held + size > self.settings.max_held):
            del self._jobs[ended.pop(0).id]
