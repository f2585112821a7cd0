import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ionvolt.errors import IonVoltError, ModelError
from ionvolt.graphs import CrystalGraph, build_graph, collate
from ionvolt.models.card import FORMAT_VERSION, ModelCard, Record, read_card, write_card
from ionvolt.models.cgcnn.conversion import ensemble_of, network_of
from ionvolt.models.cgcnn.ensemble import Ensemble, load_ensemble, save_ensemble
from ionvolt.models.cgcnn.network import Head
from ionvolt.models.registry import PAPER_MODEL, load_model, model_folder
from ionvolt.models.storage import CARD_FILE, WEIGHTS_FILE
from ionvolt.structures import read_file
from models.networks import fitted, some_graphs


@pytest.fixture(scope="module")
def graphs() -> list[CrystalGraph]:
    return some_graphs(4)


def new_ensemble(ions: tuple[str, ...] = ("Mg", "Ca", "Al")) -> Ensemble:
    """Two members; the heads differ from ion to ion and from member to member."""
    networks = [fitted(seed) for seed in (1, 2)]
    heads: dict[str, list[Head]] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for ion in ions:
            heads[ion] = [Head(2.0, 1.5), Head(1.0, 0.5)]
    records = [Record("test", ion, values={"mae": 0.3}) for ion in ions]
    card = ModelCard("tést", ions=list(ions), elements={"Mg": [8, 25]}, evaluation=records, limits=["Oxides only."])
    return ensemble_of([network.trunk for network in networks], heads, card)


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return new_ensemble()


@pytest.fixture
def folder(ensemble: Ensemble, tmp_path: Path) -> Path:
    save_ensemble(ensemble, tmp_path / "model")
    return tmp_path / "model"


def test_round_trip(ensemble: Ensemble, folder: Path, graphs: list[CrystalGraph]) -> None:
    again = load_ensemble(folder)
    assert again.ions == ["Mg", "Ca", "Al"]
    assert again.card == ensemble.card
    assert again.card.n_members == 2
    np.testing.assert_array_equal(again.voltages(graphs, again.ions), ensemble.voltages(graphs, ensemble.ions))
    assert again.arrays.keys() == ensemble.arrays.keys()
    for name, array in ensemble.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array, err_msg=name)
    assert not list(folder.glob("*.part"))
    save_ensemble(again, folder)
    assert load_ensemble(folder).card == ensemble.card


def test_voltages_keep_the_order_of_ions_members_and_crystals(ensemble: Ensemble, graphs: list[CrystalGraph]) -> None:
    ions = ["Al", "Mg"]
    voltages = ensemble.voltages(graphs, ions)
    assert voltages.shape == (2, 2, len(graphs))
    assert voltages.dtype == np.float64
    with torch.no_grad():
        for row, ion in enumerate(ions):
            for m in range(2):
                whole = network_of(ensemble, m, ion)(collate(graphs))
                np.testing.assert_allclose(voltages[row, m], whole, atol=1e-5)
    assert np.abs(voltages[:, 0] - voltages[:, 1]).min() > 1e-4
    reversed_order = ensemble.voltages(graphs[::-1], ions)
    np.testing.assert_allclose(reversed_order, voltages[:, :, ::-1], atol=1e-5)


@pytest.mark.slow
def test_the_shipped_networks_answer_as_those_of_pytorch() -> None:
    """All members and ions, alone and among others; what is trained on from them is what answers."""
    model = load_model(PAPER_MODEL)
    assert isinstance(model, Ensemble)
    examples = Path(__file__).parents[2] / "src/ionvolt/examples"
    graphs = [build_graph(read_file(examples / f"{name}.cif")) for name in ("V2O5", "LiFePO4", "TiS2")]
    voltages = model.voltages(graphs, model.ions)
    alone = np.concatenate([model.voltages([graph], model.ions) for graph in graphs], axis=2)
    np.testing.assert_allclose(alone, voltages, atol=1e-5)
    with torch.no_grad():
        for row, ion in enumerate(model.ions):
            for m in range(model.n_members):
                np.testing.assert_allclose(voltages[row, m], network_of(model, m, ion)(collate(graphs)), atol=1e-5)


def test_many_crystals_in_several_batches(ensemble: Ensemble, graphs: list[CrystalGraph]) -> None:
    many = graphs * 120
    assert sum(len(graph) for graph in many) > 4096
    voltages = ensemble.voltages(many, ["Ca"])
    expected = np.tile(ensemble.voltages(graphs, ["Ca"]), 120)
    np.testing.assert_allclose(voltages, expected, atol=1e-5)


