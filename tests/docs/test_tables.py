"""Tables that scripts write stand on their pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARKS = [
    (path, name, text)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for name, text in re.findall(
        r"<!-- ([a-z][a-z0-9 -]*) -->\n(.*?)<!-- end \1 -->", path.read_text(encoding="utf-8"), re.DOTALL
    )
]


def test_there_are_tables() -> None:
    assert len(MARKS) > 30


@pytest.mark.parametrize(("path", "name", "text"), MARKS, ids=[f"{path.stem} {name}" for path, name, _ in MARKS])
def test_no_table_is_missing(path: Path, name: str, text: str) -> None:
    assert text.strip(), f"{path.relative_to(ROOT)}: nothing between <!-- {name} --> and its end"
