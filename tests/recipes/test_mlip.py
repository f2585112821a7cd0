"""The recipe of the models on the potential, on a toy data set."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ionvolt.datasets import ElectrodeSet, write_dataset
from ionvolt.datasets.splits import framework_folds
from ionvolt.errors import DataError, ModelError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.mlip.atomic_gp import AtomicGPSettings
from ionvolt.models.mlip.delta_model import DeltaModel
from ionvolt.models.mlip.latent_features import ATOM_SIZE, WIDE_SIZE
from ionvolt.models.registry import load_model
from ionvolt.prediction import predict
from ionvolt.recipes.job import Job, Selection
from ionvolt.recipes.mlip import full_extraction, routes
from ionvolt.recipes.mlip.calibration import HeldOut, cross_fitted_widths, fit_domain, held_out, intervals
from ionvolt.recipes.mlip.cross_validation import HELD_OUT, Unit, answer_pairs, mark, read_answers, read_learners
from ionvolt.recipes.mlip.features import (
    FEATURES,
    compute_structure_features,
    feature_files,
    read_structure_features,
    structures,
)
from ionvolt.recipes.mlip.learner_selection import choices
from ionvolt.recipes.mlip.recipe import MlipRecipe
from ionvolt.recipes.mlip.relaxed import RELAXED, from_arrays, read_relaxed, relaxed_test
from ionvolt.recipes.mlip.report import precision_at_half_recall
from ionvolt.recipes.mlip.rows import Table
from ionvolt.recipes.mlip.settings import CrossValidation, MlipSettings
from ionvolt.recipes.release import release
from ionvolt.store import read_arrays, write_arrays
from ionvolt.training.mlip.fit import CorrectionSettings
from ionvolt.training.settings import Settings
from recipes import fake
from recipes.toy import toy

pytestmark = pytest.mark.slow

_CORRECTIONS = CorrectionSettings(Settings(epochs=2, batch_size=8), 1 / 3, AtomicGPSettings(n_features=50))
SETTINGS = MlipSettings(
    n_folds=3,
    tests=(
        CrossValidation("charged", "framework", 1, 2),
        CrossValidation("both", "framework", 1, 1),
        CrossValidation("discharged", "framework", 1, 1),
        CrossValidation("charged", "random", 1, 1),
        CrossValidation("both", "chemical-system", 1, 1),
        CrossValidation("discharged", "chemical-system", 1, 1),
    ),
    final_members=2,
    corrections={"both": _CORRECTIONS, "discharged": _CORRECTIONS, "charged": _CORRECTIONS},
    structures_a_file=20,
)
RECIPE = MlipRecipe(SETTINGS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.parquet"
    write_dataset(toy(), path)
    return path


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A run with the fake potential, all steps done."""
    job = Job(data, tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        fake.use(patch)
        for step in ("features", "evaluate", "fit"):
            RECIPE.do(step, job)
    return job


def test_from_structures_to_a_released_model(data: Path, tmp_path: Path) -> None:
    """With the potential itself: features, held-out answers, calibration, fit, release, load, predict."""
    seen: list[tuple[int, int, str]] = []
    some = Selection(ions=("Li", "Mg"))
    job = Job(data, tmp_path / "run", some, progress=lambda *what: seen.append(what))
    for step in ("features", "evaluate", "fit"):
        RECIPE.do(step, job)
    written = release(RECIPE, job, tmp_path / "weights")
    assert [folder.name for folder in written] == ["foundation-toy", "delta-toy"]
    e = toy()[0]
    assert e.discharged is not None
    answer = predict(e.host, "Li", model=written[0])
    assert answer.voltage_lower is not None
    assert answer.voltage_upper is not None
    assert answer.voltage_lower < answer.voltage < answer.voltage_upper
    both = predict(e.discharged, "Li", model=written[1])
    assert np.isfinite(both.voltage)
    card = load_model(written[1]).card
    assert list(card.ions) == ["Li", "Mg"]
    assert card.training["packages"]["sevenn"]
    assert card.values("full extraction")["n"] == 14
    units = [what for what in seen if any(f"{split}-1" in what[2] for split in ("framework", "random", "system"))]
    assert units[-1][:2] == (18, 18)


def test_what_is_done_is_not_repeated(done: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake.use(monkeypatch)
    before = {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.npz")}
    for step in ("features", "evaluate"):
        RECIPE.do(step, done)
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.npz")} == before
    assert asked == []
    assert not list(done.folder.rglob("*.claim"))
    assert not list(done.folder.rglob("*.networks"))


def test_only_what_hangs_on_a_setting_is_done_again(done: Job, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(done.folder, tmp_path / "run")
    job = replace(done, folder=tmp_path / "run")
    before = {path.name: path.stat().st_mtime_ns for path in (job.folder / HELD_OUT).glob("*.npz")}
    changed = replace(_CORRECTIONS, unit=0.2)
    settings = replace(SETTINGS, corrections=dict(SETTINGS.corrections) | {"discharged": changed})
    MlipRecipe(settings).do("evaluate", job)
    after = {path.name: path.stat().st_mtime_ns for path in (job.folder / HELD_OUT).glob("*.npz")}
    assert {name.split("-")[0] for name in after if after[name] != before[name]} == {"discharged"}


def test_other_features_of_the_same_rows_are_learned_anew(done: Job) -> None:
    """Energies and labels as before, one number of one atom another one."""
    table = RECIPE.table(done)
    unit = Unit(SETTINGS.calibrating("both"), 0)
    before = mark(table, SETTINGS, unit)
    assert mark(RECIPE.table(done), SETTINGS, unit) == before
    part = table.parts["both"]
    atoms = part.pairs[3].charged.atoms.copy()
    atoms[0, WIDE_SIZE - 1] += 1
    pairs = list(part.pairs)
    pairs[3] = replace(pairs[3], charged=replace(pairs[3].charged, atoms=atoms))
    other = replace(table, parts=table.parts | {"both": replace(part, pairs=pairs)})
    assert mark(other, SETTINGS, unit) != before
    charged = table.parts["charged"]
    trials = list(charged.trials)
    trials[0] = replace(trials[0], features=trials[0].features + np.float32(1))
    other = replace(table, parts=table.parts | {"charged": replace(charged, trials=trials)})
    unit = Unit(SETTINGS.calibrating("charged"), 0)
    assert mark(other, SETTINGS, unit) != mark(table, SETTINGS, unit)


def test_kept_learners_give_the_kept_answers_and_have_not_seen_the_frameworks(done: Job) -> None:
    table, test = RECIPE.table(done), SETTINGS.calibrating("both")
    folds = framework_folds(table.data, SETTINGS.n_folds, 1)
    answers = read_answers(SETTINGS, test, done)
    for fold, tested in enumerate(folds):
        learners, train = read_learners(SETTINGS, Unit(test, fold), done)
        assert not set(table.data.frameworks[train]) & set(table.data.frameworks[tested])
        rows = table.parts["both"]
        again = learners.answers(rows, rows.places(answers[fold].rows))
        for name, voltages in answers[fold].voltages["both"].items():
            assert again["both"][name] == pytest.approx(voltages, abs=1e-6)
    both = table.parts["both"]
    asked = answer_pairs(table, SETTINGS, done, both.rows, both.pairs)
    assert np.array_equal(np.sort(np.concatenate([a.rows for a in asked])), both.rows)
    for a, b in zip(asked, answers, strict=True):
        assert a.distance == pytest.approx(b.distance)
        assert a.voltages["both"]["atomic_gp"] == pytest.approx(b.voltages["both"]["atomic_gp"], abs=1e-6)


def test_host_learners_are_kept_with_their_composition(done: Job) -> None:
    table, test = RECIPE.table(done), SETTINGS.calibrating("charged")
    (first, *_) = read_answers(SETTINGS, test, done)
    learners, _ = read_learners(SETTINGS, Unit(test, 0), done)
    rows = table.parts["charged"]
    again = learners.answers(rows, rows.places(first.rows))
    assert again["charged"].keys() == {"networks", "support_vectors", "atomic_gp"}
    assert again["composition"].keys() == {"networks", "support_vectors"}
    for case, answers in again.items():
        for name, voltages in answers.items():
            assert voltages == pytest.approx(first.voltages[case][name], abs=1e-5)
    assert not np.array_equal(again["composition"]["support_vectors"], again["charged"]["support_vectors"])


def test_the_composition_is_told_in_the_calibrating_test_only(done: Job) -> None:
    for test in (test for test in SETTINGS.tests if test.part == "charged"):
        (first, *_) = read_answers(SETTINGS, test, done)
        told = test == SETTINGS.calibrating("charged")
        assert set(first.voltages) == ({"charged", "composition"} if told else {"charged"})


def test_how_well_widths_tell_the_worst() -> None:
    error = np.arange(100.0)
    assert precision_at_half_recall(error, error) == 1
    assert precision_at_half_recall(error, -error) == pytest.approx(4 / 96)
    rng = np.random.default_rng(0)
    chance = [precision_at_half_recall(rng.random(2000), rng.random(2000)) for _ in range(20)]
    assert np.mean(chance) == pytest.approx(0.08, abs=0.01)


def test_each_row_is_held_out_once(done: Job) -> None:
    table = RECIPE.table(done)
    for test, case in ((SETTINGS.calibrating("charged"), "composition"), (SETTINGS.calibrating("both"), "both")):
        held = held_out(read_answers(SETTINGS, test, done), table.data, case, SETTINGS)  # type: ignore[arg-type]
        assert np.array_equal(np.sort(held.rows), np.arange(len(table.data)))
        assert np.array_equal(held.target, table.data.voltages[held.rows])
        assert (held.physics is None) == (case == "composition")


def test_models_answer_as_their_card_says(done: Job) -> None:
    host, delta = (load_model(folder) for folder in RECIPE.models(done))
    assert (host.card.kind, delta.card.kind) == ("foundation", "delta")
    names = ["framework 3-fold", "framework 3-fold, discharged composition known", "random 3-fold"]
    assert list(host.card.errors()) == names
    splits = ["framework 3-fold", "chemical-system 3-fold"]
    assert list(delta.card.errors()) == [f"{part}, {split}" for part in ("both", "discharged") for split in splits]
    lines = {(line.test, line.ion): line for line in RECIPE.report(done)}
    seen = delta.card.values("both, framework 3-fold", "Mg")
    assert lines["both, framework 3-fold", "Mg"].mae == pytest.approx(seen["mae"], abs=1e-4)
    assert seen["n"] == 4
    assert set(delta.card.ions) == {"Li", "Na", "Mg"}
    assert delta.card.training["n_rows"] == 19
    assert delta.card.training["data_sha256"]


def test_a_part_of_the_rows(done: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has answers of its own, shares the features, and is not released."""
    asked = fake.use(monkeypatch)
    job = replace(done, selection=Selection(ions=("Li",), folds=(1,)))
    RECIPE.do("features", job)
    RECIPE.do("evaluate", job)
    assert asked == []
    assert {path.name for path in (done.folder / "Li" / HELD_OUT).glob("both-*.npz")} == {
        f"both-{split}-1-1{kind}.npz" for split in ("framework", "chemical-system") for kind in ("", ".learners")
    }
    with pytest.raises(DataError, match="Leave --folds out"):
        RECIPE.do("fit", job)
    with pytest.raises(DataError, match="not released"):
        release(RECIPE, job)


def test_rows_are_drawn_alike() -> None:
    data = toy()
    chosen = Selection(rows=6).of(data)
    assert len(chosen) == 6
    assert np.array_equal(chosen, Selection(rows=6).of(data))
    assert set(data.ions[Selection(ions=("Mg",)).of(data)]) == {"Mg"}
    assert Selection(rows=6, ions=("Li", "Mg")).name == "rows-6-Li-Mg"
    assert Selection().name == ""
    with pytest.raises(DataError, match="no electrode of Al"):
        Selection(ions=("Al",)).of(data)


def test_models_with_other_names_are_not_released(done: Job) -> None:
    with pytest.raises(DataError, match="foundation-toy, delta-toy: the package ships foundation-mp2025"):
        release(RECIPE, done)


def test_other_data_are_refused(done: Job, tmp_path: Path) -> None:
    path = tmp_path / "less.parquet"
    write_dataset(toy()[np.arange(10)], path)
    with pytest.raises(DataError, match="a run on other data"):
        RECIPE.do("evaluate", replace(done, data=path))


def test_missing_features_are_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--only features"):
        RECIPE.do("evaluate", Job(data, tmp_path))


def test_a_part_of_a_hundred_does_not_pass_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of some rows, then of all: nothing is missing, and what is there is used."""
    asked = fake.use(monkeypatch)
    data = toy()
    some = np.array([0, 5, 16])
    compute_structure_features(data, some, 20, tmp_path, lambda *what: None)
    assert len(asked) == 6
    compute_structure_features(data, np.arange(len(data)), 20, tmp_path, lambda *what: None)
    files = feature_files(data, np.arange(len(data)), 20, tmp_path)
    assert [path.name for path in files] == ["000.npz", "001.npz"]
    assert sum(len(names) for names in files.values()) == 38
    assert set(feature_files(data, some, 20, tmp_path)) <= set(files)


def test_files_of_earlier_runs_are_read(done: Job) -> None:
    """The layout is a promise: features take hours."""
    arrays = read_arrays(done.folder / FEATURES / "000.npz")
    assert arrays is not None
    assert set(arrays) == {"names", "energy", "volume", "size", "pooled", "atoms"}
    assert arrays["atoms"].dtype == np.float16
    assert arrays["names"][:3].tolist() == ["LiTi-charged", "LiTi-discharged", "LiV-charged"]
    trials = read_arrays(done.folder / "trial-features" / "00000.npz")
    assert trials is not None
    settled = read_arrays(done.folder / "settled-hosts" / "00000.npz")
    assert settled is not None
    assert set(settled) == {*FACTS}
    assert set(trials) == {"n_ions", *(f"{a}.{b}" for a in ("single", "filled") for b in FACTS)}


FACTS = ("energy", "pooled", "volume", "atoms")


def test_features_of_other_structures_or_of_an_earlier_version_are_refused(done: Job) -> None:
    crystals = structures(RECIPE.data(done))
    path = done.folder / FEATURES / "001.npz"
    arrays = read_arrays(path)
    assert arrays is not None
    names = arrays["names"].tolist()
    assert set(read_structure_features({path: names}, crystals)) == set(names)
    write_arrays(path.with_name("other.npz"), arrays | {"names": np.array([*names[:-1], "LiTi-other"])})
    with pytest.raises(DataError, match="other structures"):
        read_structure_features({path.with_name("other.npz"): names}, crystals)
    write_arrays(path.with_name("narrow.npz"), arrays | {"atoms": arrays["atoms"][:, :ATOM_SIZE]})
    with pytest.raises(DataError, match=r"narrow.npz: written by an earlier version. Delete it"):
        read_structure_features({path.with_name("narrow.npz"): names}, crystals)


def test_learners_of_both_ends_look_at_both_potentials_and_the_others_at_one(done: Job) -> None:
    parts = RECIPE.table(done).parts
    sizes = {name: {len(pair.discharged.atoms.T) for pair in part.pairs} for name, part in parts.items()}
    assert sizes == {"both": {WIDE_SIZE}, "discharged": {ATOM_SIZE}, "charged": {ATOM_SIZE}}


def test_ids_that_name_two_structures_are_refused(tmp_path: Path) -> None:
    rows = toy().electrodes
    twice = [replace(rows[0], id_charge="x"), replace(rows[16], id_charge="x")]
    path = tmp_path / "twice.parquet"
    write_dataset(ElectrodeSet(twice), path)
    with pytest.raises(DataError, match="does not tell its structure from others"):
        RECIPE.do("features", Job(path, tmp_path / "run"))


def test_a_step_that_does_not_exist(done: Job) -> None:
    with pytest.raises(ValueError, match="no step"):
        RECIPE.do("dance", done)


def test_learners_are_chosen_without_the_tested_fold(done: Job) -> None:
    found = {choice.case: choice for choice in choices(SETTINGS, toy().voltages, done)}
    assert set(found) == {"charged", "composition", "discharged", "both"}
    assert set(found["both"].alone) == {"networks", "kernel on atoms"}
    assert sum(found["charged"].chosen.values()) == SETTINGS.n_folds
    assert found["both"].nested >= 0.9 * min(*found["both"].alone.values(), found["both"].shipped)


def unrelaxed(table: Table, row: int) -> dict[str, Any]:
    """Ends as they stand in the data, in the layout of relaxed ones."""
    pair = table.parts["both"].pairs[row]
    full, empty = pair.discharged, pair.charged
    return {
        "full": full.atoms,
        "empty": empty.atoms,
        "pooled": empty.pooled,
        "volumes": [full.volume, empty.volume],
        "energies": [full.energy, empty.energy],
        "physics": pair.physics,
        "cells": [pair.discharged_cells, pair.charged_cells, pair.n_ions],
        "converged": True,
        "seconds": 2.0,
    }


def test_relaxed_ends_are_answered_by_the_learners_of_their_fold(done: Job, tmp_path: Path) -> None:
    """Ends that stand as they stood in the data get the held-out answer for both ends."""
    import shutil

    shutil.copytree(done.folder, tmp_path / "run")
    job = replace(done, folder=tmp_path / "run")
    table = RECIPE.table(job)
    assert relaxed_test(table, SETTINGS, job) is None
    for row in (1, 4, 17):
        write_arrays(job.folder / RELAXED / f"{row:05d}.npz", unrelaxed(table, row))
    write_arrays(job.folder / RELAXED / "00002.npz", {"refused": np.array("x")})
    assert set(read_relaxed(table, job.folder)) == {1, 4, 17}
    narrow = unrelaxed(table, 3)
    write_arrays(tmp_path / "inserted_ends" / "00003.npz", narrow | {"full": narrow["full"][:, :ATOM_SIZE]})
    with pytest.raises(DataError, match=r"00003\.npz: written by an earlier version"):
        routes.read_inserted(table, tmp_path)
    test = relaxed_test(table, SETTINGS, job)
    assert test is not None
    assert test.rows.tolist() == [1, 4, 17]
    assert test.fully_extracted.tolist() == [True, True, False]
    held = held_out(read_answers(SETTINGS, SETTINGS.calibrating("both"), job), table.data, "both", SETTINGS)
    expected = {int(row): v for row, v in zip(held.rows, held.voltage, strict=True)}
    assert test.voltages["Δ-model, both ends relaxed"] == pytest.approx([expected[row] for row in (1, 4, 17)], abs=1e-6)
    assert test.seconds == 2.0


def test_a_fitted_model_has_intervals_of_computed_ends(
    done: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the way in that was computed often enough; of two given ends they stay what they are."""
    import shutil

    shutil.copytree(done.folder, tmp_path / "run")
    job = replace(done, folder=tmp_path / "run")
    table = RECIPE.table(job)
    for row in range(len(table.data)):
        write_arrays(job.folder / RELAXED / f"{row:05d}.npz", unrelaxed(table, row))
    before = load_model(RECIPE.models(job)[1])
    RECIPE.do("fit", job)  # most of these are fully extracted, but fewer than it takes
    monkeypatch.setattr(routes, "FEWEST", 5)
    RECIPE.do("routes", job)
    by_step = load_model(RECIPE.models(job)[1])
    RECIPE.do("fit", job)
    after = load_model(RECIPE.models(job)[1])
    assert isinstance(before, DeltaModel)
    assert isinstance(by_step, DeltaModel)
    assert isinstance(after, DeltaModel)
    assert before.routes == {}
    assert list(by_step.routes) == list(after.routes) == ["relaxed"]
    assert after.routes["relaxed"].quantiles == by_step.routes["relaxed"].quantiles
    assert after.card.training["routes"]["relaxed"]["n"] >= 5
    for variant in ("both", "discharged"):
        judges = [model.correctors[variant].domain for model in (before, by_step, after)]
        test = SETTINGS.widths_from(variant)
        assert test.split == "chemical-system"
        held = held_out(read_answers(SETTINGS, test, job), table.data, variant, SETTINGS)
        assert all(one.conformal.quantiles == intervals(held).quantiles for one in judges)
        assert len({(one.distance_limit, one.spread_limit, one.width_limit) for one in judges}) == 1
        assert after.card.training["intervals"][variant]["n"] == len(held.rows)


def test_relaxed_ends_of_earlier_files() -> None:
    """Files without the discharged end's pooled features are read, too."""
    atoms, pooled = np.zeros((2, 256), dtype=np.float32), np.zeros(1024, dtype=np.float32)
    arrays = {
        "full": atoms,
        "empty": atoms[:1],
        "pooled": pooled,
        "volumes": np.array([20.0, 19.0]),
        "energies": np.array([-9.0, -5.0]),
        "physics": np.array(2.5),
        "seconds": np.array(3.0),
        "cells": np.array([1, 1, 1]),
        "converged": np.array(True),
    }
    found = from_arrays(arrays, "Li")
    assert (found.pair.physics, found.pair.n_ions, found.seconds, found.converged) == (2.5, 1, 3.0, True)
    assert (len(found.pair.discharged), len(found.pair.charged)) == (2, 1)


def test_where_all_are_fully_extracted_there_is_nothing_to_learn() -> None:
    features = np.random.default_rng(0).normal(size=(8, 5))
    model = full_extraction.fit_full_extraction(features, np.ones(8, dtype=bool))
    assert not model.coefficients.any()
    assert 1 / (1 + np.exp(-model.constant)) == pytest.approx(0.9)


def made_up(n: int, seed: int) -> HeldOut:
    """Answers whose errors grow with spread."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.02, 0.5, n)
    target = rng.normal(3, 1, n)
    return HeldOut(
        rows=np.arange(n),
        fold=rng.integers(0, 5, n),
        ions=rng.integers(0, 3, n),
        frameworks=np.array([f"MnO{i % 50}" for i in range(n)]),
        target=target,
        voltage=target + spread * rng.normal(size=n),
        spread=spread,
        distance=rng.uniform(0.1, 1, n),
        disagreement=rng.normal(size=n),
    )


def test_intervals_of_a_fold_rest_on_the_others_and_cover() -> None:
    held = made_up(3000, 0)
    widths = cross_fitted_widths(held)
    covered = np.abs(held.errors) <= widths
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert np.corrcoef(widths, held.spread)[0, 1] > 0.8
    wrong = replace(held, voltage=np.where(held.fold == 2, held.voltage + 5, held.voltage))
    own = held.fold == 2
    assert cross_fitted_widths(wrong)[own] == pytest.approx(widths[own])


def test_limits_are_percentiles_of_held_out_rows(done: Job) -> None:
    table, held = RECIPE.table(done), made_up(1000, 1)
    domain = fit_domain(held, held, table.parts["both"].hosts, table.data.hosts)
    assert (held.distance > domain.distance_limit).mean() == pytest.approx(0.03, abs=0.002)
    assert (held.spread > domain.spread_limit).mean() == pytest.approx(0.03, abs=0.002)
    assert domain.elements == {int(z) for e in toy() for z in e.host.numbers}
    assert domain.distances(table.parts["both"].hosts) == pytest.approx(0, abs=1e-2)


def test_the_shipped_names_are_known() -> None:
    from ionvolt.recipes.registry import find_recipe

    assert find_recipe("delta-mp2025").name == "mlip"
    assert find_recipe("cgcnn-mp2020").name == "cgcnn"
    with pytest.raises(ModelError, match="Did you mean mlip"):
        find_recipe("mlp")
    assert set(WORKING_IONS) >= {"Li", "Na", "Mg"}
