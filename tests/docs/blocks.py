"""Fenced blocks of Markdown pages, and whether they are to be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "deploy/README.md",
    ROOT / "benchmarks/README.md",
]
RUN = ("bash", "python")
"""Languages whose blocks are run unless a comment above says why not."""

_FENCE = re.compile(r"^(?P<indent>\s*)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```\s*$", re.M | re.S)
_WHY_NOT = re.compile(r"<!-- not run: (?P<reason>[^>]+) -->\s*\Z")
_PAGE_NOT = re.compile(r"<!-- blocks not run: (?P<reason>[^>]+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The file.
        line: Where it begins.
        language: After the fence.
        text: What is inside.
        why_not: Why it is not run; empty: it is.
    """

    page: Path
    line: int
    language: str
    text: str
    why_not: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    whole = _PAGE_NOT.search(content)
    found = []
    for match in _FENCE.finditer(content):
        why_not = _WHY_NOT.search(content[: match.start()])
        reason = why_not["reason"] if why_not else whole["reason"] if whole else ""
        line = content[: match.start()].count("\n") + 1
        found.append(Block(page, line, match["language"], match["text"], reason))
    return found


def commands(block: Block) -> Iterator[list[str]]:
    """Arguments of every ``ionvolt`` command in a block of shell."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        line = line.removeprefix("$ ")
        for part in re.split(r"\s(?:\||&&)\s", line):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:
                continue
            for redirect in (">", ">>", "<"):
                if redirect in words:
                    words = words[: words.index(redirect)]
            if words[:1] == ["ionvolt"]:
                yield words[1:]
