"""Worker processes that are killed and replaced when a task takes too long, and lost without harm to other tasks."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from ionvolt.errors import ModelError
from ionvolt.web.link import LENGTH

START_SECONDS = 120.0
MAX_REPLY = 100_000_000


class WorkerLost(Exception):
    """The worker died before it answered."""


class NoWorker(Exception):
    """No worker was free in time."""


class TaskTimeout(Exception):
    """The task took too long; its worker was killed."""


@dataclass(eq=False)
class Worker:
    """A process and the link to it."""

    process: BaseProcess
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a task and wait for the answer."""
        data = json.dumps(message).encode()
        self.writer.write(LENGTH.pack(len(data)) + data)
        await self.writer.drain()
        return await self.receive()

    async def receive(self) -> dict[str, Any]:
        """The next message."""
        (length,) = LENGTH.unpack(await self.reader.readexactly(LENGTH.size))
        if length > MAX_REPLY:
            raise ConnectionError("too long a reply")
        reply: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        return reply

    def kill(self) -> None:
        """End the process at once."""
        self.writer.close()
        if self.process.pid is not None:
            self.process.kill()


@dataclass
class Pool:
    """A fixed number of worker processes.

    Attributes:
        target: What a worker runs: called with a socket and ``args``.
        args: Further arguments; they are pickled once for each start.
        size: Number of workers.
        preload: Modules imported once, before workers are forked.
        ready: What the workers said of themselves when they were ready.
        restarts: Workers started in place of others.
    """

    target: Callable[..., None]
    args: tuple[Any, ...]
    size: int
    preload: tuple[str, ...] = ()
    ready: dict[str, Any] = field(default_factory=dict)
    restarts: int = 0
    _idle: asyncio.Queue[Worker] = field(default_factory=asyncio.Queue)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _workers: set[Worker] = field(default_factory=set)
    _starting: set[asyncio.Task[None]] = field(default_factory=set)
    _closed: bool = False

    @property
    def alive(self) -> int:
        """Workers that can answer."""
        return sum(not worker.reader.at_eof() for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    async def start(self) -> None:
        """Start all workers and wait until each is ready.

        Raises:
            ModelError: A worker could not be made ready.
        """
        await asyncio.gather(*(self._add() for _ in range(self.size)))

    def close(self) -> None:
        """Kill all workers."""
        self._closed = True
        for task in self._starting:
            task.cancel()
        for worker in list(self._workers):
            worker.kill()
        self._workers.clear()

    async def run(self, message: dict[str, Any], seconds: float, *, patience: float = 60.0) -> dict[str, Any]:
        """Have a task done by the next free worker.

        Args:
            message: The task, plain JSON types.
            seconds: Time that it may take once a worker has it.
            patience: Time that it may wait for a worker.

        Raises:
            NoWorker: None was free in time.
            TaskTimeout: It took longer; the worker was killed.
            WorkerLost: The worker died over it.
        """
        try:
            async with asyncio.timeout(patience):
                worker = await self._free()
        except TimeoutError:
            raise NoWorker from None
        try:
            async with asyncio.timeout(seconds):
                reply = await worker.ask(message)
        except BaseException as error:
            # Out of step with its task, even if only the client went away.
            self._replace(worker)
            if isinstance(error, TimeoutError):
                raise TaskTimeout from None
            if isinstance(error, (OSError, EOFError, ValueError)):
                raise WorkerLost from None
            raise
        self._idle.put_nowait(worker)
        return reply

    async def _free(self) -> Worker:
        # A queue gives a worker to whoever asks the moment that it is free, before those who wait; a lock keeps turns.
        async with self._turn:
            while True:
                worker = await self._idle.get()
                if not worker.reader.at_eof():
                    return worker
                self._replace(worker)

    def _replace(self, worker: Worker) -> None:
        self._workers.discard(worker)
        worker.kill()
        if self._closed:
            return
        self.restarts += 1
        task = asyncio.create_task(self._persist())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _persist(self) -> None:
        pause = 0.5
        while True:
            try:
                return await self._add()
            except (ModelError, OSError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, 30.0)

    async def _add(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(self.preload))
        ours, theirs = socket.socketpair()
        process = context.Process(target=self.target, args=(theirs, *self.args), daemon=True)
        process.start()
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        worker = Worker(process, reader, writer)
        self._workers.add(worker)
        try:
            async with asyncio.timeout(START_SECONDS):
                reply = await worker.receive()
        except (OSError, EOFError, ValueError) as error:
            self._workers.discard(worker)
            worker.kill()
            raise ModelError("a worker process could not be started. See its message above") from error
        if "failed" in reply:
            self._workers.discard(worker)
            worker.kill()
            raise ModelError(reply["failed"])
        self.ready = reply["ready"]
        self._idle.put_nowait(worker)
