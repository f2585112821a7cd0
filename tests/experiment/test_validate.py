"""Models against measured cathodes: what is asked, how it is scored, and the command as people run it."""

import csv
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from pymatgen.core.composition import Composition

from cli.conftest import run_command
from ionvolt.errors import InputError
from ionvolt.experiment.cathodes import all_cathodes, host_structures, usable_cathodes
from ionvolt.experiment.computed import estimates, ions_to_insert
from ionvolt.experiment.estimates import Estimate
from ionvolt.experiment.validate import MEAN, discharged_formula, kept_back_scores, mean_estimates, scores, validate
from ionvolt.models.cgcnn.ensemble import Ensemble, load_ensemble, save_ensemble
from ionvolt.models.registry import PAPER_MODEL, SHIPPED
from ionvolt.physics.cache import Cache

pytestmark = pytest.mark.slow

CATHODES = {cathode.name: cathode for cathode in all_cathodes()}
FEPO4 = CATHODES["Li in FePO4 (olivine)"]
TIS2 = CATHODES["Li in TiS2 (1T)"]
CHEVREL = CATHODES["Mg in Mo6S8 (Chevrel)"]
SPINEL = CATHODES["Mg in Ti2S4 (thiospinel)"]
DOUBTFUL = CATHODES["Mg in V2O5 (alpha)"]


