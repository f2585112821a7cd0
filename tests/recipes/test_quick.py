"""The recipe of the quick model, on a toy data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionvolt.datasets import write_dataset
from ionvolt.errors import DataError
from ionvolt.models.interface import Query
from ionvolt.models.registry import load_model
from ionvolt.recipes.job import Job, Selection
from ionvolt.recipes.quick.held_out import file_of, held_out
from ionvolt.recipes.quick.recipe import QuickRecipe
from ionvolt.recipes.quick.settings import QuickSettings
from ionvolt.recipes.release import release
from ionvolt.training.laplacian import LaplacianSettings
from recipes.toy import many

pytest.importorskip("matminer")
pytest.importorskip("sklearn")

SETTINGS = QuickSettings(n_folds=3)
RECIPE = QuickRecipe(SETTINGS)
TEST = SETTINGS.tests[0]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("quick")
    write_dataset(many(), folder / "many.parquet")
    job = Job(folder / "many.parquet", folder / "run")
    RECIPE.do("evaluate", job)
    RECIPE.do("fit", job)
    return job


def test_every_row_is_answered_by_a_machine_that_has_not_seen_its_framework(done: Job) -> None:
    held = held_out(RECIPE.data(done), SETTINGS, TEST, done)
    assert sorted(held.rows.tolist()) == list(range(len(many())))
    for fold in range(SETTINGS.n_folds):
        own = held.fold == fold
        assert not set(held.frameworks[own]) & set(held.frameworks[~own])
    assert np.abs(held.errors).mean() < np.abs(held.target - held.target.mean()).mean()


def test_what_is_there_is_not_repeated_unless_settings_change(done: Job) -> None:
    path = file_of(done, TEST, 0)
    before = path.stat().st_mtime_ns
    RECIPE.do("evaluate", done)
    assert path.stat().st_mtime_ns == before
    QuickRecipe(replace(SETTINGS, machine=LaplacianSettings(gamma=0.5))).do("evaluate", done)
    assert path.stat().st_mtime_ns > before
    RECIPE.do("evaluate", done)


def test_the_card_has_the_held_out_errors_and_the_model_answers(done: Job, tmp_path: Path) -> None:
    (folder,) = release(RECIPE, done, tmp_path)
    model = load_model(folder)
    assert folder.name == model.card.name == "quick-toy"
    lines = {(line.test, line.ion): line for line in RECIPE.report(done)}
    errors = model.card.errors("Mg")["framework 3-fold"]
    assert errors["mae"] == pytest.approx(lines["framework 3-fold", "Mg"].mae, abs=1e-4)
    assert model.card.training["data"] == "toy"
    assert model.ions == ["Li", "Mg"]
    answers = model.estimate([Query(e.working_ion, e.host) for e in many()])
    covered = [
        a.lower is not None and a.upper is not None and a.lower <= e.average_voltage <= a.upper
        for a, e in zip(answers, many(), strict=True)
    ]
    assert np.mean(covered) > 0.9


def test_intervals_of_held_out_rows_cover_what_they_promise(done: Job) -> None:
    lines = {(line.test, line.ion): line for line in RECIPE.report(done)}
    assert lines["framework 3-fold", "all"].more["coverage_90"] > 0.75


def test_folds_and_steps(done: Job, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Leave --folds out"):
        RECIPE.do("fit", replace(done, selection=Selection(folds=(0,))))
    with pytest.raises(ValueError, match="no step of quick"):
        RECIPE.do("dance", done)
    with pytest.raises(DataError, match="Run `ionvolt recipe evaluate` first"):
        RECIPE.report(replace(done, folder=tmp_path))
