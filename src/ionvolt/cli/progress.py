"""Progress on standard error: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ionvolt.cli.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY_S = 10.0
"""Between two lines of progress where standard error is no terminal; what takes less tells nothing."""


class Bar:
    """What is done, of how much, how fast, and the time left: a bar that leaves nothing behind, or plain lines."""

    def __init__(self, words: str, total: int | None = None) -> None:
        self._words, self._done, self._total = words, 0, total
        self._told = time.monotonic()
        self._begun = 0
        """What was done when the present work began: what an earlier run has left is no part of the speed."""
        self._first: tuple[int, float] | None = None
        """What was done when, from which on speed is measured: getting ready is no part of it."""
        self._progress = _drawn() if sys.stderr.isatty() else None
        self._task = None if self._progress is None else self._progress.add_task(words, total=total, rate="")

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def to(self, done: int, total: int, words: str = "") -> None:
        """Set what is done, of how much; words where something else begins."""
        if words and words != self._words:
            self._begun, self._first = done, None
        self._done, self._total, self._words = done, total or None, words or self._words
        self._update()

    def advance(self, words: str | None = None, by: int = 1) -> None:
        """One more is done, or several."""
        self._done, self._words = self._done + by, words or self._words
        self._update()

    def describe(self, words: str) -> None:
        """Something else begins."""
        self._words = words
        self._update()

    def _update(self) -> None:
        now = time.monotonic()
        if self._done > self._begun and self._first is None:
            self._first = self._done, now
        done, seconds = (self._done - self._first[0], now - self._first[1]) if self._first else (0, 0.0)
        if self._progress is not None and self._task is not None:
            rate = _rate(done, seconds)
            self._progress.update(
                self._task, completed=self._done, total=self._total, description=self._words, rate=rate
            )
        elif now - self._told >= LINE_EVERY_S:
            self._told = now
            parts = [f"{self._words}: {self._done}" + (f" of {self._total}" if self._total else "")]
            if done > 0:
                parts.append(_rate(done, seconds))
                if self._total:
                    parts.append(f"{_duration(seconds / done * (self._total - self._done))} left")
            print(f"ionvolt: {', '.join(parts)}", file=sys.stderr, flush=True)


def _drawn() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        expand=True,
    )


def _rate(done: int, seconds: float) -> str:
    if done <= 0 or seconds <= 0:
        return ""
    return f"{done / seconds:.1f} a second" if done >= seconds else f"{seconds / done:.1f} s each"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
