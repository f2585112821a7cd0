"""The recipe of the paper's network, on a toy data set."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionvolt.datasets import write_dataset
from ionvolt.errors import DataError
from ionvolt.models.registry import load_model
from ionvolt.recipes.cgcnn.cross_validation import HELD_OUT, IonPredictions, read_unit
from ionvolt.recipes.cgcnn.recipe import CgcnnRecipe
from ionvolt.recipes.cgcnn.settings import CgcnnSettings, HeldOutTest
from ionvolt.recipes.job import Job, Selection
from ionvolt.recipes.release import release
from ionvolt.training.settings import FINE_TUNE, HEAD, Settings
from recipes.toy import many

pytestmark = pytest.mark.slow

SETTINGS = CgcnnSettings(
    tests=(
        HeldOutTest("paper", "framework", (0, 1), 2, scratch=True, fine_tuned_seeds=1),
        HeldOutTest("none", "random", (0,), 2),
    ),
    li=Settings(epochs=1),
    head=replace(HEAD, epochs=3),
    scratch=Settings(epochs=1),
    fine_tune=replace(FINE_TUNE, epochs=1),
    final_members=2,
    checked=5,
)
RECIPE = CgcnnRecipe(SETTINGS)


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A run that was killed after its first unit, and went on."""
    folder = tmp_path_factory.mktemp("cgcnn")
    write_dataset(many(), folder / "many.parquet")

    def kill(done: int, total: int, words: str) -> None:
        if done == 1:
            raise KilledError

    job = Job(folder / "many.parquet", folder / "run")
    with pytest.raises(KilledError):
        RECIPE.do("evaluate", replace(job, progress=kill))
    first = next((folder / "run" / HELD_OUT).glob("*.json"))
    before = first.stat().st_mtime_ns
    RECIPE.do("evaluate", job)
    assert first.stat().st_mtime_ns == before
    RECIPE.do("fit", job)
    return job


def test_held_out_predictions_are_those_of_frameworks_that_li_has_not_seen(done: Job) -> None:
    units = {path.stem: read_unit(path) for path in (done.folder / HELD_OUT).glob("*.json")}
    assert set(units) == {"paper-framework-0", "paper-framework-1", "none-random-0"}
    first, second = units["paper-framework-0"], units["paper-framework-1"]
    assert first is not None
    assert second is not None
    assert set(first) == {"Li", "Mg"}
    assert first["Li"].more["excluded_frameworks"] > 0
    n = len(first["Mg"].target)
    assert set(first["Mg"].predicted) == {
        "mean",
        "li_model",
        "scratch",
        "fine_tuned",
        "transfer",
        "transfer_first_member",
    }
    assert all(len(values) == n for values in first["Mg"].predicted.values())
    assert "fine_tuned" not in second["Mg"].predicted
    assert "scratch" in second["Mg"].predicted


def test_predictions_are_kept_as_they_are(done: Job) -> None:
    path = done.folder / HELD_OUT / "none-random-0.json"
    stored = json.loads(path.read_text(encoding="utf-8"))["ions"]["Mg"]
    assert IonPredictions.from_dict(stored).to_dict() == stored


def test_the_card_has_the_held_out_errors_and_the_model_answers(done: Job, tmp_path: Path) -> None:
    (folder,) = release(RECIPE, done, tmp_path)
    model = load_model(folder)
    card = model.card
    assert folder.name == model.card.name == "cgcnn-toy"
    lines = {(line.test, line.ion): line for line in RECIPE.report(done)}
    errors = card.errors("Mg")["paper/framework"]
    assert errors["mae"] == pytest.approx(lines["paper/framework", "Mg"].mae, abs=1e-4)
    assert card.hyperparameters["calibration"]["Mg"]["std_scale"] == errors["std_scale"]
    assert card.values("local voltages", "Mg")["additive_max_error_V"] < 1e-3
    assert card.ion_training("Mg")["n_rows"] == int((many().ions == "Mg").sum())
    assert model.card.training["data"] == "toy"
    assert model.ions == ["Li", "Mg"]


def test_seeds_stand_for_folds(done: Job, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Leave --folds out"):
        RECIPE.do("fit", replace(done, selection=Selection(folds=(0,))))
    assert len(RECIPE.data(done)) <= len(many())
    assert np.isfinite(RECIPE.data(done).voltages).all()
