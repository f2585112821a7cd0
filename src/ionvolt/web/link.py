"""How workers talk with the server: length and JSON. No pickle, no torch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("!I")
"""Before every message: its number of bytes."""

MAX_MESSAGE = 100_000_000

Message = dict[str, Any]


def packed(message: Message) -> bytes:
    """A message as it goes over the line."""
    data = json.dumps(message).encode()
    return LENGTH.pack(len(data)) + data


async def received(reader: asyncio.StreamReader) -> Message:
    """The next message, at the server's end.

    Raises:
        OSError, EOFError, ValueError: The other end is gone, or talks nonsense.
    """
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if length > MAX_MESSAGE:
        raise ConnectionError("too long a message")
    message: Message = json.loads(await reader.readexactly(length))
    return message


class Link:
    """The worker's end."""

    def __init__(self, link: socket.socket) -> None:
        self._stream = link.makefile("rwb")

    def send(self, message: Message) -> None:
        """Send a message."""
        self._stream.write(packed(message))
        self._stream.flush()

    def report(self, progress: Message) -> None:
        """Say how far the task has come."""
        self.send({"progress": progress})

    def receive(self) -> Message | None:
        """The next message; None when the server is gone."""
        head = self._stream.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        message: Message = json.loads(self._stream.read(LENGTH.unpack(head)[0]))
        return message

    def serve(self, answer: Answer) -> None:
        """Answer one task after the other until the server is gone."""
        with contextlib.suppress(OSError):
            while (task := self.receive()) is not None:
                self.send(answer(task, self))


Answer = Callable[[Message, Link], Message]
"""What a worker does with a task; it may tell its progress over the link before it returns the answer."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Prepared:
    """What a kind of worker needs to start at once.

    Attributes:
        answer: Does a task.
        facts: What it says of itself, plain JSON types.
        enter: Called first in each worker.
    """

    answer: Answer
    facts: Message
    enter: Callable[[], None] = _nothing


def leave_signals_to_the_server() -> None:
    """Ctrl-C reaches all processes of a terminal, but the server ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
