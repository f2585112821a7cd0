"""Progress on standard error, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType

from ionvolt.cli.terminal import console


class Bar:
    """A progress bar that appears where somebody can see it and leaves nothing behind."""

    def __init__(self, words: str, total: int | None = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task(words, total=total)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def to(self, done: int, total: int, words: str = "") -> None:
        """Set what is done, of how much; words where something else begins."""
        self._progress.update(self._task, completed=done, total=total, description=words or None)

    def advance(self, words: str | None = None, by: int = 1) -> None:
        """One more is done, or several."""
        self._progress.update(self._task, advance=by, description=words)

    def describe(self, words: str) -> None:
        """Something else begins."""
        self._progress.update(self._task, description=words)
