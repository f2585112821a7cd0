"""What the package says that it needs is said alike in all places."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def bounds(lines: list[str]) -> dict[str, str]:
    """Bounds of requirements by name, without blanks."""
    parts = [re.fullmatch(r"([A-Za-z0-9_-]+)\s*(.*)", line) for line in lines]
    return {CONDA_NAMES.get(m[1], m[1]): m[2].replace(" ", "") for m in parts if m}


def test_conda_recipe_needs_what_the_package_needs():
    text = (ROOT / "deploy/conda/recipe.yaml").read_text(encoding="utf-8")
    run = text.split("  run:\n")[1].split("\n\n")[0]
    found = bounds([line.strip().removeprefix("- ") for line in run.splitlines()])
    extras = PROJECT["optional-dependencies"]
    wanted = bounds([*PROJECT["dependencies"], *extras["fast"], *extras["web"]])
    assert found.pop("python") == PROJECT["requires-python"]
    assert found == wanted


def test_every_requirement_has_a_lowest_version():
    """Without one a resolver for lowest versions takes releases of decades ago."""
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        assert ">=" in line or line.startswith("ionvolt["), line
