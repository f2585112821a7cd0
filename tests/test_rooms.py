"""A room imports only rooms that stand above it in docs/architecture.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ionvolt"
TABLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in TABLE.splitlines() if line.startswith("| `")]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imports(path: Path) -> set[str]:
    """Rooms that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("ionvolt.")}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    assert room in LEVEL, f"{room} is not in docs/architecture.md"
    for other in imports(path) & LEVEL.keys():
        allowed = other == room or LEVEL[other] < LEVEL[room]
        assert allowed, f"{room} imports {other}, which stands beside or below it"


READERS = {f"ionvolt.structures.{name}" for name in (
    "archives", "cif", "contents", "disorder", "reading", "shelx", "structure_documents", "trajectory", "xyz",
)}  # fmt: skip
"""Formats hold each other (a CIF in an archive, a JSON document in a list), so their readers call each other."""


def imported(path: Path, modules: set[str]) -> set[str]:
    """Modules of the package that a file imports, at its top or later."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def test_no_module_imports_itself_by_way_of_others() -> None:
    paths = {path.relative_to(SOURCE.parent).with_suffix("").as_posix().replace("/", "."): path
             for path in SOURCE.rglob("*.py")}  # fmt: skip
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    left = {name: imported(path, set(paths)) - {name, "ionvolt"} for name, path in paths.items()}
    # Whoever imports only what has been taken away is in no circle.
    while free := [name for name, found in left.items() if not found]:
        left = {name: found - set(free) for name, found in left.items() if name not in free}
    while free := [name for name in left if not any(name in found for found in left.values())]:
        left = {name: found for name, found in left.items() if name not in free}
    assert [name for name in left if name not in READERS] == []


def test_files_that_the_table_of_questions_names_are_there() -> None:
    answers = TABLE.split("| question | file |")[1].split("\n\n")[0]
    named = [name for line in answers.splitlines()[2:] for name in re.findall(r"`([\w/.]+)`", line.split("|")[2])]
    assert len(named) > 15
    assert [name for name in named if not (SOURCE / name).exists()] == []
