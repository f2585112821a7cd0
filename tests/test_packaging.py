"""What the package says that it needs is said alike in all places."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML

from ionvolt.cli.main import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md", "Makefile", "docs/install.md", "deploy/Containerfile", "deploy/ionvolt.service",
        ".github/workflows/tests.yml", ".github/workflows/docs.yml",
    )
}  # fmt: skip

COMMANDS = typer.main.get_group(app).commands


def yaml(path: str):
    return YAML(typ="safe").load(ROOT / path)


def test_every_requirement_has_a_lowest_version():
    """Without one a resolver for lowest versions takes releases of decades ago."""
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]:
        assert ">=" in line or line.startswith("ionvolt["), line


@pytest.mark.parametrize("name", TEXTS)
def test_extras_that_are_installed_exist(name):
    """``pip install '.[fast,web]'``, and ``CLONE[fast,web,mp]`` of the service."""
    for group in re.findall(r"(?:'\.|ionvolt|CLONE)\[([a-z,]+)\]", TEXTS[name]):
        assert set(group.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_the_conda_recipe_is_whole():
    recipe = yaml("deploy/conda/recipe.yaml")
    assert recipe["schema_version"] == 1
    assert recipe["package"] == {"name": PROJECT["name"], "version": "${{ version }}"}
    points = [f"{name} = {target}" for name, target in PROJECT["scripts"].items()]
    assert recipe["build"]["python"]["entry_points"] == points
    assert recipe["build"]["noarch"] == "python"
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    host = [line.replace(" ", "") for line in recipe["requirements"]["host"]]
    assert set(backend) | {f"python{PROJECT['requires-python']}", "pip"} == set(host)
    about = recipe["about"]
    assert (about["license"], [about["license_file"]]) == (PROJECT["license"], PROJECT["license-files"])
    assert (ROOT / about["license_file"]).is_file()
    for command in recipe["tests"][1]["script"]:
        _, first, *_ = command.split()
        assert first == "--version" or first in COMMANDS


def test_what_the_container_file_copies_is_there_and_what_it_starts_exists():
    text = TEXTS["deploy/Containerfile"].replace("\\\n", "")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        *sources, _ = line.split()
        assert [source for source in sources if not (ROOT / source).exists()] == []
    (entry,) = re.findall(r"^ENTRYPOINT \[(.+)\]$", text, re.M)
    words = [word.strip(' "') for word in entry.split(",")]
    serve = COMMANDS["serve"]
    serve.make_context("serve", words[2:])
    assert (words[0].rpartition("/")[2], words[1]) == ("ionvolt", "serve")
    (asked,) = re.findall(r"^HEALTHCHECK .*localhost:(\d+)", text, re.M)
    assert dict(pairwise(words))["--port"] == asked
    service = re.search(r"^ExecStart=\S+/ionvolt serve (.+)$", TEXTS["deploy/ionvolt.service"], re.M)
    serve.make_context("serve", service[1].split())


def test_workflows_use_what_is_there():
    for name in ("tests", "docs"):
        workflow = yaml(f".github/workflows/{name}.yml")
        steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
        assert steps
        for step in steps:
            for target in re.findall(r"make (\w+)", step):
                assert f"\n{target}: " in TEXTS["Makefile"]
            for script in re.findall(r"\S+\.py", step):
                assert (ROOT / script).is_file(), script
    matrix = yaml(".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    first, *_, last = matrix["python"]
    assert PROJECT["requires-python"] == f">={first}"
    for page in ("README.md", "docs/install.md"):
        assert f"Python {first} to {last}" in TEXTS[page]
    assert {"ubuntu-latest", "macos-latest"} == set(matrix["os"])
    assert matrix["include"][0]["versions"] == "lowest-direct"
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert marks["markers"][0].startswith("slow:")
