"""README and docs: every command exists as it is written, and every block is run or says why not."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer

from cli.conftest import run_command
from docs.blocks import PAGES, ROOT, RUN, Block, blocks, commands
from ionvolt.cli.main import app

pytestmark = pytest.mark.slow

EVERY = [block for page in PAGES for block in blocks(page)]
COMMANDS = [
    (block, words) for block in EVERY if block.language in ("bash", "sh", "console", "") for words in commands(block)
]
TO_RUN = [page for page in PAGES if any(b.language in RUN and not b.why_not for b in blocks(page))]


@pytest.mark.parametrize(("block", "words"), COMMANDS, ids=[f"{b} {' '.join(w)[:50]}" for b, w in COMMANDS])
def test_every_command_exists_as_written(block: Block, words: list[str]) -> None:
    group = typer.main.get_command(app)
    context = group.make_context("ionvolt", list(words), resilient_parsing=True)
    while hasattr(group, "resolve_command"):
        _, command, words = group.resolve_command(context, list(words))
        assert command is not None
        if "--help" in words or "-h" in words:
            return
        parent, group = context, command
        if hasattr(group, "resolve_command"):
            context = group.make_context(group.name, list(words), parent=parent, resilient_parsing=True)
    # Raises UsageError for an unknown option, a missing argument or a value that does not fit.
    group.make_context(group.name, list(words), parent=context)


def test_pages_have_blocks() -> None:
    assert len(EVERY) > 30
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("page", TO_RUN, ids=[str(page.relative_to(ROOT)) for page in TO_RUN])
def test_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page in one folder, Python blocks in one namespace: what a reader does."""
    names: dict[str, object] = {"__name__": "docs"}
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.language not in RUN or block.why_not:
            continue
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        else:
            _run(block)


def _run(block: Block) -> None:
    """Every line of a block of shell: commands of ionvolt in this process, where models are loaded already."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words, target = shlex.split(line, comments=True), None
        if words[-2:-1] == [">"]:
            words, target = words[:-2], Path(words[-1])
        if not words:
            continue
        assert words[0] == "ionvolt", f"{block}: only commands of ionvolt are run: {line}"
        done = run_command(*words[1:])
        # 1: some inputs were refused, which a page may show.
        assert done.code in (0, 1), f"{block}\n{done.out}\n{done.err}"
        if target is not None:
            target.write_text(done.out, encoding="utf-8")
