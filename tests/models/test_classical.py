"""Classical models: numpy answers as scikit-learn does, files carry everything, damage is refused."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from datasets.builders import small_set
from ionvolt.descriptors import FEATURES, ION_FEATURES, element_table, features
from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard
from ionvolt.models.classical.forests import Forest
from ionvolt.models.classical.model import ClassicalModel, load_classical, save_classical
from ionvolt.training.classical import fit as training
from ionvolt.training.classical.fit import NAMES, fit_classical, flattened

pytestmark = pytest.mark.skipif(
    not (find_spec("sklearn") and find_spec("matminer")), reason="scikit-learn or matminer is not installed"
)


def some_rows(n: int = 60, p: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(n, p)) * rng.uniform(0.1, 50, p)
    rows[:, 3] = 1.5  # a feature that never varies
    return rows, rows[:, 0] / 10 + np.sin(rows[:, 1]) + 2


@pytest.mark.parametrize("kind", ["random-forest", "extra-trees"])
def test_forest_answers_as_scikit_learn(kind: str) -> None:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    rows, voltages = some_rows()
    forest = {"random-forest": RandomForestRegressor, "extra-trees": ExtraTreesRegressor}[kind]
    theirs = forest(30, max_features=0.3, random_state=1).fit(rows, voltages)
    ours = flattened(theirs.estimators_, rows.shape[1])
    # Between the training rows, and exactly on every threshold, where the side is decided by one bit.
    unseen = np.random.default_rng(4).normal(size=(500, 12)) * 20
    on_edge = np.repeat(rows[:1], 200, axis=0)
    for n, tree in enumerate(theirs.estimators_):
        inner = tree.tree_.feature >= 0
        for f, t in list(zip(tree.tree_.feature[inner], tree.tree_.threshold[inner], strict=True))[:5]:
            on_edge[n, f] = t
    for x in (rows, unseen, on_edge):
        assert np.abs(ours.predict(x) - theirs.predict(x)).max() < 1e-6


def test_machines_answer_as_scikit_learn() -> None:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.svm import SVR

    rows, voltages = some_rows()
    unseen = rows[:20] + 0.3
    for name in ("svr", "kernel-ridge"):
        fit = fit_classical(name, rows, voltages)
        machine, chosen = fit.predictor, fit.settings
        x, x_unseen = (np.clip((r - machine.mean) / machine.scale, -machine.clip, machine.clip) for r in (rows, unseen))
        if name == "svr":
            theirs = SVR(C=chosen["C"], gamma=machine.gamma, epsilon=0.1)
        else:
            theirs = KernelRidge(kernel="rbf", alpha=chosen["alpha"], gamma=machine.gamma)
        theirs.fit(x, (voltages - voltages.mean()) / voltages.std())
        expected = theirs.predict(x_unseen) * voltages.std() + voltages.mean()
        assert np.abs(machine.predict(unseen) - expected).max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_learns_and_searches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_TREES", {"random-forest": 20, "extra-trees": 20})
    rows, voltages = some_rows(120)
    ticks: list[int] = []
    fit = fit_classical(name, rows[:100], voltages[:100], seed=2, progress=lambda: ticks.append(1))
    error = np.abs(fit.predictor.predict(rows[100:]) - voltages[100:]).mean()
    assert error < 0.8 * np.abs(voltages[100:] - voltages[:100].mean()).mean()
    assert 0.3 * error < fit.inner_mae < 3 * error
    assert len(ticks) == 3
    again = fit_classical(name, rows[:100], voltages[:100], seed=2)
    assert np.array_equal(fit.predictor.predict(rows), again.predictor.predict(rows))


def test_the_search_keeps_groups_together() -> None:
    groups = np.array([f"g{i % 11}" for i in range(70)])
    folds = list(training.inner_folds(70, groups, 0))
    assert sorted(np.concatenate([v for _, v in folds])) == list(range(70))
    for train, validation in folds:
        assert len(validation)
        assert not set(groups[train]) & set(groups[validation])


def test_the_search_takes_a_sample_of_many_rows() -> None:
    folds = list(training.inner_folds(4000, None, 1))
    used = np.unique(np.concatenate([np.concatenate(pair) for pair in folds]))
    assert len(used) == 1500
    assert used.max() > 3900


def test_too_few_rows_to_search_still_fit() -> None:
    rows, voltages = some_rows(4)
    fit = fit_classical("svr", rows, voltages)
    assert np.isnan(fit.inner_mae)
    assert np.isfinite(fit.predictor.predict(rows)).all()
    constant = fit_classical("kernel-ridge", rows, np.full(4, 2.0))
    assert constant.predictor.predict(rows) == pytest.approx([2.0] * 4)


def a_model(name: str, reads_ion: bool = False, ions: tuple[str, ...] = ("Mg",)) -> ClassicalModel:
    data = small_set()
    rows = features(data.hosts)
    if reads_ion:
        from ionvolt.descriptors import ion_features

        rows = np.hstack([rows, ion_features(data.ions, element_table())])
    fit = fit_classical(name, rows, data.voltages)
    return ClassicalModel(fit.predictor, element_table(), ModelCard("test", ions=list(ions)), reads_ion)


@pytest.mark.parametrize("name", ["svr", "extra-trees"])
@pytest.mark.parametrize("reads_ion", [False, True])
def test_a_saved_model_answers_the_same(name: str, reads_ion: bool, tmp_path) -> None:
    model = a_model(name, reads_ion, ("Mg", "Li"))
    save_classical(model, tmp_path)
    loaded = load_classical(tmp_path)
    hosts = small_set().hosts[:9]
    assert loaded.ions == ["Mg", "Li"]
    assert loaded.card.kind == "classical"
    for ion in loaded.ions:
        assert np.array_equal(loaded.voltages_of_hosts(hosts, ion), model.voltages_of_hosts(hosts, ion))
        # One alone, and in another order: nothing depends on the company.
        one = loaded.voltages_of_hosts(hosts[4:5], ion)
        assert one == pytest.approx(loaded.voltages_of_hosts(hosts[::-1], ion)[4:5], abs=1e-9)
    differ = not np.allclose(loaded.voltages_of_hosts(hosts, "Mg"), loaded.voltages_of_hosts(hosts, "Li"))
    assert differ == reads_ion
    with pytest.raises(ModelError, match="not trained for Ca"):
        loaded.voltages_of_hosts(hosts, "Ca")


def test_answers_queries_in_their_order() -> None:
    from ionvolt.models.interface import Query

    model = a_model("svr", reads_ion=True, ions=("Mg", "Li"))
    hosts = small_set().hosts[:4]
    ions = ["Li", "Mg", "Li", "Mg"]
    answers = model.estimate([Query(ion, host) for ion, host in zip(ions, hosts, strict=True)])
    expected = [model.voltages_of_hosts([host], ion)[0] for ion, host in zip(ions, hosts, strict=True)]
    assert [a.voltage for a in answers] == pytest.approx(expected, abs=1e-9)
    assert answers[0].lower is None


@pytest.mark.slow
def test_predicting_needs_neither_scikit_learn_nor_matminer(tmp_path) -> None:
    model = a_model("extra-trees")
    save_classical(model, tmp_path)
    expected = model.voltages_of_hosts(small_set().hosts[:1], "Mg")[0]
    code = (
        "import sys\n"
        "for name in ('sklearn', 'matminer', 'pandas'): sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(__file__.rsplit('/', 2)[0])!r})\n"
        "from pathlib import Path\n"
        "from datasets.builders import small_set\n"
        "from ionvolt.models.classical.model import load_classical\n"
        f"print(load_classical(Path({str(tmp_path)!r})).voltages_of_hosts(small_set().hosts[:1], 'Mg')[0])\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(out) == pytest.approx(expected, abs=1e-9)


def rewrite(folder, **changes) -> None:
    """Change arrays and make the card's checksum right again, as somebody with bad intentions would."""
    import hashlib

    arrays = load_file(folder / "weights.safetensors") | changes
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items() if v is not None}, folder / "weights.safetensors")
    card = json.loads((folder / "card.json").read_text())
    card["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def test_damage_is_refused(tmp_path) -> None:
    save_classical(a_model("extra-trees"), tmp_path)
    arrays = load_file(tmp_path / "weights.safetensors")
    n = len(arrays["forest.left"])
    inner = int(np.flatnonzero(arrays["forest.left"] != np.arange(n))[0])

    def with_value(name: str, value: float, at: int = inner) -> np.ndarray:
        changed = arrays[name].copy()
        changed[at] = value
        return changed

    for name, value in {
        "forest.left": with_value("forest.left", 0, n - 1),  # a circle, which would never end
        "forest.right": with_value("forest.right", n),
        "forest.feature": with_value("forest.feature", len(FEATURES)),
        "forest.value": with_value("forest.value", np.nan),
        "forest.roots": np.array([-1]),
        "forest.n_features": np.array([5]),
        "elements": arrays["elements"][:50],
        "forest.threshold": None,
    }.items():
        rewrite(tmp_path, **{name: value})
        with pytest.raises(ModelError, match="do not fit"):
            load_classical(tmp_path)
        rewrite(tmp_path, **{name: arrays[name]})
    assert load_classical(tmp_path).ions == ["Mg"]
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="not those that the card describes"):
        load_classical(tmp_path)


def test_features_of_another_version_are_refused(tmp_path) -> None:
    save_classical(a_model("svr"), tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["hyperparameters"]["features"] == list(FEATURES)
    card["hyperparameters"]["features"][0] = "something else"
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="other features"):
        load_classical(tmp_path)


def test_a_forest_of_one_leaf() -> None:
    leaf = np.zeros(1, dtype=np.int32)
    forest = Forest(
        np.array([0]), leaf, leaf, leaf.astype(np.int16), np.array([np.inf], np.float32), np.array([1.5], np.float32), 3
    )
    assert forest.predict(np.zeros((2, 3))).tolist() == [1.5, 1.5]
    assert forest.predict(np.zeros((0, 3))).shape == (0,)


def test_ion_features_stand_behind_the_others() -> None:
    with pytest.raises(ValueError, match=f"not {len(FEATURES) + len(ION_FEATURES)}"):
        ClassicalModel(a_model("svr").predictor, element_table(), ModelCard("x", ions=["Mg"]), reads_ion=True)
