"""What the package says that it needs is said alike in all places."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_requirement_has_a_lowest_version():
    """Without one a resolver for lowest versions takes releases of decades ago."""
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        assert ">=" in line or line.startswith("ionvolt["), line
