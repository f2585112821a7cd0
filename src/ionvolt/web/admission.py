"""Who may ask for how much at one time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ionvolt.web.problems import problem
from ionvolt.web.settings import Settings
from ionvolt.web.turns import Turns

MOST_RETRY_SECONDS = 120


class Admission:
    """Counts what is open, of each client and of all.

    Attributes:
        active: Requests that are answered or wait.
        pieces: Structures times ions of all that is answered or waits.
    """

    def __init__(self, settings: Settings, turns: Turns) -> None:
        self.settings = settings
        self.turns = turns
        self.active = 0
        self.pieces = 0
        self._requests: Counter[str] = Counter()
        self._pieces: Counter[str] = Counter()

    @contextmanager
    def request(self, client: str) -> Iterator[None]:
        """A request while it is answered.

        Raises:
            Problem: The client, or all together, have too many.
        """
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

    def begin(self, client: str, pieces: int) -> None:
        """Take note of structures times ions that are asked for; ``end`` takes it back.

        Raises:
            Problem: The client, or all together, have too many.
        """
        if self._pieces[client] + pieces > self.settings.client_pieces:
            rule = f"more than {self.settings.client_pieces} structures times ions of yours at one time"
            raise problem("share", "request", rule, "Wait until some are answered", self._retry(client))
        if self.pieces + pieces > self.settings.max_pieces:
            raise problem("overloaded", "request", "too much to answer at one time", "Try again soon")
        self.pieces += pieces
        self._pieces[client] += pieces

    def end(self, client: str, pieces: int) -> None:
        """They are answered or given up."""
        self.pieces -= pieces
        self._pieces[client] -= pieces
        if not self._pieces[client]:
            del self._pieces[client]

    def _retry(self, client: str) -> dict[str, str]:
        """When some of what the client has waiting will be done."""
        seconds = self.turns.seconds_of(client) / self.settings.workers
        return {"Retry-After": str(max(1, min(MOST_RETRY_SECONDS, round(seconds))))}
