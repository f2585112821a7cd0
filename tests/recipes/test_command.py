"""``ionvolt recipe``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ionvolt.cli.main import app
from ionvolt.datasets import write_dataset
from ionvolt.errors import IonVoltError
from recipes import fake
from recipes.test_mlip import SETTINGS
from recipes.toy import toy

pytestmark = pytest.mark.slow

RUNNER = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "toy.parquet"
    write_dataset(toy(), path)
    return path


def test_list() -> None:
    result = RUNNER.invoke(app, ["recipe", "list", "--json"])
    found = {recipe["name"]: recipe for recipe in json.loads(result.stdout)}
    assert found["mlip"]["makes"] == ["foundation-mp2025", "delta-mp2025"]
    asked_for = {step["name"]: step["asked_for"] for step in found["mlip"]["steps"]}
    assert [name for name, only_then in asked_for.items() if not only_then] == [
        "features",
        "evaluate",
        "fit",
    ]
    assert asked_for["relaxed"]
    assert "cgcnn-mp2020" in RUNNER.invoke(app, ["recipe", "list"]).stdout


def test_run_evaluate_release(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps, errors of two folds, and the models put into a folder."""
    from ionvolt.recipes import registry
    from ionvolt.recipes.mlip.recipe import MlipRecipe

    fake.use(monkeypatch)
    monkeypatch.setattr(registry, "recipes", lambda: {"mlip": MlipRecipe(SETTINGS)})
    asked: list[Path] = []
    monkeypatch.setattr(MlipRecipe, "check", lambda self, job, folder: asked.append(folder))
    call = [str(data), "-o", str(tmp_path / "run")]
    result = RUNNER.invoke(app, ["recipe", "run", "mlip", *call, "--only", "features"])
    assert result.exit_code == 0, result.output
    assert "38/38 00018.npz" in result.stderr
    result = RUNNER.invoke(app, ["recipe", "evaluate", "mlip", *call, "--folds", "0,2"])
    assert result.exit_code == 0, result.output
    assert "both, framework 3-fold" in result.stdout
    assert "12/12 " in result.stderr
    shipped = ["--label", "mp2025", "--to", str(tmp_path / "weights")]
    result = RUNNER.invoke(app, ["recipe", "release", "mlip", *call, *shipped])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "weights").iterdir()} == {"foundation-mp2025", "delta-mp2025"}
    assert [folder.name for folder in asked] == ["foundation-mp2025", "delta-mp2025"]


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["run", "mlip", "DATA", "--only", "dance"], "no step of mlip. Choose from features, relaxed, "),
        (["run", "mlp", "DATA"], "no recipe. Did you mean mlip"),
        (["evaluate", "mlip", "DATA", "--folds", "first"], "folds are numbers"),
        (["evaluate", "mlip", "DATA", "--ions", "Al"], "no electrode of Al is left"),
        (["evaluate", "mlip", "DATA"], "Compute them first"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], rule: str, data: Path, tmp_path: Path) -> None:
    call = [str(data) if word == "DATA" else word for word in words]
    result = RUNNER.invoke(app, ["recipe", *call, "-o", str(tmp_path / "run")])
    assert isinstance(result.exception, IonVoltError)
    assert rule in str(result.exception)
