"""README and docs: every command exists as it is written, and every block is run or says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

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
def test_blocks_run_in_order(page: Path, tmp_path: Path) -> None:
    """All blocks of a page in one folder, Python blocks in one namespace: what a reader does."""
    names: dict[str, object] = {"__name__": "docs"}
    environment = os.environ | {"PATH": f"{_command(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"}
    work = tmp_path / "work"
    work.mkdir()
    before = Path.cwd()
    os.chdir(work)
    try:
        for block in blocks(page):
            if block.language not in RUN or block.why_not:
                continue
            if block.language == "python":
                exec(compile(block.text, str(block), "exec"), names)
                continue
            done = subprocess.run(
                ["bash", "-c", block.text], env=environment, capture_output=True, text=True, check=False, timeout=1200
            )
            # 1: some inputs were refused, which a page may show.
            assert done.returncode in (0, 1), f"{block}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr, f"{block}\n{done.stderr}"
    finally:
        os.chdir(before)


def _command(folder: Path) -> Path:
    """A folder with an ``ionvolt`` that runs this source with this Python."""
    folder.mkdir()
    script = folder / "ionvolt"
    source = ROOT / "src"
    script.write_text(
        f"#!/bin/sh\nPYTHONPATH={source}${{PYTHONPATH:+:$PYTHONPATH}} exec {sys.executable} -c "
        "'from ionvolt.cli.main import main; main()' \"$@\"\n"
    )
    script.chmod(0o755)
    return folder
