"""What commands print is printed as it is."""

import ast
from pathlib import Path

import pytest
from rich.table import Table

from ionvolt.cli.terminal import WIDE, console

CLI = Path(__file__).parents[2] / "src" / "ionvolt" / "cli"


def test_text_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("file")
    words = "[bold]x[/] :heart: 1.5 " + "y" * (WIDE // 2)
    table.add_row(words)
    console().print(table)
    out = capsys.readouterr().out
    assert words in out.splitlines()[1]
    assert "\x1b" not in out
    console(stderr=True).print("[a]")
    assert capsys.readouterr().err == "[a]\n"


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.name)
def test_no_command_makes_a_console_of_its_own(path: Path) -> None:
    names = [node.func.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # fmt: skip
    assert path.name == "terminal.py" or "Console" not in names
