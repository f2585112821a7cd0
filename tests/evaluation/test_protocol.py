"""The protocol: who learns from what, what is kept, and what happens when it is cut off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.conftest import run_command
from datasets.builders import electrode, of_frameworks
from ionvolt.datasets import ElectrodeSet, write_dataset
from ionvolt.errors import DataError, ModelError
from ionvolt.evaluation.leakage import drop_leaking_rows, groups_disjoint
from ionvolt.evaluation.learner import Mean
from ionvolt.evaluation.learners import Classical, recipes
from ionvolt.evaluation.protocol import KINDS, Protocol
from ionvolt.evaluation.results import read_results
from ionvolt.evaluation.tables import as_rows, summarise
from ionvolt.training.cgcnn.runs import prepare

IONS = ("Li", "Mg", "Ca")


def shared_hosts(n: int = 40, seed: int = 0) -> ElectrodeSet:
    """Three ions, most of whose frameworks are shared."""
    rng = np.random.default_rng(seed)
    ions = [str(ion) for ion in rng.choice(IONS, 3 * n)]
    return of_frameworks([f"F{rng.integers(n)}O2" for _ in ions], ions)


class Spy:
    """Answers with a constant and remembers what it was given."""

    name = "spy"

    def __init__(self, answer: float = 1.0, fails_at: int = -1, name: str = "spy") -> None:
        self.calls: list[tuple[np.ndarray, ...]] = []
        self.answer, self.fails_at, self.name = answer, fails_at, name

    def fit_predict(self, data, train, validation, test, *, seed, log):
        if len(self.calls) == self.fails_at:
            raise KeyboardInterrupt
        self.calls.append((data, train, validation, test, seed))
        log("at work")
        return np.full(len(test), self.answer)


@pytest.mark.parametrize("split", KINDS)
@pytest.mark.parametrize("folds", [1, 4])
def test_parts_never_overlap_and_cover_all(split: str, folds: int) -> None:
    if split == "leave-one-ion-out" and folds > 1:
        with pytest.raises(DataError, match="a fold for each ion"):
            Protocol(split, folds=folds)
        return
    protocol = Protocol(split, seeds=(0, 3), folds=folds)
    data, _ = protocol.cleaned(shared_hosts())
    tested = {0: [], 3: []}
    for unit in protocol.units(data):
        parts = [unit.train, unit.validation, unit.test]
        assert sorted(np.concatenate(parts)) == list(range(len(data)))
        assert all(len(part) for part in parts)
        tested[unit.seed].append(unit.test)
        if split == "framework":
            assert groups_disjoint(data, np.concatenate(parts[:2]), unit.test)
    for tests in tested.values():
        every = np.concatenate(tests)
        assert len(every) == len(set(every.tolist()))
        if folds > 1 or split == "leave-one-ion-out":
            assert sorted(every) == list(range(len(data)))
        else:
            assert len(every) == pytest.approx(len(data) / 10, abs=8)


@pytest.mark.parametrize("split", ["random", "framework"])
def test_splits_are_those_of_training(split: str) -> None:
    data = shared_hosts(60)
    for unit in Protocol(split, seeds=(0, 1)).units(data):
        for ion in IONS:
            of_ion = np.flatnonzero(data.ions == ion)
            expected = prepare(data, ion, kind=split, seed=unit.seed).split
            assert np.array_equal(unit.test[data.ions[unit.test] == ion], of_ion[expected.test])
            assert np.array_equal(unit.validation[data.ions[unit.validation] == ion], of_ion[expected.validation])


def test_paper_trims_first() -> None:
    rows = [electrode(f"r{i}", "Li", voltage=3.0 + 0.01 * i) for i in range(60)] + [
        electrode("far", "Li", voltage=12.0)
    ]
    protocol = Protocol("paper")
    assert protocol.rules == ("paper",)
    data, removed = protocol.cleaned(ElectrodeSet(rows))
    assert removed == {"paper": 1}
    assert "far_Li" not in {e.battery_id for e in data}


def test_leave_one_ion_out_and_ions_asked_for() -> None:
    data = shared_hosts()
    units = list(Protocol("leave-one-ion-out", ions=("Mg",)).units(data))
    assert len(units) == 1
    assert set(data.ions[units[0].test]) == {"Mg"}
    assert set(data.ions[units[0].train]) == {"Li", "Ca"}
    one = next(Protocol("random", ions=("Ca",)).units(data))
    assert set(data.ions[one.test]) == {"Ca"}
    assert set(data.ions[one.train]) == set(IONS)
    with pytest.raises(DataError, match=r"Al: no electrode"):
        list(Protocol("random", ions=("Al",)).units(data))
    with pytest.raises(DataError, match="two ions"):
        list(Protocol("leave-one-ion-out").units(data.for_ion("Li")))


def test_no_row_of_another_ion_shares_a_tested_framework() -> None:
    data = shared_hosts(25)
    for protocol in (Protocol("random", seeds=(0, 1, 2)), Protocol("leave-one-ion-out")):
        for unit in protocol.units(data):
            kept = drop_leaking_rows(data, unit.train, unit.test)
            assert set(kept) <= set(unit.train)
            pairs = {(f, i) for f, i in zip(data.frameworks[unit.test], data.ions[unit.test], strict=True)}
            for row in kept:
                assert not any(f == data.frameworks[row] and i != data.ions[row] for f, i in pairs)
            # and nothing else was taken away
            for row in np.setdiff1d(unit.train, kept):
                assert any(f == data.frameworks[row] and i != data.ions[row] for f, i in pairs)


def test_li_rows_are_those_that_a_pre_training_may_see() -> None:
    from ionvolt.training.cgcnn.runs import frameworks_of_tests

    data = shared_hosts(60)
    unit = next(Protocol("random").units(data))
    pool = np.concatenate([unit.train, unit.validation])
    ours = drop_leaking_rows(data, np.sort(pool[data.ions[pool] == "Li"]), unit.test)
    parts = prepare(data, "Li", forbidden=frameworks_of_tests(data, ["Mg", "Ca"], "random", 0))
    theirs = np.flatnonzero(data.ions == "Li")[np.sort(np.concatenate(parts.members[0]))]
    assert np.array_equal(ours, theirs)


def test_results_hold_every_prediction_and_the_mean_beside_them(tmp_path: Path) -> None:
    data = shared_hosts()
    path = tmp_path / "deep" / "results.parquet"
    spy = Spy(2.0)
    steps: list[tuple[int, int, str]] = []
    results = Protocol("framework", folds=3).run([spy], data, path=path, progress=lambda *a: steps.append(a))
    assert len(results) == 2 * len(data)
    assert len(spy.calls) == 3
    table = pq.read_table(path).to_pydict()
    assert set(table) >= {"battery_id", "ion", "framework", "fold", "seed", "target", "predicted", "model", "split"}
    assert set(table["model"]) == {"mean", "spy"}
    by_id = {e.battery_id: e for e in data}
    for battery, target, framework, ion in zip(
        table["battery_id"], table["target"], table["framework"], table["ion"], strict=True
    ):
        e = by_id[battery]
        assert (e.average_voltage, e.framework, e.working_ion) == (target, framework, ion)
    assert steps[-1][:2] == (6, 6)
    assert any("at work" in words for *_, words in steps)
    spied = [r for r in summarise(results) if r["model"] == "spy"]
    assert [r["ion"] for r in spied] == ["Li", "Mg", "Ca"]
    for r in spied:
        of_ion = data.for_ion(r["ion"])
        assert r["n_test"] == len(of_ion)
        assert r["n"] == len(set(of_ion.frameworks))  # what the interval resamples
        assert r["mae"] == pytest.approx(np.abs(of_ion.voltages - 2).mean(), abs=1e-4)
        assert r["bias_low"] < r["bias"] < r["bias_high"]
        assert r["rmse_low"] < r["rmse"] < r["rmse_high"]
        assert r["r2_low"] < r["r2"] < r["r2_high"]
        assert r["mae_of_mean_predictor"] > 0
    assert all(row[0] == "spy" for row in as_rows(spied))
    json.dumps(spied, allow_nan=False)


def test_what_was_done_before_a_kill_is_kept(tmp_path: Path) -> None:
    data, path = shared_hosts(), tmp_path / "r.parquet"
    protocol = Protocol("random", folds=4)
    with pytest.raises(KeyboardInterrupt):
        protocol.run([Spy(fails_at=2)], data, path=path)
    kept = read_results(path)
    assert sorted(set(kept.column("fold")[kept.column("model") == "spy"])) == [0, 1]
    again = Spy()
    resumed = protocol.run([again], data, path=path)
    assert len(again.calls) == 2
    whole = protocol.run([Spy()], data)
    for name in ("battery_id", "fold", "predicted"):
        ours, theirs = (sorted(r.column(name)[r.column("model") == "spy"].tolist()) for r in (resumed, whole))
        assert ours == theirs
    # More seeds and models join the same file; other settings of a model replace its rows.
    other = Spy(name="other")
    Protocol("random", folds=4, seeds=(0, 1)).run([other], data, path=path)
    assert len(other.calls) == 8
    changed = Spy(5.0)
    changed.settings = "new"  # type: ignore[attr-defined]
    replaced = protocol.run([changed], data, path=path)
    assert set(replaced.column("predicted")[replaced.column("model") == "spy"]) == {5.0}
    assert replaced.models == ["mean", "spy", "other"] or set(replaced.models) == {"mean", "spy", "other"}


@pytest.mark.parametrize("other", ["split", "data", "ions", "clean"])
def test_a_file_belongs_to_one_evaluation(other: str, tmp_path: Path) -> None:
    data, path = shared_hosts(), tmp_path / "r.parquet"
    Protocol("random").run([], data, path=path)
    before = path.read_bytes()
    protocol = {
        "split": Protocol("framework"),
        "ions": Protocol("random", ions=("Mg",)),
        "clean": Protocol("random", clean=("positive",)),
    }.get(other, Protocol("random"))
    with pytest.raises(DataError, match="another evaluation"):
        protocol.run([], shared_hosts(seed=1) if other == "data" else data, path=path)
    assert path.read_bytes() == before


def test_no_results_and_broken_results(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="no results"):
        Protocol("random").run([], shared_hosts(), path=path)
    write_dataset(shared_hosts(), path)
    with pytest.raises(DataError, match="no results"):
        read_results(path)


def test_answers_that_are_none_are_refused() -> None:
    with pytest.raises(ModelError, match="not one voltage"):
        Protocol("random").run([Spy(np.nan)], shared_hosts())


def test_the_mean_predictor() -> None:
    data = shared_hosts()
    unit = next(Protocol("random").units(data))
    answers = Mean().fit_predict(data, unit.train, unit.validation, unit.test, seed=0, log=print)
    pool = np.concatenate([unit.train, unit.validation])
    for ion in IONS:
        own = data.voltages[pool[data.ions[pool] == ion]]
        assert answers[data.ions[unit.test] == ion] == pytest.approx(own.mean())


def test_one_row_has_no_r2_but_a_line() -> None:
    rows = [electrode(f"a{i}", "Li", 1.0 + i, framework=f"F{i}") for i in range(12)]
    results = Protocol("random").run([Spy()], ElectrodeSet(rows))
    record = summarise(results)[-1]
    assert record["n_test"] == 1
    assert record["r2"] is None
    assert record["r2_low"] is None
    assert "–" in as_rows([record])[0]


# -- learners and commands on small crystals --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from datasets.builders import small_set

    path = tmp_path_factory.mktemp("evaluate") / "small.parquet"
    write_dataset(small_set(60, 40), path)
    return path


def test_classical_settings_learn_from_what_they_say(data_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    from ionvolt.datasets import read_dataset
    from ionvolt.training.classical import fit as classical

    data = read_dataset(data_file)
    seen: list[tuple[int, int]] = []
    real = classical.fit_classical

    def spy(name, rows, voltages, **more):
        seen.append(rows.shape)
        return real(name, rows, voltages, **more)

    monkeypatch.setattr(classical, "fit_classical", spy)
    protocol = Protocol("framework", folds=5, ions=("Mg",))
    unit = next(protocol.units(data))
    pool = np.concatenate([unit.train, unit.validation])
    counts = {ion: int((data.ions[pool] == ion).sum()) for ion in ("Li", "Mg")}
    for setting, expected in {"ion": counts["Mg"], "li": counts["Li"], "all": len(pool)}.items():
        answers = Classical("svr", setting).fit_predict(
            data, unit.train, unit.validation, unit.test, seed=0, log=lambda words: None
        )
        assert seen.pop()[0] == expected
        assert answers.shape == unit.test.shape
    with pytest.raises(ModelError, match="svr-all"):
        Protocol("leave-one-ion-out").run([Classical("svr")], data)


def test_recipes_have_their_own_names() -> None:
    found = recipes()
    assert {
        "mean",
        "svr",
        "svr-li",
        "extra-trees-all",
        "cgcnn-scratch",
        "cgcnn-transfer",
        "li-model",
        "cgcnn-joint",
        "cgcnn-distilled",
    } <= set(found)
    assert all(learner.name == name for name, learner in found.items())


@pytest.mark.slow
def test_networks_run_under_the_protocol(data_file: Path) -> None:
    from ionvolt.datasets import read_dataset
    from ionvolt.evaluation import networks
    from ionvolt.evaluation.joint_networks import CgcnnDistilled, CgcnnJoint
    from ionvolt.evaluation.networks import CgcnnScratch, CgcnnTransfer, LiModel

    data = read_dataset(data_file)
    learners = [CgcnnScratch(1, 2), LiModel(2, 2), CgcnnTransfer(2, 2), CgcnnJoint(2, 2), CgcnnDistilled(1, 2)]
    results = Protocol("random").run(learners, data)
    model, ion, predicted = (results.column(name) for name in ("model", "ion", "predicted"))
    for name in ("cgcnn-scratch", "li-model", "cgcnn-transfer", "cgcnn-joint", "cgcnn-distilled"):
        assert (model == name).sum() == (model == "mean").sum()
    as_it_is, transfer = (predicted[(model == name)] for name in ("li-model", "cgcnn-transfer"))
    of_li = ion[model == "mean"] == "Li"
    assert as_it_is[of_li] == pytest.approx(transfer[of_li], abs=1e-5)
    assert not np.isclose(as_it_is[~of_li], transfer[~of_li]).any()
    assert len(networks._li_networks) == 1  # trained once for both


def test_the_command(data_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.parquet"
    asked = ("evaluate", "mean", data_file, "--split", "random", "--folds", 3, "-o", out)
    result = run_command(*asked)
    assert result.code == 0, result.err
    assert "random split, 3 folds" in result.out
    assert "resamples" in result.out
    said = run_command(*asked, "--json").json
    assert said["protocol"]["folds"] == 3
    assert [r["ion"] for r in said["results"]] == ["Li", "Mg"]
    assert sum(r["n_test"] for r in said["results"]) == 100
    assert out.exists()


def test_the_command_refuses_in_one_line(data_file: Path, tmp_path: Path) -> None:
    assert "Did you mean extra-trees?" in run_command("evaluate", "extra-tree", data_file).refused()
    assert "no such data set" in run_command("evaluate", "mean", tmp_path / "none.parquet").refused()
    assert "Ca: no electrode" in run_command("evaluate", "mean", data_file, "--ion", "Ca").refused()
    loio = ("evaluate", "mean", data_file, "--split", "leave-one-ion-out", "--folds", 3)
    assert "a fold for each ion" in run_command(*loio).refused()


@pytest.mark.slow
def test_baseline_trained_and_evaluated_as_it_is(data_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matminer")
    folder = tmp_path / "ridge"
    made = run_command("baseline", data_file, "--model", "kernel-ridge", "--ion", "Mg,Li", "-o", folder, "--json")
    assert made.code == 0, made.err
    card = made.json
    assert card["kind"] == "classical"
    assert list(card["ions"]) == ["Mg", "Li"]
    tested = {record["ion"]: record["values"] for record in card["evaluation"]}
    assert tested["Mg"]["mae"] < tested["Mg"]["mae_of_mean_predictor"]
    # The same split: the command's errors are those of the card.
    said = run_command("evaluate", folder, data_file, "--split", "random", "--json").json
    for record in said["results"]:
        assert record["mae"] == pytest.approx(tested[record["ion"]]["mae"], abs=2e-4)
    note = said["trained_models"][0]
    assert note["of_training_frameworks"] > 0
    assert "flatter" in note["words"]
    # One that learned from no tested framework, and one whose card does not say.
    run_command("baseline", data_file, "--model", "svr", "--ion", "Mg", "-o", tmp_path / "svr", "--split", "framework")
    clean = run_command("evaluate", tmp_path / "svr", data_file, "--ion", "Mg", "--split", "framework", "--json").json
    assert clean["trained_models"][0]["of_training_frameworks"] == 0
    card = json.loads((folder / "card.json").read_text())
    del card["training"]["frameworks"]
    (folder / "card.json").write_text(json.dumps(card))
    assert "does not say" in run_command("evaluate", folder, data_file, "--split", "random").out
    unknown = run_command("evaluate", tmp_path / "svr", data_file, "--split", "random")
    assert "not trained for Li" in unknown.refused()
    final = run_command("baseline", data_file, "--model", "svr", "--ion", "Mg", "-o", tmp_path / "final", "--final")
    assert final.code == 0
    assert json.loads((tmp_path / "final" / "card.json").read_text())["evaluation"] == []
    assert "Ca" in run_command("baseline", data_file, "--ion", "Ca", "-o", tmp_path / "x").refused()


def test_heads_trained_on_rows_that_the_card_does_not_list() -> None:
    from ionvolt.evaluation.learners import Trained
    from ionvolt.models.card import ModelCard

    class Model:
        ions = ("Mg",)
        card = ModelCard("m", training={"frameworks": ["F1O2"], "ions": {"Mg": {"mode": "head", "n_rows": 9}}})

    data = of_frameworks(["F1O2", "F2O2", "F2O2"], ["Mg"] * 3)
    test = np.arange(3)
    assert Trained(Model()).seen(data, test) == 1
    assert Trained(Model()).unlisted(data, test) == ["Mg"]
    Model.card.training["ions"]["Mg"]["frameworks"] = ["F2O2"]
    assert Trained(Model()).seen(data, test) == 3
    assert Trained(Model()).unlisted(data, test) == []
    Model.card = ModelCard("m", ions=["Mg"])
    assert Trained(Model()).seen(data, test) is None
