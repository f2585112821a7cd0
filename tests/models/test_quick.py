"""The quick model: a kernel machine on a handful of crystals, kept, read, judged."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ionvolt.descriptors.host_and_ion import HOST_AND_ION_FEATURES
from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard
from ionvolt.models.classical.quick import (
    QuickJudge,
    QuickModel,
    answers_of,
    load_quick,
    save_quick,
)
from ionvolt.models.differences import summed_differences
from ionvolt.models.interface import Query
from ionvolt.models.registry import model_folder
from ionvolt.models.uncertainty.conformal import calibrate
from ionvolt.models.uncertainty.domain import difficulty_features
from ionvolt.testing import check_predictor, electrodes, layered
from ionvolt.training.laplacian import LaplacianSettings, element_data, feature_weights, fit_laplacian

pytest.importorskip("matminer")
pytest.importorskip("sklearn")

METALS = ("Co", "Ni", "Cr", "V", "Ti", "Mn")
HOSTS = [layered("Li", metal, 2.8 + 0.02 * i, 14 + 0.1 * i).host for i, metal in enumerate(METALS)]
VOLTAGES = np.array([4.2, 4.0, 3.4, 3.0, 2.0, 3.7])
EXACT = LaplacianSettings(penalty=1e4, tube=1e-4)


@cache
def rows() -> np.ndarray:
    return element_data().rows(HOSTS, ["Li"] * len(HOSTS))


def small(distance_limit: float = 1.0) -> QuickModel:
    rng = np.random.default_rng(0)
    signs = difficulty_features(rng.random(200), rng.random(200), rng.random(200))
    conformal = calibrate(signs, rng.integers(0, 10, 200), 0.3 * rng.normal(size=200))
    seen = frozenset({8, 22, 23, 24, 25, 27, 28})
    judge = QuickJudge(conformal, seen, distance_limit, 5.0, 5.0)
    machine = fit_laplacian(rows(), VOLTAGES, EXACT)
    return QuickModel(machine, element_data(), judge, ModelCard("small", ions=["Li", "Mg"]))


def test_it_keeps_the_contract() -> None:
    check_predictor(small(), electrodes(["Li", "Mg"]))


def test_it_answers_what_it_has_learned() -> None:
    found = answers_of(small().machine, rows())
    assert found.voltage == pytest.approx(VOLTAGES, abs=0.02), "training rows are kept in bytes"
    assert found.distance == pytest.approx(0, abs=0.02)
    assert found.spread == pytest.approx(np.sqrt(((VOLTAGES - VOLTAGES[:, None]) ** 2).mean(1)), abs=0.02)


def test_the_machine_by_hand() -> None:
    machine = small().machine
    x = (rows()[:1] - machine.mean) / machine.scale
    d = (np.abs(np.clip(x, -5, 5) - machine.unit * machine.references) * machine.weights).sum(1)
    assert machine.distances(rows()[:1])[0] == pytest.approx(d, abs=1e-5)
    expected = float(np.exp(-d) @ machine.coefficients) + machine.intercept
    assert machine.answers(machine.distances(rows()[:1]))[0] == pytest.approx(expected, abs=1e-3)


def test_blocks_of_features_weigh_as_the_settings_say() -> None:
    weights = feature_weights(LaplacianSettings(gamma=0.7, redox=0.4, site=0.2, ion=0.1))
    assert len(weights) == len(HOST_AND_ION_FEATURES)
    assert weights.sum() == pytest.approx(0.7 * 1.1)


def test_without_numba_the_differences_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 50)).astype(np.float32), rng.normal(size=(7, 50)).astype(np.float32)
    expected = np.abs(a[:, None] - b).sum(2)
    assert summed_differences(a, b) == pytest.approx(expected, rel=1e-5)
    monkeypatch.setitem(__import__("sys").modules, "ionvolt.models._differences_numba", None)
    assert summed_differences(a, b) == pytest.approx(expected, rel=1e-5)


def test_loaded_it_answers_the_same(tmp_path: Path) -> None:
    model = small()
    save_quick(model, tmp_path)
    queries = [Query("Li", host) for host in HOSTS] + [Query("Mg", HOSTS[0])]
    assert load_quick(tmp_path).estimate(queries) == model.estimate(queries)


def test_what_it_has_not_seen_is_out_of_the_domain() -> None:
    host = layered("Li", "Fe", 2.9, 14.2).host
    (answer,) = small().estimate([Query("Li", host)])
    assert not answer.in_domain
    assert answer.reasons[0].startswith("Fe: in no electrode")
    (far,) = small(distance_limit=1e-6).estimate([Query("Mg", HOSTS[0])])
    assert not far.in_domain
    assert "far from all training frameworks" in far.reasons[0]
    (near,) = small().estimate([Query("Li", HOSTS[0])])
    assert near.in_domain
    assert near.epistemic_std is None  # a single machine


def test_damage_is_refused(tmp_path: Path) -> None:
    save_quick(small(), tmp_path)
    arrays = load_file(tmp_path / "weights.safetensors")
    for name, value in {
        "machine.coefficients": arrays["machine.coefficients"][:-1],
        "machine.references": arrays["machine.references"][:, :-1],
        "machine.intercept": None,
        "machine.voltages": np.full(len(VOLTAGES), np.nan),
        "machine.scalars": arrays["machine.scalars"][:2],
        "machine.scale": np.zeros_like(arrays["machine.scale"]),
        "length": arrays["length"][:50],
        "elements": None,
    }.items():
        changed = {k: v for k, v in (arrays | {name: value}).items() if v is not None}
        if name == "machine.intercept":
            changed.pop("machine.scalars")
        rewrite(tmp_path, changed)
        with pytest.raises(ModelError, match="do not fit"):
            load_quick(tmp_path)
    for kind in (np.uint8, np.int64, np.float32):
        rewrite(tmp_path, arrays | {"machine.references": arrays["machine.references"].astype(kind)})
        with pytest.raises(ModelError, match="neither int8 nor float16"):
            load_quick(tmp_path)
    rewrite(tmp_path, arrays)
    assert load_quick(tmp_path).ions == ["Li", "Mg"]


def test_features_of_another_version_are_refused(tmp_path: Path) -> None:
    save_quick(small(), tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    card["hyperparameters"]["features"][0] = "something else"
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="other features"):
        load_quick(tmp_path)


def rewrite(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Other arrays under a right checksum."""
    import hashlib

    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / "weights.safetensors")
    card = json.loads((folder / "card.json").read_text())
    card["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize("family", ["quick", "delta", "foundation", "cgcnn"])
def test_a_shipped_model_answers_to_its_family(family: str) -> None:
    assert model_folder(family).name.startswith(f"{family}-")
