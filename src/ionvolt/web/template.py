"""The process that workers are copied from: models are loaded once, and a new worker is there within milliseconds.

It holds no thread and answers no task. Where processes cannot be copied safely (all systems but Linux), every worker
gets a template of its own and becomes the worker itself.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.process import BaseProcess
from typing import Any

from ionvolt.errors import IonVoltError, ModelError
from ionvolt.parallel import one_thread_each
from ionvolt.web.link import LENGTH, Link, Message, Prepared, leave_signals_to_the_server, packed, received

START_SECONDS = 600.0
"""Time to load all models on a busy machine."""

COPIES = sys.platform == "linux"


@dataclass(eq=False)
class Worker:
    """A process and the link to it.

    Attributes:
        pid: Its number.
        reader: From it.
        writer: To it.
        end: Ends the process.
    """

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    end: Callable[[], None]

    async def ask(self, message: Message, heard: Callable[[Message], None] | None = None) -> Message:
        """Send a task and wait for the answer; ``heard`` is called with each progress told before."""
        self.writer.write(packed(message))
        await self.writer.drain()
        while True:
            reply = await received(self.reader)
            if "progress" not in reply:
                return reply
            if heard is not None:
                heard(reply["progress"])

    @property
    def gone(self) -> bool:
        """Whether it has died."""
        return self.reader.at_eof()

    def kill(self) -> None:
        """End the process at once."""
        self.writer.close()
        self.end()


class Template:
    """The server's end of it.

    Attributes:
        prepare: What the process runs first, as ``module:function``, so that the server need not import it: called
            with ``args``, it gives a ``Prepared``.
        args: They are pickled once, on the way from the server to its own process.
        preload: Modules imported once, before any process is started.
        facts: What the workers say of themselves.
    """

    def __init__(self, prepare: str, args: tuple[Any, ...], preload: tuple[str, ...] = ()) -> None:
        self.prepare = prepare
        self.args = args
        self.preload = preload
        self.facts: Message = {}
        self._process: BaseProcess | None = None
        self._control: socket.socket | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return None if self._process is None else self._process.pid

    async def worker(self, niceness: int = 0) -> Worker:
        """A new worker that is ready.

        Args:
            niceness: By how much it gives way to others on a busy machine.

        Raises:
            ModelError: It cannot be made ready.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(START_SECONDS):
                    return await (self._copy(niceness) if COPIES else self._alone(niceness))
            except (OSError, EOFError, ValueError) as error:
                self.close()
                raise ModelError("a worker process could not be started. See its message above") from error

    def close(self) -> None:
        """End the process; workers stay."""
        if self._writer is not None:
            self._writer.close()
        if self._control is not None:
            self._control.close()
        if self._process is not None and self._process.pid is not None:
            self._process.kill()
        self._process = self._control = self._reader = self._writer = None

    async def _copy(self, niceness: int) -> Worker:
        if self._process is None or not self._process.is_alive():
            self.close()
            self._process, self._control, self._reader, self._writer = await self._started(_serve_copies)
        assert self._control is not None
        assert self._reader is not None
        ours, theirs = socket.socketpair()
        with theirs:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
            # A few bytes into an empty line: they go at once.
            self._control.sendmsg([packed({"copy": niceness})], rights)
        pid = (await received(self._reader))["pid"]
        reader, writer = await asyncio.open_connection(sock=ours)
        return Worker(pid, reader, writer, lambda: self._end(pid))

    def _end(self, pid: int) -> None:
        """Only its parent can name a process without mistake: numbers of dead ones are used again."""
        with contextlib.suppress(OSError):
            if self._control is not None:
                self._control.sendmsg([packed({"end": pid})])

    async def _alone(self, niceness: int) -> Worker:
        process, _, reader, writer = await self._started(_serve_alone, niceness)
        assert process.pid is not None
        return Worker(process.pid, reader, writer, process.kill)

    async def _started(
        self, main: Callable[..., None], *more: object
    ) -> tuple[BaseProcess, socket.socket, asyncio.StreamReader, asyncio.StreamWriter]:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(self.preload))
        ours, theirs = socket.socketpair()
        process = context.Process(target=main, args=(theirs, self.prepare, self.args, *more), daemon=True)
        with one_thread_each():  # as many workers as cores: threads of each would only wait for each other
            process.start()
        theirs.close()
        control = ours.dup()
        control.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            reply = await received(reader)
        except (OSError, EOFError, ValueError):
            process.kill()
            raise
        if "failed" in reply:
            raise ModelError(reply["failed"])
        self.facts = reply["ready"]
        return process, control, reader, writer


def _made_ready(link: Link, prepare: str, args: tuple[Any, ...]) -> Prepared | None:
    leave_signals_to_the_server()
    module, _, function = prepare.partition(":")
    try:
        prepared: Prepared = getattr(import_module(module), function)(*args)
    except IonVoltError as error:
        link.send({"failed": str(error)})
        return None
    link.send({"ready": prepared.facts})
    return prepared


def _serve_alone(line: socket.socket, prepare: str, args: tuple[Any, ...], niceness: int) -> None:
    link = Link(line)
    if prepared := _made_ready(link, prepare, args):
        os.nice(niceness)
        prepared.enter()
        link.serve(prepared.answer)


def _serve_copies(line: socket.socket, prepare: str, args: tuple[Any, ...]) -> None:
    link = Link(line)
    prepared = _made_ready(link, prepare, args)
    if prepared is None:
        return
    # What is here now is shared with all copies; the collector would touch, and so copy, every page of it.
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    while True:
        message, handed = _control(line)
        children -= _reaped(children)
        if message is None:
            break
        if "end" in message:
            if message["end"] in children:
                with contextlib.suppress(OSError):
                    os.kill(message["end"], signal.SIGKILL)
            continue
        pid = os.fork()
        if pid == 0:
            os.close(line.detach())  # a stream holds it, too: closing the socket alone would keep the line open
            _be_a_worker(prepared, handed, message["copy"])
        os.close(handed)
        children.add(pid)
        link.send({"pid": pid})


def _control(line: socket.socket) -> tuple[Message | None, int]:
    """The next order of the server and the socket that came along (-1: none)."""
    try:
        head, handed, _, _ = socket.recv_fds(line, LENGTH.size, 1)
        while 0 < len(head) < LENGTH.size:
            head += line.recv(LENGTH.size - len(head))
        if not head:
            return None, -1
        body = b""
        (length,) = LENGTH.unpack(head)
        while len(body) < length:
            part = line.recv(length - len(body))
            if not part:
                return None, -1
            body += part
    except OSError:
        return None, -1
    return json.loads(body), handed[0] if handed else -1


def _reaped(children: set[int]) -> set[int]:
    """Children that have died; their numbers are given up."""
    found = set()
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0]:
                found.add(pid)
    return found


def _be_a_worker(prepared: Prepared, handed: int, niceness: int) -> None:
    """The copy's life; it never returns."""
    status = 1
    try:
        os.nice(niceness)
        prepared.enter()
        with socket.socket(fileno=handed) as line:
            Link(line).serve(prepared.answer)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)
