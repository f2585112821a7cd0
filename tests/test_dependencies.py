"""What the sources import is declared, with a lower bound; the environment and the conda recipe keep to it."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "ionvolt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NAMES = {"sklearn": "scikit-learn", "mp_api": "mp-api"}
"""Packages whose module has another name."""

IF_THERE = {"pandas"}
"""Used where somebody has it: a table then becomes a DataFrame."""


def requirements() -> list[Requirement]:
    extras = [wanted for name, group in PROJECT["optional-dependencies"].items() for wanted in group
              if name not in ("test", "docs")]  # fmt: skip
    return [Requirement(wanted) for wanted in (*PROJECT["dependencies"], *extras)]


@cache
def imported() -> dict[str, str]:
    """Third-party packages that the sources import anywhere, and a file that does."""
    found: dict[str, str] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules = [node.module]
            found |= {module.split(".")[0]: path.relative_to(SOURCE).as_posix() for module in modules}
    return {name: where for name, where in found.items() if name not in sys.stdlib_module_names and name != "ionvolt"}


def test_every_import_is_declared() -> None:
    declared = {requirement.name for requirement in requirements()} | IF_THERE
    missing = {name: where for name, where in imported().items() if NAMES.get(name, name) not in declared}
    assert not missing


def test_every_declared_package_is_imported() -> None:
    """python-multipart is asked for by FastAPI where forms are read."""
    used = {NAMES.get(name, name) for name in imported()} | {"python-multipart"}
    assert {requirement.name for requirement in requirements()} <= used


@pytest.mark.parametrize("wanted", requirements(), ids=str)
def test_each_has_a_lower_bound_that_the_environment_keeps(wanted: Requirement) -> None:
    assert any(bound.operator in (">=", "==") for bound in wanted.specifier) or wanted.name in IF_THERE
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed here")
    assert wanted.specifier.contains(version, prereleases=True)


@pytest.mark.parametrize("name", ["chgnet", "sevenn", "e3nn"])
def test_packages_whose_private_functions_are_used_have_an_upper_bound(name: str) -> None:
    (wanted,) = [requirement for requirement in requirements() if requirement.name == name]
    assert any(bound.operator in ("<", "==") for bound in wanted.specifier)


def test_constraints_are_within_the_bounds() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    bounds = {requirement.name: requirement.specifier for requirement in requirements()}
    for line in filter(None, (line.split("#")[0].strip() for line in lines)):
        name, version = line.split("==")
        assert bounds[name].contains(version), line


def test_the_conda_recipe_asks_for_what_the_package_asks_for() -> None:
    recipe = (ROOT / "deploy/conda/recipe.yaml").read_text(encoding="utf-8")
    listed = set(re.findall(r"^    - (.+)$", recipe.split("  run:\n")[1].split("\ntests:")[0], re.M))
    extras = PROJECT["optional-dependencies"]
    expected = {f"python {PROJECT['requires-python']}"}
    for wanted in (*PROJECT["dependencies"], *extras["fast"], *extras["web"]):
        match = re.fullmatch(r"([\w-]+)(.*)", wanted)
        assert match is not None
        name = {"torch": "pytorch", "matplotlib": "matplotlib-base"}.get(match[1], match[1])
        expected.add(f"{name} {match[2]}")
    assert listed == expected
