"""The models that come with IonVolt: what everybody gets who asks for nothing else."""

from importlib import resources
from pathlib import Path

import pytest

import ionvolt as iv
from crystals import cif, crystal, fluorite, perovskite, rock_salt
from ionvolt.ions import WORKING_IONS
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.registry import AUTO, DELTA_MODEL, FOUNDATION_MODEL, PAPER_MODEL, SHIPPED, shipped_models
from ionvolt.testing import descriptions, supercell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not {PAPER_MODEL, FOUNDATION_MODEL, DELTA_MODEL} <= shipped_models().keys(),
        reason=f"not all weights are in {SHIPPED.name}/ (ionvolt recipe makes them)",
    ),
]

IONS = list(WORKING_IONS)
EXAMPLES = sorted(Path(str(resources.files("ionvolt") / "examples")).glob("*.cif"))
KEYS = {
    "source": str,
    "formula": str,
    "working_ion": str,
    "voltage": float,
    "voltage_std": float,
    "model": str,
    "end_members": str,
    "capacity_grav": float | None,
    "energy_grav": float | None,
    "warnings": list,
    "voltage_lower": float,
    "voltage_upper": float,
    "epistemic_std": float,
    "in_domain": bool,
    "voltage_potential": float | None,
    "host_formula": str,
    "removed": dict,
    "capacity_vol": float | None,
    "energy_vol": float | None,
    "capacity_is_estimate": bool,
    "full_extraction": float | None,
    "voltage_measured": float,
    "voltage_measured_lower": float,
    "voltage_measured_upper": float,
    "measured_basis": str,
}


@pytest.fixture(scope="module")
def all_ions(ionvolt):
    return ionvolt("predict", *EXAMPLES, "--ion", "all", "--json")


def test_examples_for_all_ions(all_ions):
    assert (all_ions.code, all_ions.err) == (0, "")
    assert len(EXAMPLES) >= 5
    order = [(str(path), ion) for path in EXAMPLES for ion in IONS]
    assert [(p["source"], p["working_ion"]) for p in all_ions.json] == order


def test_json_schema(all_ions):
    for p in all_ions.json:
        assert list(p) == list(KEYS)
        for key, kind in KEYS.items():
            assert isinstance(p[key], kind), key
        assert p["end_members"] in ("charged", "discharged")
        assert p["model"] == (FOUNDATION_MODEL if p["end_members"] == "charged" else DELTA_MODEL)
        assert (p["voltage_potential"] is None) == (p["end_members"] == "charged")
        assert p["voltage_lower"] < p["voltage"] < p["voltage_upper"]
        assert p["voltage_std"] > 0
        assert p["voltage_measured_lower"] < p["voltage_measured"] < p["voltage_measured_upper"]
        if p["measured_basis"] != "corrected":
            assert p["measured_basis"].startswith("calculated: ")
            assert p["voltage_measured"] == p["voltage"]
        assert -3 < p["voltage"] < 8
        if p["end_members"] == "discharged":
            assert p["capacity_grav"] > 0
            assert not p["capacity_is_estimate"]
        else:
            assert p["full_extraction"] is None
            assert p["capacity_is_estimate"] == (p["capacity_grav"] is not None)
        if p["energy_grav"] is not None:
            assert p["energy_grav"] == pytest.approx(p["voltage"] * p["capacity_grav"])
        assert all(isinstance(warning, str) for warning in p["warnings"])


def test_a_batch_of_one_is_a_batch_of_many(ionvolt, all_ions):
    for path in EXAMPLES[::4]:
        alone = ionvolt("predict", path, "--ion", "all", "--json").json
        together = [p for p in all_ions.json if p["source"] == str(path)]
        for one, many in zip(alone, together, strict=True):
            assert one["voltage"] == pytest.approx(many["voltage"], abs=1e-4)
            assert one["voltage_std"] == pytest.approx(many["voltage_std"], abs=1e-4)


def test_many_of_different_sizes():
    crystals = [
        kind(metal, a) for a in (4.0, 4.3) for kind in (rock_salt, fluorite, perovskite) for metal in ("Mn", "Ti")
    ]
    crystals += [supercell(c, (2, 2, 1)) for c in crystals]
    together = iv.predict_many(crystals, "Li,Al")
    for p, c in list(zip(together[::2], crystals, strict=True))[::5]:
        assert iv.predict(c, "Li").voltage == pytest.approx(p.voltage, abs=1e-5)


# Others, and small models of every kind, are held to it in tests/models/test_contract.py.
@pytest.mark.parametrize("name", ["LiCoO2", "Mo6S8", "MoO3", "NaCrO2", "TiS2", "V2O5"])
def test_the_voltage_is_one_of_the_crystal_not_of_its_description(name):
    from ionvolt.structures import read_file

    (path,) = [path for path in EXAMPLES if path.stem == name]
    host = read_file(path)
    expected = [p.voltage for p in iv.predict_many([host], "Li,Mg,Y")]
    by_paper = [p.voltage for p in iv.predict_many([host], "Li,Mg,Y", model=PAPER_MODEL)]
    for words, variant in descriptions(host).items():
        found = [p.voltage for p in iv.predict_many([variant], "Li,Mg,Y")]
        assert found == pytest.approx(expected, abs=3e-3), words
        found = [p.voltage for p in iv.predict_many([variant], "Li,Mg,Y", model=PAPER_MODEL)]
        assert found == pytest.approx(by_paper, abs=1e-4), words


