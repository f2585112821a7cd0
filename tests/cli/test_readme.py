"""The numbers that README and the first hour show are those that the command prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.blocks import blocks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "$ ionvolt examples\n"


@pytest.fixture(scope="module")
def printed(ionvolt) -> list[str]:
    result = ionvolt("examples")
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()


@pytest.mark.parametrize(("page", "rows"), [("README.md", 5), ("docs/first-hour.md", 8)])
def test_the_known_electrodes_are_as_the_command_prints_them(printed: list[str], page: str, rows: int) -> None:
    (text,) = [block.text for block in blocks(ROOT / page) if COMMAND in block.text]
    shown = [line for line in text.partition(COMMAND)[2].splitlines() if line != "…"]
    assert sum(" ± " in line for line in shown) == rows
    left = iter(printed)
    for line in shown:
        assert any(_alike(line, other) for other in left), f"{page}: {line}"


def _alike(line: str, other: str) -> bool:
    """The same words; numbers may differ in the second decimal, as they do between versions of PyTorch."""
    words, others = line.split(), other.split()
    return len(words) == len(others) and all(map(_same, words, others))


def _same(word: str, other: str) -> bool:
    try:
        return abs(float(word) - float(other)) < 0.021
    except ValueError:
        return word == other
