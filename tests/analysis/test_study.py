"""What is said of a model as a whole, on made-up atoms whose truth is known and on a small data set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ionvolt.analysis.atom_table import Atoms, atoms_of
from ionvolt.analysis.checks import Case, _judge, changed, check_explanations, stability, with_change
from ionvolt.analysis.design_vectors import DesignTest, study_design
from ionvolt.analysis.embedding import RADIUS, draw_embedding, study_embedding
from ionvolt.analysis.environments import study_environments
from ionvolt.analysis.importances import forest_importances, property_of
from ionvolt.analysis.periodic import ElementVoltage, draw_periodic_table, element_voltages, verdict
from ionvolt.analysis.projection import principal_components
from ionvolt.analysis.study import study_answers, study_model
from ionvolt.datasets import Electrode, ElectrodeSet
from ionvolt.explain.families import family, neighbour_in_group, paper_group, properties
from ionvolt.graphs import build_graph
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.cgcnn.local_voltages import local_voltages
from ionvolt.models.interface import Query
from ionvolt.models.registry import load_model
from ionvolt.structures import read_file
from ionvolt.structures.crystal import ATOMIC_NUMBERS as Z
from ionvolt.structures.crystal import Crystal
from ionvolt.testing import supercell
from models.small import DISCHARGED, VOLTAGES, delta

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"
NAMES = ("V2O5", "TiS2", "MoO3", "Mn2O4", "LiFePO4", "NaCoO2")


@pytest.fixture(scope="module")
def model() -> Ensemble:
    model = load_model("cgcnn-mp2020")
    assert isinstance(model, Ensemble)
    return model


@pytest.fixture(scope="module")
def hosts() -> list[Crystal]:
    return [read_file(EXAMPLES / f"{name}.cif") for name in NAMES]


def made_up(numbers: list[int], crystal: list[int], voltages: np.ndarray, vectors: np.ndarray | None = None) -> Atoms:
    n = len(numbers)
    return Atoms(
        ion="Li",
        numbers=np.array(numbers),
        crystal=np.array(crystal),
        vectors=np.arange(n * 64.0).reshape(n, 64) if vectors is None else vectors,
        additive=voltages,
        linear=voltages,
        oxygen=np.ones(n, dtype=bool),
    )


def test_families_and_groups() -> None:
    expected = {"Li": "alkali metal", "Fe": "late transition metal", "V": "early transition metal", "O": "non-metal",
                "Bi": "other metal or metalloid", "La": "f-block metal", "Cl": "halogen", "Mg": "alkaline earth metal",
                "H": "non-metal"}  # fmt: skip
    assert {symbol: family(Z[symbol]) for symbol in expected} == expected
    assert [paper_group(Z[s]) for s in ("Na", "Mg", "Bi", "Zn", "H", "La")] == [
        "IA",
        "main",
        "main",
        "TM",
        "main",
        None,
    ]


@pytest.mark.parametrize(
    ("old", "new"), [("O", "S"), ("Fe", "Ru"), ("Li", "Na"), ("La", "Ce"), ("Bi", "Sb"), ("Ti", "Zr")]
)
def test_the_neighbour_in_the_group(old: str, new: str) -> None:
    assert neighbour_in_group(Z[old]) == Z[new]


def test_two_tables_of_radii_agree_where_they_should() -> None:
    ours, other = properties()["covalent radius (Pyykkö)"], properties()[RADIUS]
    known = np.isfinite(ours) & np.isfinite(other)
    assert known.sum() > 80
    assert np.corrcoef(ours[known], other[known])[0, 1] > 0.95
    assert other[Z["C"]] == pytest.approx(75, abs=4)


def test_principal_components_find_the_long_axis() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 1)) * 5 @ np.array([[0.6, 0.8, 0.0]]) + rng.normal(size=(500, 3)) * 0.1
    found = principal_components(points, 2)
    np.testing.assert_allclose(np.abs(found.axes[0]), [0.6, 0.8, 0.0], atol=0.01)
    assert found.explained[0] > 0.99
    assert found.scores[np.abs(found.scores[:, 0]).argmax(), 0] > 0


def test_many_crystals_at_once_are_as_one_by_one(model: Ensemble, hosts: list[Crystal]) -> None:
    graphs = [build_graph(host) for host in hosts]
    atoms = atoms_of(model, graphs, "Mg")
    voltages = model.voltages(graphs, ["Mg"])[0]
    for i, graph in enumerate(graphs):
        own = atoms[atoms.crystal == i]
        alone = local_voltages(model.atom_vectors(graph), model.heads("Mg"), model.local_heads("Mg"))
        np.testing.assert_allclose(own.additive, alone.additive, atol=1e-4)
        np.testing.assert_allclose(own.additive.mean(1), voltages[:, i], atol=1e-5)
    iron = atoms[(atoms.numbers == Z["Fe"]) & (atoms.crystal == NAMES.index("LiFePO4"))]
    assert iron.oxygen.all()
    assert not atoms[atoms.numbers == Z["Ti"]].oxygen.any()
    assert len(iron.distinct()) == 1


def test_an_embedding_made_of_the_radius_is_found_out(model: Ensemble) -> None:
    rng = np.random.default_rng(0)
    radius = np.nan_to_num(properties()[RADIUS], nan=100.0)
    number = np.arange(len(radius), dtype=float)
    other = rng.permutation(len(radius)) * 30.0  # the first component goes with nothing
    table = np.outer(other, rng.normal(size=64)) + np.outer(radius, rng.normal(size=64)) + number[:, None] * 0
    one = replace(model)
    one.trunks = replace(model.trunks, elements=table[None])
    study = study_embedding(one)
    facts = study.verdict()
    assert abs(facts["pearson"][0]) > 0.9
    assert facts["p_value"][0] < 1e-10
    assert facts["holds"] == "yes"
    assert len(draw_embedding(study=study).axes) == 2


def test_the_shipped_embedding_is_judged_with_chance_beside_it(model: Ensemble) -> None:
    study = study_embedding(model)
    facts = study.verdict()
    assert len(facts["pearson"]) == model.n_members
    assert all(0 <= c.random <= 1 for c in study.correlations)
    assert facts["holds"] in ("yes", "in part", "no")


def test_three_groups_are_found_where_they_are_and_not_where_they_are_not() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat([Z["Na"], Z["P"], Z["Fe"]], 60)
    centres = {Z["Na"]: (0.0, 1.0), Z["P"]: (20.0, 4.0), Z["Fe"]: (-20.0, 2.5)}
    crystal = np.tile(np.arange(60), 3)
    vectors = np.array([np.full(64, centres[z][0]) for z in kinds]) + rng.normal(size=(180, 64))
    vectors[:, 1] += np.array([centres[z][0] ** 2 / 10 for z in kinds])
    voltages = np.array([centres[z][1] for z in kinds]) + rng.normal(size=180) * np.where(kinds == Z["Fe"], 2.0, 0.2)
    apart = made_up(kinds.tolist(), crystal.tolist(), voltages[None], vectors)
    facts = study_environments(apart, n_map=150).verdict()
    assert facts["holds"] == "yes", facts
    assert facts["agreement_of_3_clusters"] > 0.95
    assert facts["purity"] > 0.95
    mixed = made_up(kinds.tolist(), crystal.tolist(), rng.normal(size=(1, 180)), rng.normal(size=(180, 64)))
    facts = study_environments(mixed, n_map=150).verdict()
    assert facts["holds"] in ("no", "in part")
    assert not facts["parts"]["clusters are the groups"]
    assert facts["purity"] == pytest.approx(facts["purity_by_chance"], abs=0.12)


def test_medians_of_elements_by_hand() -> None:
    voltages = np.array([[1.0, 2.0, 6.0, 4.0], [3.0, 4.0, 8.0, 6.0]])
    first, second = element_voltages(made_up([8, 8, 8, 26], [0, 0, 1, 1], voltages))
    assert (first.symbol, first.n_atoms, first.n_crystals) == ("O", 3, 2)
    assert first.median == pytest.approx(3.0)
    assert first.members == (2.0, 4.0)
    assert (second.symbol, second.median) == ("Fe", 5.0)


def test_the_reading_of_the_periodic_table() -> None:
    def element(symbol: str, median: float) -> ElementVoltage:
        return ElementVoltage(symbol, Z[symbol], 50, 10, median, median, median, (median,))

    rule = {"Li": 1.0, "Na": 0.8, "K": 0.5, "Si": 4.0, "P": 4.1, "S": 4.2, "Ge": 4.3, "Ti": 1.5, "V": 2.0, "Cr": 2.5,
            "Mn": 2.7, "Fe": 3.0, "Co": 3.3, "Ni": 3.5}  # fmt: skip
    assert verdict([element(s, v) for s, v in rule.items()])["holds"] == "yes"
    backwards = [element(s, -v) for s, v in rule.items()]
    assert verdict(backwards)["holds"] == "no"
    assert draw_periodic_table(elements=backwards, ion="Li").axes


def test_atoms_are_deleted_and_replaced(hosts: list[Crystal]) -> None:
    host = hosts[NAMES.index("V2O5")]
    vanadium = int(np.flatnonzero(host.numbers == Z["V"])[0])
    without, other = changed(host, vanadium, "delete"), changed(host, vanadium, "substitute")
    assert without is not None
    assert other is not None
    assert without.composition["V"] == host.composition["V"] - 1
    assert other.composition["Nb"] == 1
    np.testing.assert_array_equal(np.delete(host.frac_coords, vanadium, 0), without.frac_coords)


def test_a_check_tells_true_explanations_from_false_ones() -> None:
    rng = np.random.default_rng(0)
    true, false = [], []
    for _ in range(60):
        local = rng.normal(size=8)
        weight, numbers = np.ones(8), np.full(8, 8)
        true.append(Case(local, -local / 7 + rng.normal(size=8) * 0.01, weight, numbers))
        false.append(Case(local, rng.normal(size=8), weight, numbers))
    good, bad = (_judge(cases, "Li", "additive", "delete", np.random.default_rng(1)) for cases in (true, false))
    assert good.p_wilcoxon < 1e-8
    assert good.p_permutation < 1e-3
    assert good.right_way == 1
    assert good.rank > 0.9
    assert good.rank_within_element > 0.9
    assert bad.p_wilcoxon > 0.05
    assert bad.p_permutation > 0.05
    assert abs(bad.rank) < 0.3


def test_networks_that_agree_and_networks_that_do_not() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=40)
    numbers, crystal = [8, 16, 26, 25, 15] * 8, np.repeat(np.arange(8), 5).tolist()
    agreeing = stability(made_up(numbers, crystal, np.array([one, one + 1, 2 * one])))
    assert agreeing["additive"]["median"] == 1
    assert agreeing["additive"]["n"] == 8
    differing = stability(made_up(numbers, crystal, rng.normal(size=(6, 40))))
    assert abs(differing["additive"]["median"]) < 0.4


def test_checks_of_the_shipped_model_are_the_same_twice(model: Ensemble, hosts: list[Crystal]) -> None:
    queries = [Query("Mg", host) for host in hosts]
    once, again = (check_explanations(model, queries, "Mg", n_crystals=4) for _ in range(2))
    assert once.summary() == again.summary()
    assert {(o.kind, o.change) for o in once.outcomes} == {
        (kind, change) for kind in ("additive", "linear") for change in ("delete", "substitute")
    }


def test_atoms_are_changed_in_all_that_is_known_of_an_electrode(hosts: list[Crystal]) -> None:
    discharged = hosts[NAMES.index("LiFePO4")]
    query = Query("Li", remove_ion(discharged, working_ion("Li")), "discharged", discharged)
    phosphorus = int(np.flatnonzero(discharged.numbers == Z["P"])[0])
    other = with_change(query, phosphorus, "substitute")
    assert other is not None
    assert other.discharged is not None
    assert other.discharged.composition == {"Li": 4, "Fe": 4, "As": 1, "P": 3, "O": 16}
    assert other.host.composition == {"Fe": 4, "As": 1, "P": 3, "O": 16}
    assert with_change(Query("Li", query.host, "both", discharged), phosphorus, "delete") is None


def test_models_whose_atoms_add_up_are_checked_too(tmp_path: Path) -> None:
    """The working ion stays; of a host, its own atoms are tried."""
    crystals = [supercell(d, (2, 1, 1)) for d in DISCHARGED]
    rows = [
        Electrode(f"b{i}", "Li", v, d.formula, remove_ion(d, working_ion("Li")), d.formula, discharged=d)
        for i, (d, v) in enumerate(zip(crystals * 3, [*VOLTAGES] * 3, strict=True))
    ]
    written = study_answers(delta(), ElectrodeSet(rows), "Li", tmp_path, n_crystals=2)
    assert written.summary["model"] == "small-delta"
    outcome = written.summary["checks"]["outcomes"][0]
    assert (outcome["kind"], outcome["change"], outcome["n"]) == ("additive", "delete", 2)
    assert {path.name for path in written.files} == {"checks.png", "checks.csv", "summary.json"}


def test_the_rule_for_better_electrodes(model: Ensemble, hosts: list[Crystal]) -> None:
    elements = [
        ElementVoltage(s, Z[s], 9, 9, v, v, v, ()) for s, v in (("Ti", 1.5), ("Co", 4.0), ("Si", 3.0), ("P", 3))
    ]
    test = study_design(model, hosts, "Mg", elements, n_hosts=4)
    assert test.foreseen.shape == test.answered.shape == test.crystal.shape
    obeyed = DesignTest("Mg", np.arange(50.0) - 20, 2 * np.arange(50.0) - 40, np.arange(50))
    assert obeyed.summary()["rank_correlation"] == 1
    assert obeyed.summary()["right_direction"] == 1
    assert obeyed.summary()["p_permutation"] < 0.01


def test_a_forest_names_what_the_voltages_were_made_from() -> None:
    rng = np.random.default_rng(0)
    names = [
        "MagpieData mean CovalentRadius",
        "MagpieData range CovalentRadius",
        "mean AtomicRadius",
        "packing fraction",
    ]
    features = rng.normal(size=(300, 4))
    voltages = 2 * features[:, 0] + features[:, 1] + rng.normal(size=300) * 0.1
    study = forest_importances(features, names, voltages, n_trees=40)
    facts = study.verdict()
    assert facts["holds"] == "yes"
    assert facts["first_property_by_permutation"] == "CovalentRadius"
    assert study.properties[0].n_features == 2
    assert sum(f.impurity for f in study.features) == pytest.approx(1)
    assert facts["mae_V"] < 0.5 * facts["mae_of_mean_V"]
    assert forest_importances(features, names, features[:, 3], n_trees=40).verdict()["holds"] == "no"


@pytest.mark.parametrize(
    ("feature", "name"),
    [
        ("MagpieData avg_dev CovalentRadius", "CovalentRadius"),
        ("mean FirstIonisation", "FirstIonisation"),
        ("std local difference of Electronegativity", "Electronegativity"),
        ("packing fraction", "packing fraction"),
    ],
)
def test_the_property_behind_a_feature(feature: str, name: str) -> None:
    assert property_of(feature) == name


def test_a_study_without_data_draws_the_embedding_alone(model: Ensemble, tmp_path: Path) -> None:
    written = study_model(model, None, "Li", tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary == written.summary
    assert set(summary) == {"model", "ion", "embedding"}
    assert all(path.stat().st_size > 500 for path in written.files)
