import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ionvolt.errors import ModelError
from ionvolt.explain import explain
from ionvolt.explain.files import to_cif
from ionvolt.models.card import ModelCard
from ionvolt.models.cgcnn import LocalHead
from ionvolt.models.ensemble import Ensemble, load_ensemble, save_ensemble
from ionvolt.structures import read_file, read_text
from ionvolt.structures.crystal import Crystal
from ionvolt.training.local import fit_local_heads
from ionvolt.training.networks import new_network

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    networks = [new_network(seed) for seed in (1, 2)]
    torch.manual_seed(0)
    return Ensemble(
        [n.trunk for n in networks],
        {"Mg": [n.head for n in networks]},
        ModelCard("local", ions={"Mg": {}}),
        {"Mg": [LocalHead(), LocalHead()]},
    )


def test_the_mean_over_atoms_is_the_linear_head_of_the_pooled_vector(ensemble: Ensemble) -> None:
    explanation = explain(EXAMPLES / "V2O5.cif", "Mg", model=ensemble)
    crystal = read_file(EXAMPLES / "V2O5.cif")
    from ionvolt.graphs import build_graph

    pooled = ensemble.pooled([build_graph(crystal)])
    with torch.no_grad():
        expected = np.mean([h(p).item() for h, p in zip(ensemble.local_heads["Mg"], pooled, strict=True)])
    assert explanation.mean_local_voltage == pytest.approx(expected, abs=1e-5)
    assert np.mean([site.local_voltage for site in explanation.sites]) == pytest.approx(expected, abs=1e-5)


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
    assert explanation.prediction.host_state == "discharged"
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
    bare = Ensemble([network.trunk], {"Mg": [network.head]}, ModelCard("bare", ions={"Mg": {}}))
    with pytest.raises(ModelError, match="no local-voltage head"):
        explain(EXAMPLES / "V2O5.cif", "Mg", model=bare)


def test_the_fit_finds_a_linear_law() -> None:
    rng = np.random.default_rng(0)
    pooled = torch.from_numpy(rng.normal(size=(120, 64))).float()
    weight = rng.normal(size=64)
    targets = pooled.numpy() @ weight + 2.0
    rows = np.arange(120)
    heads, fits = fit_local_heads([pooled], [new_network(0).head], targets, [(rows[:100], rows[100:])])
    assert fits[0].mae_to_label < 1e-2
    np.testing.assert_allclose(heads[0].linear.weight.detach().numpy()[0], weight, atol=0.02)
