"""Answers that are told as they come, and answers that nobody waits for any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from ionvolt.web.jobs import Job

Answer = TypeVar("Answer")


async def streamed(job: Job, start: int) -> AsyncIterator[str]:
    """The events of a job as server-sent events (HTML standard, section 9.2)."""
    async with aclosing(job.follow(start)) as events:
        async for event in events:
            if event is None:
                yield ": still there\n\n"
                continue
            number, kind, content = event
            yield f"id: {number}\nevent: {kind}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"


async def while_wanted(request: Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """An answer, given up where the client goes away before it is there.

    Raises:
        ClientDisconnect: It has.
    """
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise ClientDisconnect
    finally:
        answer.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
