"""How a worker talks with the server: length and JSON, one answer for each task. No pickle, no torch."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

LENGTH = struct.Struct("!I")
"""Before every message: its number of bytes."""

Message = dict[str, Any]


class Link:
    """The worker's end."""

    def __init__(self, link: socket.socket) -> None:
        self._stream = link.makefile("rwb")

    def send(self, message: Message) -> None:
        """Send a message."""
        data = json.dumps(message).encode()
        self._stream.write(LENGTH.pack(len(data)) + data)
        self._stream.flush()

    def receive(self) -> Message | None:
        """The next message; None when the server is gone."""
        head = self._stream.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        message: Message = json.loads(self._stream.read(LENGTH.unpack(head)[0]))
        return message

    def serve(self, answer: Callable[[Message], Message]) -> None:
        """Answer one task after the other until the server is gone."""
        with contextlib.suppress(OSError):
            while (task := self.receive()) is not None:
                self.send(answer(task))


def leave_signals_to_the_server() -> None:
    """Ctrl-C reaches all processes of a terminal, but the server ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
