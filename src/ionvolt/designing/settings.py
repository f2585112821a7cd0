"""What is asked of a design: targets, elements, and how much may be spent on it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from ionvolt.errors import InputError
from ionvolt.structures.crystal import ATOMIC_NUMBERS

Guide = Literal["local", "probability", "random"]
"""What puts candidates in order before any of them is predicted: local voltages, how often the substitution is seen in
known compounds, or chance."""


@dataclass(frozen=True)
class DesignSettings:
    """How candidates are made, chosen and judged.

    Attributes:
        voltage: Lowest and highest voltage that is wanted, V; None for any, the higher the better.
        max_volume_change: Largest change of the volume that is wanted, as a fraction; None for any.
        elements: Elements that may come in; empty for those of ``chemistry.DEFAULT``.
        exclude: Elements that no candidate may hold.
        guide: What puts candidates in order.
        candidates: Candidates that the fast model predicts, the first in that order.
        budget: Candidates that are relaxed, the best by the fast model; each relaxes two structures.
        changes: Elements of the host that are substituted at once, at most: 1 or 2.
        halves: Whether half of the equivalent atoms of a metal may be substituted, too.
        seed: Seed of what is drawn.
        fmax: Force below which a relaxation has converged, eV/Å.
        max_steps: Steps after which a relaxation stops.
        timeout: Seconds after which a relaxation stops; None for never.
    """

    voltage: tuple[float, float] | None = None
    max_volume_change: float | None = None
    elements: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    guide: Guide = "local"
    candidates: int = 96
    budget: int = 6
    changes: int = 2
    halves: bool = True
    seed: int = 0
    fmax: float = 0.1
    max_steps: int = 200
    timeout: float | None = 120.0

    def __post_init__(self) -> None:
        if self.guide not in ("local", "probability", "random"):
            raise InputError(f"guide {self.guide!r}", "no such guide", "Choose local, probability or random")
        if self.candidates < 1 or self.budget < 0:
            raise InputError(
                f"{self.candidates} candidates, budget {self.budget}",
                "at least one candidate is needed, and a budget is not negative",
                "Give such numbers",
            )
        if self.changes not in (1, 2):
            raise InputError(f"changes {self.changes}", "one or two elements are substituted at once", "Give 1 or 2")
        if self.max_volume_change is not None and not 0 < self.max_volume_change < math.inf:
            raise InputError(
                f"max volume change {self.max_volume_change:g}",
                "it is a fraction of the volume, above 0",
                "Give it as 0.1 for 10 %",
            )
        if self.voltage is not None and not self.voltage[0] < self.voltage[1]:
            raise InputError(
                f"voltage {self.voltage[0]:g}:{self.voltage[1]:g}",
                "the lowest voltage is not below the highest",
                "Write it as 2.5:3.5",
            )
        both = sorted(set(self.elements) & set(self.exclude))
        if both:
            raise InputError(", ".join(both), "asked for and excluded at once", "Leave it out of one of the two lists")


def parse_voltage(text: str) -> tuple[float, float]:
    """Read ``2.5:3.5``, ``2.5:`` or ``:3.5``.

    Raises:
        InputError: It is no such range.
    """
    matched = re.fullmatch(r"\s*(-?\d*\.?\d*)\s*:\s*(-?\d*\.?\d*)\s*", text)
    try:
        if matched is None or not any(matched.groups()):
            raise ValueError
        low, high = (float(part) if part else None for part in matched.groups())
    except ValueError as error:
        raise InputError(text, "not a range of voltages", "Write it as 2.5:3.5") from error
    return (-math.inf if low is None else low, math.inf if high is None else high)


def parse_elements(text: str) -> tuple[str, ...]:
    """Read ``Co,Ni`` into symbols, in the order given, without repeats.

    Raises:
        InputError: One of them is no element.
    """
    symbols = [part.strip().capitalize() for part in text.split(",") if part.strip()]
    wrong = [symbol for symbol in symbols if symbol not in ATOMIC_NUMBERS]
    if wrong or not symbols:
        raise InputError(wrong[0] if wrong else text or "''", "not an element", "Write symbols as Co,Ni")
    return tuple(dict.fromkeys(symbols))
