"""Workers that are killed and replaced when a task takes too long, lost without harm to others, and shared fairly."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ionvolt.errors import ModelError
from ionvolt.web.link import Message
from ionvolt.web.template import Template, Worker
from ionvolt.web.turns import Piece, Turns

_COUNTS_PROCESSOR = Path("/proc/self/stat").exists()


class WorkerLost(Exception):
    """The worker died before it answered."""


class NoWorker(Exception):
    """No worker was free in time."""


class TaskTimeout(Exception):
    """The task took too long; its worker was killed."""


@dataclass
class Pool:
    """A fixed number of workers, copies of one template.

    Attributes:
        template: What they are copied from; other pools may share it.
        size: Number of workers.
        spare: Workers more, for flows that have nothing running: who asks for little does not wait for who asks for
            much.
        niceness: By how much the workers give way to others on a busy machine; spare ones do not.
        fresh: Whether every task gets a worker of its own, which ends with it.
        restarts: Workers started in place of others.
    """

    template: Template
    size: int
    spare: int = 0
    niceness: int = 0
    fresh: bool = False
    restarts: int = 0
    turns: Turns = field(default_factory=Turns)
    _idle: list[Worker] = field(default_factory=list)
    _idle_spare: list[Worker] = field(default_factory=list)
    _given: dict[Piece, tuple[Worker, bool]] = field(default_factory=dict)
    _workers: dict[Worker, bool] = field(default_factory=dict)
    _starting: set[asyncio.Task[None]] = field(default_factory=set)
    _closed: bool = False

    @property
    def alive(self) -> int:
        """Workers that can answer."""
        return sum(not worker.gone for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers]

    async def start(self) -> None:
        """Start all workers and wait until each is ready.

        Raises:
            ModelError: A worker could not be made ready.
        """
        for spare in [False] * self.size + [True] * self.spare:
            await self._add(spare)

    def close(self) -> None:
        """Kill all workers."""
        self._closed = True
        for task in self._starting:
            task.cancel()
        for worker in list(self._workers):
            worker.kill()
        self._workers.clear()

    async def run(
        self,
        message: Message,
        seconds: float,
        *,
        stretch: float = 1.0,
        patience: float = 60.0,
        client: Hashable = None,
        flow: Hashable = None,
        cost: float = 1.0,
        heard: Callable[[Message], None] | None = None,
        took: Callable[[float], None] = lambda seconds: None,
        known: Callable[[], Message | None] = lambda: None,
    ) -> Message:
        """Have a task done by a worker when its turn has come.

        Args:
            message: The task, plain JSON types.
            seconds: Time that it may take once a worker has it.
            stretch: So many times that, as long as the worker has not had the processor for ``seconds``: on a busy
                machine a task is not to blame for the others (Linux; elsewhere ``seconds`` counts alone).
            patience: Time that it may wait for a worker.
            client: Who asks; clients share the workers by the seconds that they use.
            flow: What belongs together, such as one request; flows of a client share in the same way.
            cost: Seconds that it is thought to take.
            heard: Called with what the worker tells on the way.
            took: Called with the seconds that it took, waiting not counted.
            known: Asked for the answer when the turn has come: another may have had the same done meanwhile.

        Raises:
            NoWorker: None was free in time.
            TaskTimeout: It took longer; the worker was killed.
            WorkerLost: The worker died over it.
        """
        piece, worker, spare = await self._turn(client, object() if flow is None else flow, cost, patience)
        if (reply := known()) is not None:
            self.turns.done(piece, 0.0)
            self._free(worker, spare)
            return reply
        start = time.monotonic()
        sound = False
        try:
            async with asyncio.timeout(seconds * (stretch if _COUNTS_PROCESSOR else 1.0)):
                reply = await _within(worker, worker.ask(message, heard), seconds)
            sound = True
        except TimeoutError:
            raise TaskTimeout from None
        except (OSError, EOFError, ValueError):
            raise WorkerLost from None
        finally:
            # Where it is out of step with its task, even if only the client went away, it is replaced.
            spent = time.monotonic() - start
            took(spent)
            self.turns.done(piece, spent)
            if sound and not self.fresh:
                self._free(worker, spare)
            else:
                self._replace(worker, spare)
        return reply

    async def _turn(self, client: Hashable, flow: Hashable, cost: float, patience: float) -> tuple[Piece, Worker, bool]:
        come = asyncio.Event()
        piece = self.turns.join(client, flow, cost, come.set)
        self._deal()
        try:
            async with asyncio.timeout(patience):
                await come.wait()
        except BaseException as error:
            if piece in self._given:
                self.turns.done(piece, 0.0)
                self._free(*self._given.pop(piece))
            else:
                self.turns.leave(piece)
            if isinstance(error, TimeoutError):
                raise NoWorker from None
            raise
        return piece, *self._given.pop(piece)

    def _deal(self) -> None:
        """Give workers that are free to whose turn it is."""
        for spare, idle in ((False, self._idle), (True, self._idle_spare)):
            while idle:
                if idle[-1].gone:
                    self._replace(idle.pop(), spare)
                    continue
                piece = self.turns.next(light=spare)
                if piece is None:
                    break
                self._given[piece] = (idle.pop(), spare)
                piece.start()

    def _free(self, worker: Worker, spare: bool) -> None:
        (self._idle_spare if spare else self._idle).append(worker)
        self._deal()

    def _replace(self, worker: Worker, spare: bool) -> None:
        self._workers.pop(worker, None)
        worker.kill()
        if self._closed:
            return
        self.restarts += not self.fresh
        task = asyncio.create_task(self._persist(spare))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _persist(self, spare: bool) -> None:
        pause = 0.5
        while True:
            with suppress(ModelError):
                return await self._add(spare)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 30.0)

    async def _add(self, spare: bool) -> None:
        worker = await self.template.worker(0 if spare else self.niceness)
        if self._closed:
            worker.kill()
            return
        self._workers[worker] = spare
        self._free(worker, spare)


async def _within(worker: Worker, answer: Coroutine[Any, Any, Message], seconds: float) -> Message:
    """An answer, for which the worker may have the processor so long.

    Raises:
        TimeoutError: It had.
    """
    begin = processor_seconds(worker.pid)
    if begin is None:
        return await answer
    task = asyncio.ensure_future(answer)
    try:
        left = seconds
        while not (await asyncio.wait({task}, timeout=max(left, 0.05)))[0]:
            left = seconds - ((processor_seconds(worker.pid) or begin) - begin)
            if left <= 0:
                raise TimeoutError
        return task.result()
    finally:
        task.cancel()


def processor_seconds(pid: int) -> float | None:
    """For how long a process has had the processor; None where that cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
