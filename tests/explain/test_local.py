import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ionvolt.errors import ModelError
from ionvolt.explain import explain, explain_many
from ionvolt.explain.files import to_cif
from ionvolt.graphs import build_graph
from ionvolt.models.card import ModelCard, read_card, write_card
from ionvolt.models.cgcnn.architecture import LOCAL_HEAD
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import Ensemble, load_ensemble, save_ensemble
from ionvolt.models.cgcnn.local_voltages import path_gradient
from ionvolt.models.registry import shipped_models
from ionvolt.prediction import predict
from ionvolt.structures import read_file, read_text
from ionvolt.structures.crystal import Crystal
from ionvolt.training.cgcnn.local_head import fit_local_heads, named_local_heads
from ionvolt.training.cgcnn.networks import new_network
from models.networks import random_local_heads

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    networks = [new_network(seed) for seed in (1, 2)]
    for network in networks:  # untrained ones answer beyond what an electrode shows
        network.head.target_mean.fill_(3.0)
        network.head.target_std.fill_(0.2)
    card = ModelCard("local", ions=["Mg"])
    bare = ensemble_of([n.trunk for n in networks], {"Mg": [n.head for n in networks]}, card)
    return bare.with_arrays(random_local_heads(["Mg"], 2))


def test_the_mean_over_atoms_is_the_voltage(ensemble: Ensemble) -> None:
    explanation = explain(EXAMPLES / "V2O5.cif", "Mg", model=ensemble)
    voltage = explanation.prediction.voltage
    assert explanation.mean_local_voltage == pytest.approx(voltage, abs=1e-5)
    assert np.mean([site.local_voltage for site in explanation.sites]) == pytest.approx(voltage, abs=1e-5)
    added = sum(facts["contribution"] for facts in explanation.elements.values())
    assert explanation.remainder + added == pytest.approx(voltage, abs=1e-5)


def test_the_linear_law_of_the_paper_stands_beside(ensemble: Ensemble) -> None:
    explanation = explain(EXAMPLES / "V2O5.cif", "Mg", model=ensemble)
    pooled = ensemble.pooled([build_graph(read_file(EXAMPLES / "V2O5.cif"))])
    weights = np.stack([ensemble.arrays[f"local.Mg.{m}.linear.weight"][0] for m in range(2)])
    biases = np.concatenate([ensemble.arrays[f"local.Mg.{m}.linear.bias"] for m in range(2)])
    expected = ((pooled[:, 0] * weights).sum(1) + biases).mean()
    assert explanation.mean_linear_voltage == pytest.approx(expected, rel=1e-5)
    assert np.mean([site.linear_voltage for site in explanation.sites]) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_written_out_is_that_of_automatic_differentiation() -> None:
    networks = [new_network(seed) for seed in (3, 4)]
    networks[0].head.target_std.fill_(0.7)
    heads = ensemble_of([n.trunk for n in networks], {"Mg": [n.head for n in networks]}, ModelCard("x")).heads("Mg")
    points = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for network, of_member, found in zip(networks, points, heads.gradient(points.detach().numpy()), strict=True):
        (recorded,) = torch.autograd.grad(network.head(of_member).sum(), of_member)
        np.testing.assert_allclose(found, recorded, atol=1e-6)


def test_the_way_from_the_average_host_adds_up(ensemble: Ensemble) -> None:
    """Slope times way is the rise of the head: nothing is lost between the average host and the crystal."""
    heads = ensemble.heads("Mg")
    start, end = np.random.default_rng(1).normal(size=(2, 2, 1, 64)).astype(np.float32)
    rise = heads(end) - heads(start)
    np.testing.assert_allclose(((end - start) * path_gradient(heads, start, end)).sum(2), rise, atol=1e-5)
    assert np.abs(rise).min() > 1e-4


def test_a_model_without_baselines_is_read_and_shared_out_at_the_crystal(ensemble: Ensemble, tmp_path: Path) -> None:
    save_ensemble(ensemble, tmp_path)
    tensors = load_file(tmp_path / "weights.safetensors")
    save_file({n: t for n, t in tensors.items() if not n.endswith("baseline")}, tmp_path / "weights.safetensors")
    card = read_card(tmp_path / "card.json")
    card.weights_sha256 = hashlib.sha256((tmp_path / "weights.safetensors").read_bytes()).hexdigest()
    write_card(card, tmp_path / "card.json")
    explanation = explain(EXAMPLES / "V2O5.cif", "Mg", model=load_ensemble(tmp_path))
    assert explanation.mean_local_voltage == pytest.approx(explanation.prediction.voltage, abs=1e-5)
    assert explanation.remainder == pytest.approx(explanation.prediction.voltage, abs=1e-5)


def test_equal_sites_have_equal_local_voltages_and_textbook_surroundings(ensemble: Ensemble) -> None:
    sites = explain(EXAMPLES / "LiFePO4.cif", "Mg", model=ensemble).sites
    iron = [s for s in sites if s.element == "Fe"]
    phosphorus = [s for s in sites if s.element == "P"]
    assert len(iron) == 4
    assert np.ptp([s.local_voltage for s in iron]) < 1e-5
    assert iron[0].neighbours == "O6"
    assert phosphorus[0].neighbours == "O4"
    assert phosphorus[0].coordination == pytest.approx(4.0, abs=0.2)


