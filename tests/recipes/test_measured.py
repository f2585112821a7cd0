"""The recipe of measured voltages, on a part of the package's own tables."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ionvolt.experiment
from ionvolt.cli.main import app
from ionvolt.errors import IonVoltError
from ionvolt.models.measured.estimate import FOLDERS, read_measured
from ionvolt.recipes.job import Job
from ionvolt.recipes.measured import recipe

pytestmark = pytest.mark.slow

RUNNER = CliRunner()
TABLES = Path(ionvolt.experiment.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tables, of which no more than the electrodes of Ca and Zn take part."""
    for name in recipe.TABLES:
        shutil.copy(TABLES / name, tmp_path)
    return tmp_path


def test_run_evaluate_and_release(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [str(folder), "-o", str(folder / "run"), "--ions", "Ca,Zn"]
    done = RUNNER.invoke(app, ["recipe", "evaluate", "measured", *asked, "--json"])
    assert done.exit_code == 0, done.output
    lines = {(line["test"], line["ion"]): line for line in json.loads(done.stdout)}
    whole = lines["ends with r2SCAN", "all"]
    assert whole["n"] == lines["ends with r2SCAN", "Ca"]["n"] + lines["ends with r2SCAN", "Zn"]["n"]
    assert whole["mae_low"] < whole["mae"] < whole["mae_high"]
    assert 0.01 < whole["mae"] < 1
    # What has been answered is not asked again; the models go where they are told to, and say what they learned from.
    monkeypatch.setattr(recipe, "_held_out", None)
    done = RUNNER.invoke(app, ["recipe", "release", "measured", *asked, "--to", str(folder / "weights")])
    assert done.exit_code == 0, done.output
    for name in FOLDERS.values():
        card = read_measured(folder / "weights" / "measured-2026" / name).card
        assert set(card.ions) <= {"Ca", "Zn"}
        assert all(cathode.startswith(("Ca ", "Zn ")) for cathode in card.training["cathodes"])


def test_models_of_other_tables_have_another_name_and_are_not_released(folder: Path) -> None:
    text = (folder / "cathodes.csv").read_text(encoding="utf-8")
    (folder / "cathodes.csv").write_text(text.replace(",3.45,", ",3.40,", 1), encoding="utf-8")
    job = Job(folder, folder / "run")
    assert {path.parent.name for path in recipe.MeasuredRecipe().models(job)} == {"measured-own"}


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda folder: (folder / "calculated.csv").unlink(), "no folder with cathodes.csv and calculated.csv"),
        (lambda folder: (folder / "calculated.csv").write_text("cathode\nx\n"), "is not as in the package's"),
    ],
)
def test_tables_that_are_no_tables(folder: Path, spoil, rule: str) -> None:
    spoil(folder)
    done = RUNNER.invoke(app, ["recipe", "evaluate", "measured", str(folder), "-o", str(folder / "run")])
    assert isinstance(done.exception, IonVoltError)
    assert rule in str(done.exception)