def test_networks_that_learn_on_do_not_change_what_was_made_of_them(graphs: list[CrystalGraph]) -> None:
    network = fitted(3)
    ensemble = ensemble_of([network.trunk], {"Mg": [network.head]}, ModelCard("x"))
    expected = fitted(3)(collate(graphs)).detach()
    network.train()(collate(graphs)).sum().backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(0.1)
    np.testing.assert_allclose(ensemble.voltages(graphs, ["Mg"])[0, 0], expected, atol=1e-5)
    again = network_of(ensemble, 0, "Mg")
    with torch.no_grad():
        again.head.target_mean.add_(1.0)
    np.testing.assert_allclose(ensemble.voltages(graphs, ["Mg"])[0, 0], expected, atol=1e-5)


def test_members_answer_alike_without_compiled_passes(
    ensemble: Ensemble, graphs: list[CrystalGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    voltages = ensemble.voltages(graphs, ["Mg", "Al"])
    monkeypatch.setenv("IONVOLT_KERNELS", "none")
    np.testing.assert_allclose(ensemble.voltages(graphs, ["Mg", "Al"]), voltages, atol=1e-5)


def test_distances_are_the_same_alone_and_among_others(graphs: list[CrystalGraph]) -> None:
    ensemble = new_ensemble(("Mg",))
    assert ensemble.distances(ensemble.pooled(graphs), "Mg") is None
    whole = ensemble.pooled(graphs)
    scale = whole[0].std(0)
    ensemble = ensemble.with_arrays({"reference_scale": scale, "reference.Mg": whole[0][:2] / scale + 0.1})
    together = ensemble.distances(whole, "Mg")
    assert together is not None
    alone = [ensemble.distances(ensemble.pooled([graph]), "Mg") for graph in graphs]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-4)
    np.testing.assert_allclose(together[:2], 0.1, atol=1e-4)
    assert together[2] > 0.2


def test_no_crystals_no_voltages(ensemble: Ensemble) -> None:
    assert ensemble.voltages([], ["Mg", "Ca"]).shape == (2, 2, 0)


def test_an_ion_without_a_head_is_refused_by_name(ensemble: Ensemble, graphs: list[CrystalGraph]) -> None:
    with pytest.raises(ModelError, match=r"no head for Zn; it knows Mg, Ca, Al"):
        ensemble.voltages(graphs, ["Mg", "Zn"])


def test_an_ensemble_needs_a_head_for_every_trunk() -> None:
    with pytest.raises(ValueError, match="1 heads for Mg, but 2 trunks"):
        ensemble_of([fitted(0).trunk, fitted(1).trunk], {"Mg": [Head()]}, ModelCard("x"))


def refusal_of(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_ensemble(folder)
    text = str(caught.value)
    assert str(folder) in text
    assert "Traceback" not in text
    assert any(remedy in text for remedy in ("again", "Give a model's folder", "Upgrade"))
    return text


def sealed(folder: Path, content: bytes) -> None:
    """Other weights, with a checksum that fits them."""
    (folder / WEIGHTS_FILE).write_bytes(content)
    edit_card(folder, weights_sha256=hashlib.sha256(content).hexdigest())


def edit_card(folder: Path, **entries: Any) -> None:
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    (folder / CARD_FILE).write_text(json.dumps(card | entries), encoding="utf-8")


def test_one_changed_byte_is_noticed(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS_FILE).read_bytes())
    content[-7] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(content)
    assert "not those that the card describes" in refusal_of(folder)


@pytest.mark.parametrize("size", [0, 4, 100, 20_000, -1])
def test_truncated_weights(size: int, folder: Path) -> None:
    content = (folder / WEIGHTS_FILE).read_bytes()[:size]
    (folder / WEIGHTS_FILE).write_bytes(content)
    assert "not those that the card describes" in refusal_of(folder)
    sealed(folder, content)
    assert "do not fit" in refusal_of(folder)


def test_missing_weights(folder: Path) -> None:
    (folder / WEIGHTS_FILE).unlink()
    assert "cannot be read" in refusal_of(folder)


def test_missing_card(folder: Path) -> None:
    (folder / CARD_FILE).unlink()
    assert "no model card" in refusal_of(folder)
    refusal_of(folder / "nowhere")


Tensors = dict[str, torch.Tensor]


def _drop(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {n: t for n, t in tensors.items() if n != name}


def _replace(name: str, shape: tuple[int, ...]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: torch.zeros(shape)}


@pytest.mark.parametrize(
    "change",
    [
        _drop("trunk.0.embedding.weight"),
        _drop("trunk.1.convolutions.2.atom_norm.running_var"),
        _drop("head.Ca.1.output.bias"),
        _drop("head.Al.0.target_std"),
        _replace("trunk.0.embedding.weight", (64, 91)),
        _replace("head.Mg.0.hidden.weight", (128,)),
        lambda tensors: {"weights": torch.zeros(3)},
        lambda tensors: tensors | {"reference.Mg": torch.zeros(3, 63)},
        lambda tensors: tensors | {"local.Mg.0.linear.weight": torch.zeros(1, 64)},
        lambda tensors: {name: tensor.double() for name, tensor in tensors.items()},
    ],
    ids=[
        "no embedding",
        "no statistics",
        "no bias",
        "no scale",
        "shape",
        "dimension",
        "another network",
        "references",
        "half a local head",
        "double precision",
    ],
)
def test_tensors_that_do_not_fit(change: Callable[[Tensors], Tensors], folder: Path) -> None:
    tensors = change(load_file(folder / WEIGHTS_FILE))
    save_file(tensors, folder / "other")
    sealed(folder, (folder / "other").read_bytes())
    assert "do not fit" in refusal_of(folder)


@pytest.mark.parametrize("n_members", [1, 3])
def test_other_members_on_the_card_than_in_the_weights(n_members: int, folder: Path) -> None:
    edit_card(folder, hyperparameters={"n_members": n_members})
    assert f"2 networks, but {n_members} on the card" in refusal_of(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "not a model card"),
        ("3", "not a model card"),
        ("{}", "not a model card"),
        ('{"name": "x", "colour": "red"}', "colour"),
        ('{"name": "x", "format_version": 99}', "Upgrade IonVolt"),
        ('{"name": "x", "format_version": 99, "shape": "round"}', "Upgrade IonVolt"),
        ('{"name": "x", "format_version": "one"}', "not a model card"),
        ('{"name": "x", "n_members": 2}', "unknown: n_members"),
        ('{"name": "x", "evaluation": [{"test": "t", "values": {"mae": "low"}}]}', "evaluation[0].values.mae"),
        ('{"name": "x", "training": {"frameworks": [3]}}', "training.frameworks is no list of formulas"),
        ('{"name": "x", "training": {"ions": {"Mg": 3}}}', "training.ions is no object of objects"),
        ('{"name": "x", "ions": {"Mg": {}}}', "not a model card"),
        ('{"name": 3}', "not a model card"),
    ],
)
def test_cards_that_are_refused(text: str, says: str, folder: Path) -> None:
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    assert says in refusal_of(folder)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"hyperparameters": {"n_members": "two"}}, "hyperparameters.n_members is no int"),
        ({"hyperparameters": {"n_members": 0}}, "hyperparameters.n_members is 0"),
        ({"hyperparameters": {"n_member": 2}}, "unknown: hyperparameters.n_member"),
        ({"hyperparameters": {"ties": "any"}}, "any"),
        ({"kind": "chgnet"}, "a chgnet model"),
    ],
)
def test_hyperparameters_and_kinds_that_are_refused(entries: dict[str, Any], says: str, folder: Path) -> None:
    edit_card(folder, **entries)
    assert says in refusal_of(folder)