def test_order_and_cell_do_not_matter(ensemble: Ensemble) -> None:
    crystal = read_file(EXAMPLES / "TiS2.cif")
    twice = Crystal(
        crystal.lattice * np.array([[2.0], [1.0], [1.0]]),
        np.tile(crystal.numbers, 2)[::-1],
        np.concatenate([crystal.frac_coords * [0.5, 1, 1], crystal.frac_coords * [0.5, 1, 1] + [0.5, 0, 0]])[::-1],
    )
    one, two = (explain(c, "Mg", model=ensemble) for c in (crystal, twice))
    for element, facts in one.elements.items():
        assert two.elements[element]["n"] == 2 * facts["n"]
        assert two.elements[element]["median"] == pytest.approx(facts["median"], abs=1e-5)


def test_a_discharged_electrode_is_explained_without_its_ion(ensemble: Ensemble) -> None:
    explanation = explain(EXAMPLES / "MgMn2O4.cif", "Mg", model=ensemble)
    assert explanation.prediction.end_members == "discharged"
    assert {site.element for site in explanation.sites} == {"Mn", "O"}


def test_files(ensemble: Ensemble, tmp_path: Path) -> None:
    explanation = explain(EXAMPLES / "V2O5.cif", "Mg", model=ensemble)
    text = to_cif(explanation)
    again = read_text(text, "again")
    assert again.composition == read_file(EXAMPLES / "V2O5.cif").composition
    assert again.volume == pytest.approx(read_file(EXAMPLES / "V2O5.cif").volume, rel=1e-5)
    assert f"{explanation.sites[0].local_voltage:.4f}" in text
    assert json.loads(json.dumps(explanation.to_dict()))["sites"][0]["element"] == "V"
    save_ensemble(ensemble, tmp_path)
    np.testing.assert_allclose(
        [s.local_voltage for s in explain(EXAMPLES / "V2O5.cif", "Mg", model=load_ensemble(tmp_path)).sites],
        [s.local_voltage for s in explanation.sites],
    )


def test_a_model_without_local_heads_says_so() -> None:
    network = new_network(0)
    bare = ensemble_of([network.trunk], {"Mg": [network.head]}, ModelCard("bare", ions=["Mg"]))
    assert not bare.explains
    with pytest.raises(ModelError, match="bare: it does not share its answers out"):
        explain(EXAMPLES / "V2O5.cif", "Mg", model=bare)


def test_what_predicts_is_what_explains() -> None:
    """LiFePO4: 3.43 V by one model, and nearly all of it from Li and O by the same one."""
    explanation = explain(EXAMPLES / "LiFePO4.cif", "Li")
    predicted = predict(EXAMPLES / "LiFePO4.cif", "Li")
    assert explanation.prediction == predicted
    assert explanation.pooling == "sum"
    parts = {symbol: facts["contribution"] for symbol, facts in explanation.elements.items()}
    assert sum(parts.values()) + explanation.remainder == pytest.approx(predicted.voltage, abs=1e-6)
    assert parts["Li"] == pytest.approx(2.06, abs=0.03)
    assert parts["O"] == pytest.approx(1.28, abs=0.03)
    assert abs(parts["P"]) + abs(parts["Fe"]) < 0.3
    assert explanation.remainder_share < 0.04
    from_potential = sum(site.contribution_potential or 0.0 for site in explanation.sites)
    assert from_potential == pytest.approx(predicted.voltage_potential, abs=1e-5)
    assert explanation.mean_local_voltage == pytest.approx(predicted.voltage, abs=1e-6)


def test_the_fit_finds_the_law_of_the_head() -> None:
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(120, 64)).astype(np.float32)
    weight = rng.normal(size=64).astype(np.float32)

    def head(vectors: np.ndarray) -> np.ndarray:
        return vectors @ weight + np.float32(2.0)

    targets = (pooled @ weight + 2.5).astype(np.float64)
    rows = np.arange(120)
    heads, fits = fit_local_heads([pooled], [head], targets, [(rows[:100], rows[100:])])
    assert fits[0].mae_to_head < 1e-2
    assert fits[0].mae_to_label == pytest.approx(0.5, abs=1e-2)
    np.testing.assert_allclose(heads[0].weight[0, :, 0], weight, atol=0.02)
    np.testing.assert_allclose(heads[0].baseline[0], pooled[:100].mean(0), atol=1e-5)
    named = named_local_heads("Mg", [*heads, *heads])
    assert {name: array.shape for name, array in named.items()} == {
        f"local.Mg.{m}.{name}": shape for m in range(2) for name, shape in LOCAL_HEAD.items()
    }


def test_hosts_of_other_ions_help_where_the_ion_has_few() -> None:
    rng = np.random.default_rng(1)
    pooled = (rng.normal(size=(400, 64)) * 0.3).astype(np.float32)
    network, rows = new_network(5), np.arange(40)
    head = ensemble_of([network.trunk], {"Mg": [network.head]}, ModelCard("x")).heads("Mg")
    parts = [(rows[:30], rows[30:])]
    alone = fit_local_heads([pooled[:40]], [head], np.zeros(40), parts)[1][0]
    helped = fit_local_heads([pooled[:40]], [head], np.zeros(40), parts, [pooled[40:]])[1][0]
    assert helped.mae_to_head < 0.5 * alone.mae_to_head


def test_every_shipped_model_keeps_to_the_sum_rule_that_its_card_states() -> None:
    for name, card in shipped_models().items():
        if card.kind != "cgcnn":
            continue
        for explanation in explain_many([EXAMPLES / "V2O5.cif"], list(card.ions), model=name):
            stated = card.values("local voltages", explanation.prediction.working_ion)["additive_max_error_V"]
            assert abs(explanation.mean_local_voltage - explanation.prediction.voltage) <= 10 * stated
            assert stated < 1e-4
