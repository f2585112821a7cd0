"""Reading a request within bounds on bytes and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import ClientDisconnect, Request

from ionvolt.web.problems import Problem, problem
from ionvolt.web.settings import Settings

DISCARD_SECONDS = 3.0


class Buffer:
    """Counts the bytes of all requests that are being read or answered."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body of a request; its bytes count until the answer is made.

        Raises:
            Problem: Too large, too slow, or too much at one time.
        """
        limit = self.settings.max_body
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            await _discard(request)
            raise _too_large(limit)
        coding = request.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise problem("media-type", "request", "its content is encoded", "Send it without Content-Encoding")
        held = _Held(self)
        try:
            yield await held.read(request)
        finally:
            self.held -= held.size


class _Held:
    """The bytes of one request, counted while they come in."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.size = 0

    async def read(self, request: Request) -> bytes:
        settings = self.buffer.settings
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(settings.body_seconds):
                async for part in request.stream():
                    self.size += len(part)
                    self.buffer.held += len(part)
                    if self.size > settings.max_body or self.buffer.held > settings.max_buffered:
                        break
                    parts.append(part)
                else:
                    return b"".join(parts)
        except TimeoutError:
            rule = f"it did not arrive within {settings.body_seconds:g} s"
            close = {"Connection": "close"}
            raise problem("slow", "request", rule, "Send less, or over a faster line", close) from None
        except ClientDisconnect:
            raise problem("malformed", "request", "it broke off", "Send it whole") from None
        parts.clear()
        await _discard(request)
        if self.size > settings.max_body:
            raise _too_large(settings.max_body)
        raise problem("overloaded", "request", "too many requests at one time", "Try again soon")


async def _discard(request: Request) -> None:
    """Let the rest of a body pass by for a while: a client that is still sending would miss the answer."""
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while (await request.receive()).get("more_body", False):
                pass


def _too_large(limit: int) -> Problem:
    rule = f"it holds more than {limit / 1e6:g} MB"
    return problem("too-large", "request", rule, "Send fewer structures at a time", {"Connection": "close"})
