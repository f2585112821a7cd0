"""Whose turn it is: clients share by seconds used, and so do the requests of one client among each other."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Piece:
    """A piece of work that waits for a worker or has one.

    Attributes:
        client: Who asks.
        flow: For which of its requests.
        cost: Seconds that it is thought to take.
        number: Order of coming.
        start: Called when its turn has come.
    """

    client: Hashable
    flow: Hashable
    cost: float
    number: int
    start: Callable[[], None]


@dataclass(eq=False)
class _Flow:
    used: float
    running: int = 0
    waiting: deque[Piece] = field(default_factory=deque)


@dataclass(eq=False)
class _Client:
    used: float
    floor: float = 0.0
    running: int = 0
    flows: dict[Hashable, _Flow] = field(default_factory=dict)


class Turns:
    """Pieces that wait, and who is next.

    Who has used the least goes first (weighted fair queueing). Who comes anew, or comes back, starts at a floor that
    rises by what each of those present has had on average: nobody saves turns up, and nobody who waits is passed for
    ever by those who come after.
    """

    def __init__(self) -> None:
        self._clients: dict[Hashable, _Client] = {}
        self._floor = 0.0
        self._numbers = itertools.count()
        self.waiting = 0
        self.running = 0
        self.seconds = 0.0

    def seconds_of(self, client: Hashable) -> float:
        """Estimated seconds of what a client has waiting."""
        found = self._clients.get(client)
        return sum(piece.cost for flow in found.flows.values() for piece in flow.waiting) if found else 0.0

    def others(self, client: Hashable, flow: Hashable) -> float:
        """How many take turns with a flow: other clients, and other flows of its own."""
        party = self._clients.get(client)
        if party is None:
            return float(len(self._clients))
        own = len(party.flows) - (flow in party.flows)
        return float(len(self._clients) - 1 + own)

    def join(self, client: Hashable, flow: Hashable, cost: float, start: Callable[[], None]) -> Piece:
        """A new piece at the end of its flow."""
        piece = Piece(client, flow, cost, next(self._numbers), start)
        party = self._clients.setdefault(client, _Client(self._floor))
        known = party.flows.setdefault(flow, _Flow(party.floor))
        if not any(other.waiting for other in party.flows.values()):
            party.used = max(party.used, self._floor)
        if not known.waiting:
            known.used = max(known.used, party.floor)
        known.waiting.append(piece)
        self.waiting += 1
        self.seconds += cost
        return piece

    def next(self, *, light: bool = False) -> Piece | None:
        """Take the piece whose turn it is; it counts as running.

        Args:
            light: Only of flows that have nothing running.
        """
        best: tuple[tuple[float, float, int], _Client, _Flow] | None = None
        for party in self._clients.values():
            for flow in party.flows.values():
                if not flow.waiting or (light and flow.running):
                    continue
                rank = (party.used, flow.used, flow.waiting[0].number)
                if best is None or rank < best[0]:
                    best = rank, party, flow
        if best is None:
            return None
        _, party, flow = best
        piece = flow.waiting.popleft()
        for used in (party, flow):
            used.running += 1
        self._charge(party, flow, piece.cost)
        self.waiting -= 1
        self.seconds -= piece.cost
        self.running += 1
        return piece

    def done(self, piece: Piece, seconds: float) -> None:
        """A piece has run and took so long."""
        party = self._clients[piece.client]
        flow = party.flows[piece.flow]
        self._charge(party, flow, seconds - piece.cost)
        for used in (party, flow):
            used.running -= 1
        self.running -= 1
        self._forget(piece)

    def leave(self, piece: Piece) -> None:
        """A piece that waits is given up."""
        self._clients[piece.client].flows[piece.flow].waiting.remove(piece)
        self.waiting -= 1
        self.seconds -= piece.cost
        self._forget(piece)

    def _charge(self, party: _Client, flow: _Flow, seconds: float) -> None:
        flow.used += seconds
        party.used += seconds
        party.floor += seconds / len(party.flows)
        self._floor += seconds / len(self._clients)

    def _forget(self, piece: Piece) -> None:
        party = self._clients[piece.client]
        flow = party.flows[piece.flow]
        if not flow.running and not flow.waiting:
            del party.flows[piece.flow]
        if not party.flows:
            del self._clients[piece.client]
