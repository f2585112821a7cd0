"""Connections: those that say nothing or trickle are cut off, and make room for others where there are too many."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import suppress

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from ionvolt.web.problems import MEDIA_TYPE, Problem, problem
from ionvolt.web.security import HEADERS

HEADER_SECONDS = 10.0
"""Time that a connection has to come up with a request, the first or, once it has begun, one more."""

MAX_CONNECTIONS = 4_000
RESERVED_FILES = 200
"""Open files that are no connections."""


class PromptProtocol(H11Protocol):
    """HTTP/1.1 with a clock on every request's head, and errors as problem+json."""

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock; where there are too many connections, one that has not asked anything makes room."""
        super().connection_made(transport)
        self._start()
        if len(self.connections) > most_connections():
            silent = (other for other in self.connections if isinstance(other, PromptProtocol) and other._clock)
            victim = min(silent, key=lambda other: other._clock.when() if other._clock else 0.0, default=self)
            victim.transport.abort()

    def data_received(self, data: bytes) -> None:
        """The clock runs while a request's head is incomplete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._clock is None and self.conn.trailing_data[0]:
            self._start()

    def on_response_complete(self) -> None:
        """What has come in the meantime may be the beginning of one more request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self._clock is None and self.conn.trailing_data[0]:
            self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        error = problem("malformed", "request", "it is no HTTP/1.1 that can be read", "See /api/v1/openapi.json")
        self._last_word(error)

    def _last_word(self, error: Problem) -> None:
        headers = {"Content-Type": MEDIA_TYPE, "Connection": "close", "Cache-Control": "no-store", **HEADERS}
        body = json.dumps(error.to_dict()).encode()
        headers["Content-Length"] = str(len(body))
        events = (
            h11.Response(status_code=error.status, headers=list(headers.items()), reason=STATUS_PHRASES[error.status]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        with suppress(h11.LocalProtocolError):  # an answer is under way already
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start(self) -> None:
        self._clock = self.loop.call_later(HEADER_SECONDS, self._cut_off)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _cut_off(self) -> None:
        self._clock = None
        if not self.transport.is_closing():
            self.transport.close()


def most_connections() -> int:
    """As many as the open files allow."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(50, min(MAX_CONNECTIONS, soft - RESERVED_FILES))


def raise_open_files() -> None:
    """Take as many open files as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))
