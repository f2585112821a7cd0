"""Many answers by several processes: in the order of the questions, a few seconds of work at a time, with flat memory.

``setup(*arguments)`` gives the function that answers; every process calls it once, so each loads a model of its own and
models never travel. Questions and answers travel between processes of one user's own run only. New processes are
started afresh (``spawn``), and the script of the user is not imported in them: it needs no ``if __name__`` guard.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ionvolt.device import VARIABLE, for_process
from ionvolt.errors import InputError, IonVoltError

if TYPE_CHECKING:
    from ionvolt.typing import ProgressCallback

Question = TypeVar("Question")
Answer = TypeVar("Answer")

QUICK_S, SLOW_S = 0.5, 2.0
"""A chunk that took less is followed by larger ones, one that took longer by smaller ones."""
MOST = 64
"""Questions in a chunk."""
AHEAD = 4
"""Chunks for each process that are asked before the first of them is answered."""
MEMORY_EACH = 2_000_000_000
"""Bytes of free memory for each process, where the number of processes is not given."""
FEW = 12
"""Questions up to which this process answers by itself: others would take as long to load their models."""

LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that say how many threads libraries take, which wait for each other where cores are busy."""
OWN_THREADS = "IONVOLT_THREADS"
"""How many threads ``in_threads`` takes; by default as many as ``OMP_NUM_THREADS`` says, else one a core."""
THREADS = (*LIBRARY_THREADS, "NUMBA_NUM_THREADS", OWN_THREADS)
"""All of them, and numba's, which must not change once it is imported."""
MOST_THREADS = 8
"""Of one answer, where no variable says otherwise: more have little to do."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads that this process takes for one answer."""
    for name in (OWN_THREADS, "OMP_NUM_THREADS"):
        if (said := os.environ.get(name, "")).isdecimal():
            return max(1, int(said))
    return min(cores(), MOST_THREADS)


def in_threads(work: Callable[[Question], Answer], items: Sequence[Question]) -> list[Answer]:
    """What a function makes of each, in order; functions that hold Python's lock take turns."""
    most = min(threads(), len(items))
    if most <= 1:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    # One that is made anew costs a tenth of a millisecond, and none is left behind in a process that is forked.
    with ThreadPoolExecutor(most) as pool:
        return list(pool.map(work, items))


def sensible_jobs(questions: int) -> int:
    """Processes for so many questions: one for a few, else one a core that this process may use, as memory allows."""
    if questions <= FEW:
        return 1
    return max(1, min(cores(), _free_memory() // MEMORY_EACH, questions // 4))


def _free_memory() -> int:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return 1 << 62


@dataclass(frozen=True)
class Work(Generic[Question, Answer]):
    """How questions are answered.

    Attributes:
        setup: A function of a module, which gives the function that answers a list of questions with a list as long.
        arguments: What it is called with, plain values.
    """

    setup: Callable[..., Callable[[list[Question]], list[Answer]]]
    arguments: tuple[Any, ...] = ()


def answered(
    work: Work[Question, Answer], questions: Iterable[Question], jobs: int = 1
) -> Generator[Answer, None, None]:
    """Answers in the order of the questions, as they come.

    Args:
        work: How they are answered. An error that it raises ends the whole.
        questions: Read as they are needed.
        jobs: Processes; 1 answers in this one.

    Raises:
        IonVoltError: A process ended without an answer.
    """
    size = _Size()
    left = iter(questions)
    chunks = iter(lambda: list(islice(left, size.now)), [])
    if jobs <= 1:
        answer = work.setup(*work.arguments)
        for chunk in chunks:
            begun = time.perf_counter()
            found = answer(chunk)
            size.took(time.perf_counter() - begun, len(chunk))
            yield from found
        return
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    with _pool(work, jobs) as pool:
        waiting: deque[Future[tuple[list[Answer], float]]] = deque()
        try:
            while True:
                while len(waiting) < AHEAD * jobs and (chunk := next(chunks, [])):
                    waiting.append(pool.submit(_answer, chunk))
                if not waiting:
                    return
                found, seconds = waiting.popleft().result()
                size.took(seconds, len(found))
                yield from found
        except BrokenProcessPool as error:
            raise IonVoltError(
                "a process ended without an answer, as happens where memory runs out. Take fewer (--jobs, n_jobs)"
            ) from error


class _Size:
    """How many questions a chunk has: as many as take about a second."""

    def __init__(self) -> None:
        self.now = 1

    def took(self, seconds: float, questions: int) -> None:
        if seconds < QUICK_S and questions >= self.now:
            self.now = min(MOST, 2 * self.now)
        elif seconds > SLOW_S:
            self.now = max(1, self.now // 2)


@contextmanager
def _pool(work: Work[Any, Any], jobs: int) -> Iterator[Any]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    context = get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _begin, (work, context.Value("i", 0)))
    try:
        with one_thread_each(), _main_left_out():
            pool.submit(_nothing).result()  # the first task starts all processes
        yield pool
    except BaseException:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        raise
    pool.shutdown()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started in the block take one thread each, so that cores are not asked for twice."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _main_left_out() -> Iterator[None]:
    """Processes that are started in the block do not import the script that runs: nothing of it is needed there."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in main.__dict__}
    main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(hidden)


_work: Work[Any, Any] | None = None
_ready: Callable[[list[Any]], list[Any]] | None = None


def _begin(work: Work[Any, Any], begun: Any) -> None:
    """Begin a process: Ctrl-C is left to the one that asked, and it ends when that one is gone.

    ``begun`` counts those before it, which decides where its potentials run.
    """
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    global _work
    _work = work
    with begun.get_lock():
        number, begun.value = begun.value, begun.value + 1
    os.environ[VARIABLE] = for_process(number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:

        def watch() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _nothing() -> None:
    return None


def _answer(chunk: list[Any]) -> tuple[list[Any], float]:
    global _ready
    assert _work is not None
    if _ready is None:
        _ready = _work.setup(*_work.arguments)
    begun = time.perf_counter()
    found = _ready(chunk)
    return found, time.perf_counter() - begun


@contextmanager
def shown(progress: ProgressCallback | bool, words: str) -> Iterator[ProgressCallback]:
    """What is told of progress: the caller's own function, a bar on standard error where it is True, or nothing."""
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield lambda done, total, words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False, emoji=False, highlight=False)) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total, more: bar.update(task, completed=done, total=total or None)


def jobs_of(n_jobs: int | None, questions: int) -> int:
    """Processes as ``n_jobs`` of the Python functions says: None is sensible for so many, -1 one a core.

    Raises:
        InputError: It is no such number.
    """
    if n_jobs is None:
        return sensible_jobs(questions)
    if n_jobs == -1:
        return sensible_jobs(1 << 30)
    if n_jobs < 1:
        raise InputError(f"n_jobs {n_jobs}", "no number of processes", "Give 1 or more, or -1 for one a core")
    return n_jobs
