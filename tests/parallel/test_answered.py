"""Answers by several processes come in order, errors come through, and questions are read as they are needed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from ionvolt.errors import InputError, IonVoltError
from ionvolt.parallel import AHEAD, MOST, Work, answered, jobs_of, sensible_jobs


def squares(offset: int) -> Callable[[list[int]], list[tuple[int, int]]]:
    def answer(questions: list[int]) -> list[tuple[int, int]]:
        time.sleep(0.02 if questions[0] % 3 else 0.1)
        return [(q * q + offset, os.getpid()) for q in questions]

    return answer


def failing(kind: str) -> Callable[[list[int]], list[int]]:
    if kind == "setup":
        raise InputError("model", "it is broken", "Take another one")

    def answer(questions: list[int]) -> list[int]:
        if 5 in questions:
            if kind == "death":
                os._exit(9)
            raise InputError("five", "it is refused", "Take six")
        return questions

    return answer


@pytest.mark.parametrize("jobs", [1, 2])
def test_order_and_laziness(jobs: int) -> None:
    read: list[int] = []

    def questions():
        for n in range(100_000):
            read.append(n)
            yield n

    found = answered(Work(squares, (7,)), questions(), jobs)
    first = [next(found) for _ in range(40)]
    found.close()
    assert [value for value, _ in first] == [n * n + 7 for n in range(40)]
    assert len(read) <= 40 + MOST * (AHEAD * jobs + 1)
    assert (os.getpid() in {pid for _, pid in first}) == (jobs == 1)


COUNTED = """
import os
from multiprocessing import get_context
from ionvolt import device, parallel
parallel.for_process = lambda number: f"place {number}"
begun = get_context("spawn").Value("i", 0)
for _ in range(2):
    parallel._begin(None, begun)
    print(os.environ[device.VARIABLE])
"""


def test_each_process_is_told_where_potentials_run() -> None:
    """By its number. In a process of its own, as it takes signals and the environment."""
    done = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["place 0", "place 1", ""]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("kind", ["setup", "answer"])
def test_errors_come_through(kind: str, jobs: int) -> None:
    with pytest.raises(InputError, match=r"broken|refused") as error:
        list(answered(Work(failing, (kind,)), range(20), jobs))
    assert error.value.remedy


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(IonVoltError, match="memory"):
        list(answered(Work(failing, ("death",)), range(20), 2))


def test_numbers_of_processes() -> None:
    assert sensible_jobs(1) == sensible_jobs(8) == jobs_of(None, 3) == jobs_of(1, 1000) == 1
    assert jobs_of(3, 2) == 3
    assert 1 <= jobs_of(-1, 2) <= (os.cpu_count() or 1)
    with pytest.raises(InputError, match="n_jobs"):
        jobs_of(0, 2)
