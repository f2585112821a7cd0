"""Several kinds of models on one server: what answers, and what explains."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.delta_model import save_delta
from ionvolt.models.mlip.foundation_model import save_foundation
from ionvolt.prediction import predict
from ionvolt.structures.crystal import Crystal
from ionvolt.web.settings import Settings
from models.small import DISCHARGED, delta, foundation
from ordering.cells import NMC811, P2_BRONZE
from web.serving import Served, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, stand_in_model: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("potential")
    save_foundation(foundation(), folder / "foundation")
    save_delta(delta(), folder / "delta")
    return {"foundation": folder / "foundation", "delta": folder / "delta", "stand-in": stand_in_model}


@pytest.fixture(scope="module")
def mixed(folders: dict[str, Path]) -> Iterator[Served]:
    with serving(Settings(models=folders, workers=1, task_seconds=20.0)) as served:
        yield served


def poscar(crystal: Crystal) -> str:
    from pymatgen.io.vasp import Poscar

    return str(Poscar(crystal.to_pymatgen()))


HOST = poscar(remove_ion(DISCHARGED[0], WORKING_IONS["Li"]))


def test_the_models_say_what_they_are(mixed: Served) -> None:
    models = {model["name"]: model for model in mixed.client.get("/api/v1/models").json()["models"]}
    assert list(models) == ["foundation", "delta", "stand-in"]
    assert models["foundation"]["default"]
    assert models["foundation"]["local_ions"] == list(WORKING_IONS)
    assert models["stand-in"]["local_ions"]


def test_a_host_is_answered_with_an_interval_as_by_the_library(mixed: Served, folders: dict[str, Path]) -> None:
    asked = {"structures": [{"name": "host.vasp", "text": HOST}], "ions": "all"}
    found = mixed.client.post("/api/v1/predict", json=asked).json()["results"][0]["predictions"]
    assert [p["working_ion"] for p in found] == list(WORKING_IONS)
    for p in found:
        assert p["voltage_lower"] < p["voltage"] < p["voltage_upper"]
        assert p["end_members"] == "charged"
    (zn,) = [p for p in found if p["working_ion"] == "Zn"]
    assert zn["voltage"] == pytest.approx(predict(HOST, "Zn", model=folders["foundation"]).voltage, abs=1e-4)


def test_partly_filled_sites_of_the_ion_are_answered_as_by_the_library(mixed: Served, folders: dict[str, Path]) -> None:
    asked = {"structures": [{"name": "p2.cif", "text": P2_BRONZE}], "ions": ["Na", "Mg"]}
    (found,) = mixed.client.post("/api/v1/predict", json=asked).json()["results"]
    assert found["holds"] == ["Na"]
    (na,) = found["predictions"]
    ours = predict(P2_BRONZE, "Na", model=folders["foundation"])
    assert na["voltage"] == pytest.approx(ours.voltage, abs=1e-4)
    assert na["capacity_grav"] == pytest.approx(ours.capacity_grav)
    assert "Na fills 1.34 of 4 sites of a cell" in " ".join(na["warnings"])
    (mg,) = found["refused"]
    assert "the structure is disordered" in mg["problem"]["rule"]


def test_atoms_of_a_host_with_partly_filled_sites_are_explained(mixed: Served) -> None:
    asked = {"structure": {"name": "p2.cif", "text": P2_BRONZE}, "ions": ["Na"]}
    (found,) = mixed.client.post("/api/v1/explain", json=asked).json()["explanations"]
    assert {site["element"] for site in found["sites"]} >= {"Mn", "O"}


def test_partly_filled_sites_are_refused_where_more_is_asked_for(mixed: Served) -> None:
    asked = {"structures": [{"name": "p2.cif", "text": P2_BRONZE}], "ions": ["Na"], "assume": "charged"}
    answer = mixed.client.post("/api/v1/predict", json=asked)
    assert answer.status_code == 422
    assert "disordered" in answer.json()["rule"]


def test_a_disordered_host_is_refused_as_a_whole(mixed: Served) -> None:
    asked = {
        "structures": [{"name": "nmc.cif", "text": NMC811}, {"name": "p2.cif", "text": P2_BRONZE}],
        "ions": ["Na", "Mg"],
    }
    nmc, p2 = mixed.client.post("/api/v1/predict", json=asked).json()["results"]
    assert "the structure is disordered" in nmc["problem"]["rule"]
    assert [p["working_ion"] for p in p2["predictions"]] == ["Na"]


def test_who_asks_again_waits_for_no_worker(mixed: Served) -> None:
    asked = {"structures": [{"name": "again.vasp", "text": HOST}], "ions": ["Ca"]}
    first = mixed.client.post("/api/v1/predict", json=asked).json()
    answered = mixed.client.get("/metrics").text
    assert mixed.client.post("/api/v1/predict", json=asked).json() == first
    done = [line for line in answered.splitlines() if "outcome" in line or "pieces_total" in line]
    again = mixed.client.get("/metrics").text
    assert done == [line for line in again.splitlines() if "outcome" in line or "pieces_total" in line]


def test_a_discharged_structure_goes_to_the_model_that_uses_it(mixed: Served) -> None:
    asked = {"structures": [{"text": poscar(DISCHARGED[1])}], "ions": ["Li"], "model": "delta"}
    (p,) = mixed.client.post("/api/v1/predict", json=asked).json()["results"][0]["predictions"]
    assert p["end_members"] == "discharged"
    assert p["voltage_potential"] is not None
    asked["structures"] = [{"text": HOST}]
    refused = mixed.client.post("/api/v1/predict", json=asked)
    assert refused.status_code == 422
    assert "needs the discharged structure" in refused.json()["rule"]


def test_atoms_are_explained_by_the_model_that_answers(mixed: Served) -> None:
    for model, name in ((None, "small"), ("foundation", "small"), ("stand-in", "stand-in")):
        asked = {"structure": {"text": HOST}, "ions": ["Li"], "model": model}
        answer = mixed.client.post("/api/v1/explain", json=asked)
        assert answer.status_code == 200, answer.text
        (explanation,) = answer.json()["explanations"]
        assert explanation["prediction"]["model"] == name
        assert len(explanation["sites"]) >= 3
