"""Answers of a while ago: who asks the same again, or together with many others, does not wait for the same work."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

KEPT = ("predict", "relaxation")
"""Tasks whose answers are kept: none of them holds a structure."""


@dataclass
class Remembered:
    """The latest answers by what was asked; of the question its hash alone is kept.

    Attributes:
        most: Bytes of all answers together.
        seconds: Time that an answer is kept.
        held: Bytes at this moment.
    """

    most: int
    seconds: float
    held: int = 0
    _known: OrderedDict[bytes, tuple[float, bytes]] = field(default_factory=OrderedDict)

    def find(self, key: bytes) -> dict[str, Any] | None:
        """The answer to a question, if it is there."""
        found = self._known.get(key)
        if found is None:
            return None
        if found[0] < time.monotonic():
            self._drop(key)
            return None
        self._known.move_to_end(key)
        answer: dict[str, Any] = json.loads(found[1])
        return answer

    def keep(self, key: bytes, answer: dict[str, Any]) -> None:
        """Take note of an answer; the oldest give way."""
        if key in self._known:
            self._drop(key)
        data = json.dumps(answer).encode()
        self._known[key] = (time.monotonic() + self.seconds, data)
        self.held += len(data)
        while self.held > self.most:
            self._drop(next(iter(self._known)))

    def _drop(self, key: bytes) -> None:
        self.held -= len(self._known.pop(key)[1])


def key_of(task: dict[str, Any]) -> bytes | None:
    """What a question is known by; None where its answer is not kept."""
    if task.get("task") not in KEPT:
        return None
    return hashlib.sha256(json.dumps(task, sort_keys=True).encode()).digest()
