"""Cards: what answering needs stands apart from history and evaluation, and old cards are brought up to date."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from ionvolt.errors import ModelError
from ionvolt.models.card import FORMAT_VERSION, ModelCard, Record, read_card, write_card
from ionvolt.models.card_upgrades import upgrade_v1_v2
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import load_ensemble, save_ensemble
from ionvolt.models.cgcnn.parameters import Calibration
from ionvolt.models.registry import shipped_models
from ionvolt.models.structured import structured
from ionvolt.training.cgcnn.networks import new_network

NUMBERS = {"n": 9, "mae": 0.5, "mae_low": 0.4, "mae_high": 0.6, "rmse": 0.7}

NETWORKS: dict[str, Any] = {
    "name": "old",
    "kind": "cgcnn",
    "n_members": 2,
    "ions": {
        "Li": {
            "mode": "scratch",
            "n_rows": 90,
            "distance_limit": 0.7,
            "std_scale": 2.0,
            "std_floor": 0.1,
            "frameworks": ["FePO4"],
            "local_voltages": {"additive_max_error_V": 1e-6, "note": "on validation rows"},
            "errors": {"paper/random": {"n_train": 80, "network": NUMBERS, "mean": NUMBERS | {"mae": 0.9}}},
        },
        "Mg": {
            "mode": "head",
            "n_rows": 20,
            "errors": {"paper/random": {"n_train": 18, "transfer": NUMBERS, "scratch": NUMBERS | {"mae": 0.8}}},
        },
    },
    "elements": {"Li": [8, 15, 26]},
    "ties": "published",
    "weights_sha256": "0" * 64,
    "description": "An old one.",
    "training": {"data": "mp2020", "frameworks": ["FePO4", "TiS2"]},
    "limits": ["Oxides."],
    "licence": "MIT",
    "attribution": "Nobody",
    "format_version": 1,
}

KERNEL = {"width": 4.0, "ion_width": 3.0, "own": 0.05, "offset": 0.5, "content_width": 0.2, "ridge": 0.05}

HOSTS: dict[str, Any] = {
    "name": "old hosts",
    "kind": "foundation",
    "n_members": 3,
    "ions": {"Li": {"n_rows": 9, "errors": {"framework 5-fold": NUMBERS}}},
    "training": {
        "data": "mp2025",
        "kernel": KERNEL,
        "tests": {
            "framework 5-fold": {
                "all": NUMBERS | {"mae": 0.3},
                "error_by_distance": [{"distance": 0.1, "mae": 0.2}, {"distance": 0.2, "mae": 0.4}],
                "by_anion": {"F+O": {"n": 5, "mae": 0.1}},
            }
        },
        "emptying": {"test": "framework 5-fold", "n": 9, "right": 0.9},
    },
    "format_version": 1,
}


def read(content: Any, folder: Path) -> ModelCard:
    (folder / "card.json").write_text(json.dumps(content), encoding="utf-8")
    return read_card(folder / "card.json")


def test_an_old_card_of_networks(tmp_path: Path) -> None:
    card = read(NETWORKS, tmp_path)
    assert card.format_version == FORMAT_VERSION == 2
    assert card.ions == ["Li", "Mg"]
    assert card.hyperparameters == {
        "n_members": 2,
        "ties": "published",
        "calibration": {"Li": {"distance_limit": 0.7, "std_scale": 2.0, "std_floor": 0.1}},
    }
    assert card.n_members == 2
    assert card.training["data"] == "mp2020"
    assert card.ion_training("Li") == {"mode": "scratch", "n_rows": 90, "frameworks": ["FePO4"]}
    assert card.ion_training("Mg") == {"mode": "head", "n_rows": 20}
    assert card.frameworks() == {"FePO4", "TiS2"}
    assert card.errors("Li") == {"paper/random": {"n_train": 80, **NUMBERS}}
    assert card.errors("Mg") == {"paper/random": {"n_train": 18, **NUMBERS}}
    assert card.values("paper/random", "Li", learner="mean")["mae"] == 0.9
    assert card.values("paper/random", "Mg", learner="scratch")["mae"] == 0.8
    assert card.record("local voltages", "Li") == Record(
        "local voltages", "Li", values={"additive_max_error_V": 1e-6}, note="on validation rows"
    )
    assert (card.elements, card.limits, card.attribution) == ({"Li": [8, 15, 26]}, ["Oxides."], "Nobody")


def test_an_old_card_of_hosts(tmp_path: Path) -> None:
    card = read(HOSTS, tmp_path)
    assert card.hyperparameters == {"n_members": 3, "kernel": KERNEL}
    assert set(card.training) == {"data", "ions"}
    assert card.errors() == {"framework 5-fold": NUMBERS | {"mae": 0.3}}
    assert card.errors("Li") == {"framework 5-fold": NUMBERS}
    assert card.values("framework 5-fold", subset="distance 2/2") == {"distance": 0.2, "mae": 0.4}
    assert card.values("framework 5-fold", subset="anion F+O") == {"n": 5, "mae": 0.1}
    assert card.record("full extraction") == Record(
        "full extraction", values={"n": 9, "right": 0.9}, note="framework 5-fold"
    )


def test_the_features_of_an_old_classical_model_are_what_it_answers_with(tmp_path: Path) -> None:
    old = {"name": "c", "kind": "classical", "training": {"features": ["a"], "learner": "svr"}, "format_version": 1}
    card = read(old, tmp_path)
    assert card.hyperparameters == {"features": ["a"]}
    assert card.training == {"learner": "svr"}


def test_an_upgrade_changes_nothing_that_it_was_given() -> None:
    before = copy.deepcopy(NETWORKS)
    upgrade_v1_v2(NETWORKS)
    assert before == NETWORKS


def test_an_upgraded_card_is_written_and_read_as_it_is(tmp_path: Path) -> None:
    card = read(NETWORKS, tmp_path)
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surprise": 1}, "unknown: surprise"),
        ({"ions": ["Li"]}, "not what format 1 was"),
        ({"training": {"tests": {"t": {}}}}, "not what format 1 was"),
        ({"name": 3}, "name is no str"),
    ],
)
def test_old_cards_that_are_none(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        read(NETWORKS | change, tmp_path)


def test_calibration_is_read_from_hyperparameters(tmp_path: Path) -> None:
    network = new_network(0)
    card = ModelCard("x", ions=["Mg"], hyperparameters={"calibration": {"Mg": {"std_scale": 3.0}}})
    save_ensemble(ensemble_of([network.trunk], {"Mg": [network.head]}, card), tmp_path)
    model = load_ensemble(tmp_path)
    assert model.calibration("Mg") == Calibration(std_scale=3.0)
    assert model.calibration("Li") == Calibration()
    broken = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    broken["hyperparameters"]["calibration"]["Mg"]["std_scale"] = "three"
    (tmp_path / "card.json").write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(ModelError, match=r"hyperparameters\.calibration\.Mg\.std_scale is no float"):
        load_ensemble(tmp_path)


def test_shipped_cards_hold_nothing_that_answers_outside_of_the_hyperparameters() -> None:
    for name, card in shipped_models().items():
        assert card.format_version == FORMAT_VERSION, name
        assert card.hyperparameters, name
        assert not {"kernel", "features", "tests", "emptying"} & card.training.keys(), name
        for facts in card.training["ions"].values():
            assert not {"std_scale", "std_floor", "distance_limit", "errors"} & facts.keys(), name
        for ion in card.ions:
            assert any(numbers["mae_low"] < numbers["mae"] for numbers in card.errors(ion).values()), (name, ion)


@dataclass(frozen=True)
class Inner:
    size: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    inner: Inner
    word: Literal["a", "b"] = "a"
    rows: list[Inner] = field(default_factory=list)
    pair: tuple[int, int] = (0, 0)
    by_name: dict[str, float | None] = field(default_factory=dict)


def test_dataclasses_from_json() -> None:
    content = {
        "inner": {"size": 3, "share": 1},
        "word": "b",
        "rows": [{"size": 1}],
        "pair": [1, 2],
        "by_name": {"x": None},
    }
    assert structured(Outer, content) == Outer(Inner(3, 1.0), "b", [Inner(1)], (1, 2), {"x": None})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "it is no object"),
        ({}, "no inner"),
        ({"inner": {}}, "no inner.size"),
        ({"inner": {"size": 1.5}}, "inner.size is no int"),
        ({"inner": {"size": True}}, "inner.size is no int"),
        ({"inner": {"size": 1, "more": 2}}, "unknown: inner.more"),
        ({"inner": {"size": 1}, "word": "c"}, "word is 'c', not one of a, b"),
        ({"inner": {"size": 1}, "rows": [{"size": 1}, {}]}, r"no rows\[1\].size"),
        ({"inner": {"size": 1}, "pair": [1]}, "pair holds 1 items, not 2"),
        ({"inner": {"size": 1}, "by_name": {"x": "y"}}, "by_name.x is no float or NoneType"),
    ],
)
def test_what_does_not_fit_is_named(content: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        structured(Outer, content)
