"""Threads of one answer: how many, and in which order."""

import threading
import time

import pytest

from ionvolt import parallel
from ionvolt.parallel import OWN_THREADS, THREADS, in_threads, one_thread_each, threads


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing is said of threads, and there are five cores."""
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(parallel, "cores", lambda: 5)
    return monkeypatch


def test_as_many_as_cores_where_nothing_is_said(said: pytest.MonkeyPatch) -> None:
    assert threads() == 5
    said.setattr(parallel, "cores", lambda: 200)
    assert threads() == parallel.MOST_THREADS


@pytest.mark.parametrize(("own", "others", "expected"), [("3", "1", 3), ("", "2", 2), ("4", "", 4), ("many", "0", 1)])
def test_variables_say_how_many(said: pytest.MonkeyPatch, own: str, others: str, expected: int) -> None:
    said.setenv(OWN_THREADS, own)
    said.setenv("OMP_NUM_THREADS", others)
    assert threads() == expected


def test_processes_of_many_take_one_each(said: pytest.MonkeyPatch) -> None:
    with one_thread_each():
        assert threads() == 1
    assert threads() == 5


def test_answers_come_in_order_and_at_the_same_time(said: pytest.MonkeyPatch) -> None:
    said.setenv(OWN_THREADS, "3")
    together = threading.Barrier(3, timeout=20)

    def work(number: int) -> int:
        together.wait()
        time.sleep(0.02 * (3 - number))
        return number

    assert in_threads(work, range(3)) == [0, 1, 2]


def test_an_error_ends_it(said: pytest.MonkeyPatch) -> None:
    said.setenv(OWN_THREADS, "2")
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 // number, [1, 0, 2])


def test_one_thread_needs_no_other(said: pytest.MonkeyPatch) -> None:
    said.setenv(OWN_THREADS, "1")
    assert in_threads(lambda _: threading.current_thread(), range(3)) == [threading.current_thread()] * 3