def test_lithium_iron_phosphate():
    (path,) = [path for path in EXAMPLES if path.stem == "LiFePO4"]
    p = iv.predict(path, "Li")
    assert (p.formula, p.end_members) == ("LiFePO4", "discharged")
    assert p.capacity_grav == pytest.approx(170, abs=1)
    assert p.energy_grav == pytest.approx(p.capacity_grav * p.voltage)
    # The Materials Project computes 3.5 V; the error of the model is some 0.3 V.
    assert 2.8 < p.voltage < 4.2
    assert p.voltage_lower < 3.5 < p.voltage_upper
    assert 2.5 < iv.predict(path, "Li", model=PAPER_MODEL).voltage < 4.5


def test_objects_text_and_files_give_one_voltage(tmp_path):
    host = rock_salt("Ni")
    path = tmp_path / "x.cif"
    path.write_text(cif(host))
    voltages = [iv.predict(one, "Zn").voltage for one in (host, path, cif(host), host.to_pymatgen())]
    assert voltages == pytest.approx([voltages[0]] * 4, abs=1e-3)


def test_an_element_that_no_training_host_held_is_told():
    p = iv.predict(crystal(5.0 * rock_salt("Pu", 1).lattice, "Pu O", [[0] * 3, [0.5] * 3]), "K")
    assert any("Pu" in warning for warning in p.warnings)


def test_card():
    cards = shipped_models()
    assert PAPER_MODEL in cards
    card = cards[PAPER_MODEL]
    assert card.name == PAPER_MODEL
    assert card.n_members > 1
    assert set(card.ions) == set(IONS)
    assert card.description
    assert card.limits
    assert card.licence
    assert "CC BY 4.0" in card.attribution
    assert "Materials Project" in card.attribution
    for ion in card.ions:
        assert card.elements[ion], ion
        assert card.errors(ion)["paper/framework"]["mae"] > 0, ion
        assert card.hyperparameters["calibration"][ion]["std_scale"] > 0, ion


def test_card_and_weights_agree(ionvolt):
    assert set(iv.load_model().ions) == set(IONS)
    model = iv.load_model(PAPER_MODEL)
    assert set(model.ions) == set(IONS)
    assert isinstance(model, Ensemble)
    assert model.n_members == model.card.n_members
    shown = ionvolt("models", "show", PAPER_MODEL).json
    assert shown["name"] == PAPER_MODEL
    listed = ionvolt("models", "list").out
    assert f"{PAPER_MODEL}: {model.card.description}" in listed
    assert f"default: {AUTO}" in listed


@pytest.mark.parametrize("name", [FOUNDATION_MODEL, DELTA_MODEL])
def test_cards_say_how_far_to_trust(name):
    card = shipped_models()[name]
    assert set(card.ions) == set(IONS)
    assert "SevenNet" in card.attribution
    assert "CC BY 4.0" in card.attribution
    for test, everything in card.errors().items():
        assert 0.8 < everything["coverage_90"] < 0.97
        assert everything["mae_low"] < everything["mae"] < everything["mae_high"]
        assert everything["mae_out_of_domain"] > everything["mae_in_domain"]
        subsets = [record.subset for record in card.evaluation if record.test == test]
        assert [s for s in subsets if s.startswith("distance")] == [f"distance {i}/10" for i in range(1, 11)]
        assert any(s.startswith("anion") for s in subsets)
        assert {record.ion for record in card.evaluation if record.test == test} == {"all", *IONS}


def test_size():
    def size(name: str) -> int:
        return sum(path.stat().st_size for path in (SHIPPED / name).iterdir())

    assert size(PAPER_MODEL) <= 20_000_000
    assert size(FOUNDATION_MODEL) + size(DELTA_MODEL) <= 40_000_000


def test_a_mistyped_name(ionvolt):
    message = ionvolt("predict", EXAMPLES[0], "--ion", "Li", "--model", PAPER_MODEL + "0").refused()
    assert f"Did you mean {PAPER_MODEL}?" in message


def test_a_host_unlike_any_electrode_is_called_far() -> None:
    """Tungsten metal is no electrode; vanadium pentoxide is one of the best known."""
    from pymatgen.core import Lattice, Structure

    import ionvolt

    tungsten = Structure(Lattice.cubic(3.165), ["W", "W"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    far, near = (
        any("far from" in w for w in ionvolt.predict(host, "Li", model=PAPER_MODEL).warnings)
        for host in (tungsten, next(path for path in EXAMPLES if path.stem == "V2O5"))
    )
    assert far
    assert not near