def test_a_card_that_is_not_text(folder: Path) -> None:
    (folder / CARD_FILE).write_bytes(b"\xff\xfe\x00{")
    refusal_of(folder)


def test_card_json_round_trip(tmp_path: Path) -> None:
    card = ModelCard(
        name="n",
        ions=["Mg"],
        hyperparameters={"n_members": 5, "ties": "published"},
        evaluation=[Record("framework 5-fold", "Mg", values={"n": 300, "mae": 0.31, "by_split": [0.3, 0.32]})],
        elements={"Mg": [8, 12]},
        training={"split": "framework", "seeds": [0, 1]},
        limits=["Å and µ survive."],
        attribution="Materials Project, CC BY 4.0",
    )
    write_card(card, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == card
    written = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert written == asdict(card)
    assert written["format_version"] == FORMAT_VERSION
    assert "Å" in (tmp_path / "card.json").read_text(encoding="utf-8")


def test_a_card_of_few_words_gets_defaults(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"name": "x"}', encoding="utf-8")
    assert read_card(tmp_path / "card.json") == ModelCard("x")


def test_a_model_by_its_folder(folder: Path) -> None:
    assert model_folder(folder) == folder
    assert model_folder(str(folder)) == folder
    assert load_model(folder).ions == ["Mg", "Ca", "Al"]


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    for name in ("no-such-model", "", ".", tmp_path, tmp_path / "x"):
        with pytest.raises(IonVoltError, match="no such model"):
            model_folder(name)
