"""Two programs timed turn by turn, so that a busy machine slows both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """What one measurement found.

    Attributes:
        name: Its name on the command line.
        title: In words.
        unit: Of ``reference`` and ``ours``.
        reference: Median of the reference.
        ours: Median of IonVolt.
        ratio: Median of the turns' ratios, reference over ours.
        lowest: Lowest ratio of a turn.
        highest: Highest ratio of a turn.
        target: What the ratio should be at least.
        note: How it was measured, where that needs saying.
    """

    name: str
    title: str
    unit: str
    reference: float
    ours: float
    ratio: float
    lowest: float
    highest: float
    target: float
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.ratio >= self.target


def seconds(work: Callable[[], object], passes: int = 1) -> float:
    """Time of one pass."""
    start = time.perf_counter()
    for _ in range(passes):
        work()
    return (time.perf_counter() - start) / passes


def interleaved(
    reference: Callable[[], object],
    ours: Callable[[], object],
    *,
    repeats: int,
    passes: int = 1,
    per: float = 1.0,
) -> tuple[list[float], list[float]]:
    """Times of reference, ours, reference, ours, ...; ``passes`` of ours a turn; all divided by ``per``."""
    times: tuple[list[float], list[float]] = ([], [])
    ours()
    for _ in range(repeats):
        times[0].append(seconds(reference) / per)
        times[1].append(seconds(ours, passes) / per)
    return times


def compared(
    name: str, title: str, unit: str, times: tuple[list[float], list[float]], target: float, note: str = ""
) -> Comparison:
    """The comparison of interleaved times (or sizes)."""
    ratios = [reference / ours for reference, ours in zip(*times, strict=True)]
    return Comparison(
        name=name,
        title=title,
        unit=unit,
        reference=statistics.median(times[0]),
        ours=statistics.median(times[1]),
        ratio=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        target=target,
        note=note,
    )