@pytest.fixture(scope="module")
def magnesium(tmp_path_factory):
    """The shipped model with its Mg head alone, and a card that knows one framework."""
    whole = load_ensemble(SHIPPED / PAPER_MODEL)
    card = replace(
        whole.card, name="only Mg", ions=["Mg"], elements={"Mg": whole.card.elements["Mg"]},
        training={"frameworks": ["TiS2"]}, hyperparameters=dict(whole.card.hyperparameters),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("models") / "magnesium"
    arrays = {name: array for name, array in whole.arrays.items() if name.startswith(("trunk.", "head.Mg."))}
    save_ensemble(Ensemble(arrays, card), folder)
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """One run of the command with the model that comes with IonVolt."""
    folder = tmp_path_factory.mktemp("validation")
    result = run_command("validate", "--model", PAPER_MODEL, "--json", "-o", folder)
    assert (result.code, result.err) == (0, "")
    return result.json, folder


# -- scores --


def test_scores_by_hand():
    rows = [FEPO4, TIS2, CHEVREL, DOUBTFUL]
    off = {FEPO4: 0.02, TIS2: -0.5, CHEVREL: 0.3, DOUBTFUL: 9.0}
    found = scores(rows, [Estimate("m", c.name, c.voltage + off[c], seen=c is not TIS2) for c in rows])
    by_group = {score.group: score for score in found}
    classes = {"polyanion", "chalcogenide"}
    assert set(by_group) == {"Li", "Mg", "multivalent", "monovalent", "all", "new frameworks"} | classes
    assert (by_group["polyanion"].n, by_group["polyanion"].mae) == (1, pytest.approx(0.02))
    assert by_group["all"].median == pytest.approx(0.3)
    assert (by_group["new frameworks"].n, by_group["new frameworks"].mae) == (1, pytest.approx(0.5))
    li, mg, both = by_group["Li"], by_group["Mg"], by_group["all"]
    assert (li.n, li.n_seen) == (2, 1)
    assert li.mae == pytest.approx(0.26)
    assert li.bias == pytest.approx(-0.24)
    assert li.within == 0.5
    assert (mg.n, mg.n_seen) == (1, 1)
    assert mg.mae == pytest.approx(0.3), "a row that does not count stays out"
    assert mg.mae_low is None
    assert both.mae == pytest.approx(0.82 / 3)
    assert both.mae_low <= both.mae <= both.mae_high


def test_a_cathode_without_an_estimate_is_no_error():
    found = scores([FEPO4, TIS2], [Estimate("m", FEPO4.name, 3.5), Estimate("m", TIS2.name, None)])
    assert {(score.group, score.n) for score in found} == {("Li", 1), ("polyanion", 1), ("monovalent", 1), ("all", 1)}
    assert found[0].n_seen is None


def test_cathodes_that_were_kept_back_are_scored_by_themselves():
    kept = next(c for c in all_cathodes() if c.kept_back and c.voltage is not None)
    estimates = [Estimate("m", kept.name, kept.voltage + 0.1, lower=0.0, upper=9.0), Estimate("m", TIS2.name, 9.0)]
    found = kept_back_scores(estimates)
    assert [(score.group, score.n, score.covered) for score in found] == [("kept back", 1, 1.0)]
    assert found[0].mae == pytest.approx(0.1)


def test_the_mean_of_the_others():
    rows = [FEPO4, TIS2, CHEVREL, DOUBTFUL, SPINEL]
    assert [e.voltage for e in mean_estimates(rows)] == pytest.approx([2.1, 3.45, 1.2, 1.15, 1.1])
    assert [e.voltage for e in mean_estimates([FEPO4, TIS2, CHEVREL], {"Li": 3.9})] == [3.9, 3.9, None]
    assert mean_estimates([CHEVREL])[0].voltage is None


# -- models --


def test_an_ion_that_a_model_does_not_know(magnesium):
    result = validate([FEPO4, CHEVREL, SPINEL], [magnesium])
    answers = result.of("magnesium")
    assert answers[FEPO4.name].voltage is None
    assert "does not know Li" in answers[FEPO4.name].note
    assert 0 < answers[CHEVREL.name].voltage < 2
    # Of what it was trained on, by its card: the spinel is TiS2 as well.
    assert (answers[CHEVREL.name].seen, answers[SPINEL.name].seen) == (False, True)
    assert (answers[CHEVREL.name].structure, answers[CHEVREL.name].state) == ("Mo6S8", "charged")


def test_one_refused_crystal_leaves_the_others(magnesium, monkeypatch):
    from ionvolt import prediction

    real = prediction.predict_checked

    def picky(crystals, ions, **options):
        if any(crystal.source == "Ti2S4" for crystal in crystals):
            raise InputError("Ti2S4", "no sulfides today", "Come back tomorrow")
        return real(crystals, ions, **options)

    alone = validate([CHEVREL], [magnesium]).of("magnesium")[CHEVREL.name]
    monkeypatch.setattr(prediction, "predict_checked", picky)
    answers = validate([SPINEL, CHEVREL], [magnesium]).of("magnesium")
    assert answers[CHEVREL.name].voltage == pytest.approx(alone.voltage, abs=1e-5)
    assert answers[SPINEL.name].voltage is None
    monkeypatch.setattr("ionvolt.experiment.cathodes.usable_cathodes", lambda: (SPINEL, CHEVREL))
    result = run_command("validate", "--model", magnesium, "--json")
    assert result.code == 1
    assert result.lines == [
        "ionvolt: magnesium, Mg in Ti2S4 (thiospinel): Ti2S4: no sulfides today. Come back tomorrow"
    ]


# -- the potential --


def test_how_many_ions_go_in():
    def count(name: str) -> int:
        cathode = CATHODES[name]
        return ions_to_insert(cathode, host_structures()[cathode.charged].crystal(primitive=True))

    assert count("Mg in Mo6S8 (Chevrel)") == 2  # one formula unit, two ions
    assert count("Li in LiTi2(PO4)3 (NASICON)") == 4  # two units, from 1 to 3
    assert count("Ca in FePO4 (heterosite)") == 1  # four units times 0.2
    assert count("Li in TiO2 (anatase)") == 1


def test_the_potential_on_a_known_electrode(tmp_path):
    first, corrected = estimates([TIS2], cache=Cache(tmp_path))
    assert abs(corrected.voltage - first.voltage) < 0.5
    assert corrected.voltage_std > 0
    assert first.voltage == pytest.approx(TIS2.voltage, abs=0.5)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(files) == 4, "both ends are remembered, where they relax to and their energies there"
    again, once_more = estimates([TIS2], cache=Cache(tmp_path))
    assert again == first
    assert once_more.voltage == pytest.approx(corrected.voltage, abs=1e-5)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files


# -- the command --


def test_every_cathode_that_counts_is_answered(shipped):
    found, _ = shipped
    names = [cathode.name for cathode in usable_cathodes()]
    assert [c["name"] for c in found["cathodes"]] == names
    for model in (PAPER_MODEL, MEAN):
        answers = {e["cathode"]: e["voltage"] for e in found["estimates"] if e["model"] == model}
        assert list(answers) == names
        assert all(isinstance(v, float) for v in answers.values())


def test_a_known_electrode(shipped):
    found, _ = shipped
    by_name = {e["cathode"]: e for e in found["estimates"] if e["model"] == PAPER_MODEL}
    assert by_name[FEPO4.name]["voltage"] == pytest.approx(3.45, abs=0.5)
    assert by_name["Zn in Mo6S8 (Chevrel)"]["voltage"] == pytest.approx(0.35, abs=0.5)
    total = {s["model"]: s for s in found["scores"] if s["group"] == "all"}
    assert total[PAPER_MODEL]["mae"] < total[MEAN]["mae"], "better than knowing nothing"


def test_the_files(shipped):
    found, folder = shipped
    assert json.loads((folder / "validation.json").read_text(encoding="utf-8")) == found
    with (folder / "voltages.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["estimates"])
    row = next(r for r in rows if r["cathode"] == FEPO4.name and r["model"] == PAPER_MODEL)
    assert (float(row["measured"]), float(row["uncertainty"]), row["doi"]) == (3.45, 0.03, "10.1149/1.1837571")
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(found["scores"])
    assert (folder / "validation.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(folder / "validation.svg").getroot().tag.endswith("svg")


def test_the_table(magnesium, tmp_path, monkeypatch):
    monkeypatch.setattr("ionvolt.experiment.cathodes.all_cathodes", lambda: (FEPO4, CHEVREL, SPINEL, DOUBTFUL))
    result = run_command("validate", "-m", magnesium, "--include-excluded", "-o", tmp_path)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    (spinel,) = [line for line in lines if line.startswith(SPINEL.name)]
    assert "1.20 ± 0.10" in spinel
    assert "*" in spinel
    (chevrel,) = [line for line in lines if line.startswith(CHEVREL.name)]
    assert "*" not in chevrel
    (doubtful,) = [line for line in lines if line.startswith(DOUBTFUL.name)]
    assert "does not count" in doubtful
    assert "no measured voltage of bare Al insertion counts" in result.out
    assert (tmp_path / "validation.png").exists()


def test_a_model_that_is_none(tmp_path):
    assert "nonsense" in run_command("validate", "-m", "nonsense", "-o", tmp_path / "out").refused()
    assert not (tmp_path / "out").exists()
    assert "none.parquet" in run_command("validate", "--data", tmp_path / "none.parquet").refused()


def test_the_best_model_is_told_all_that_is_known():
    known = CATHODES["Li in TiS2 (1T)"], CATHODES["Na in FePO4 (heterosite)"], CATHODES["Li in CoO2 (layered O3)"]
    answers = validate(known, ["auto", "foundation-mp2025"])
    best, host = answers.of("auto"), answers.of("foundation-mp2025")
    assert [best[c.name].state for c in known] == ["both", "charged", "discharged"]
    assert best[known[0].name].structure == "LiTiS2"
    assert [host[c.name].state for c in known] == ["charged", "charged", "discharged"]
    assert best[known[1].name].voltage != pytest.approx(host[known[1].name].voltage, abs=1e-3), "how much goes in"
    for cathode in known:
        assert abs(best[cathode.name].voltage - cathode.voltage) < 0.8


def test_the_formula_at_the_discharged_end():
    assert Composition(discharged_formula(CATHODES["Li in LiTi2(PO4)3 (NASICON)"])) == Composition("Li3Ti2(PO4)3")
    assert Composition(discharged_formula(CATHODES["Mg in Ti2S4 (thiospinel)"])) == Composition("Mg0.8Ti2S4")
