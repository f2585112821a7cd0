"""Crystals by id, asked for with the real client from a small server that speaks the API's few words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ionvolt.errors import InputError, UnavailableError
from ionvolt.structures.materials_project import fetch_crystal, find_key, search_materials, usual_id
from ionvolt.web.settings import Settings
from materials_project import KEY, Api, Fault, serving_api, structure
from web.serving import ROCK_SALT, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    pytest.importorskip("mp_api")
    materials = {
        "mp-1265": {"structure": structure(4.2, "Mg", "O")},
        "mp-2": {"structure": structure(0.1, "Mg", "O")},
        "mp-3": {"structure": structure(4.2, "Mg", "O"), "deprecated": True},
        "mp-4": {},
        "mp-5": {"formula_pretty": "TiO2", "symmetry": {"symbol": "I4_1/amd"}, "nsites": 6, "energy_above_hull": 0.01},
        "mp-6": {"formula_pretty": "TiO2", "symmetry": {"symbol": "P4_2/mnm"}, "nsites": 6, "energy_above_hull": 0.0},
        "mp-7": {"formula_pretty": "TiO2", "symmetry": None},
    }
    with serving_api(Api(materials=materials)) as api:
        yield api


@pytest.fixture
def endpoint(api: Api) -> str:
    return api.url


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_fetch(endpoint: str) -> None:
    crystal = fetch_crystal(" MP-1265 ", KEY, endpoint=endpoint)
    assert crystal.source == "mp-1265"
    assert crystal.formula == "MgO"
    assert crystal.lattice.tolist() == (4.2 * np.eye(3)).tolist()


@pytest.mark.parametrize("spelling", ["mp-aaaaabwr", "mp-bwr", "MP-BWR"])
def test_fetch_by_letters(endpoint: str, spelling: str) -> None:
    crystal = fetch_crystal(spelling, KEY, endpoint=endpoint)
    assert (crystal.source, crystal.formula) == (spelling.lower(), "MgO")


@pytest.mark.parametrize("n", [0, 1, 25, 26, 149, 1265, 3347529, 3347530, 26**7 - 1, 26**7])
def test_one_spelling_of_each_id(n: int) -> None:
    pytest.importorskip("emmet.core.mpid")
    from emmet.core.mpid import AlphaID

    numbered = n <= 3347529
    spellings = [f"mp-{n}", str(AlphaID(n, prefix="mp")), str(AlphaID(n, prefix="mp", padlen=8))]
    usual = {usual_id(s) for s in (*spellings, n, str(n))}
    assert usual == {f"mp-{n}" if numbered else spellings[2]}
    assert AlphaID(usual.pop()).string == (f"mp-{n}" if numbered else spellings[2])


def test_ids_that_have_no_other_spelling() -> None:
    assert [usual_id(text) for text in ("mvc-12", "mp-a1", "x", "", "mp-1-GGA")] == [
        "mvc-12",
        "mp-a1",
        "x",
        "",
        "mp-1-GGA",
    ]


def test_what_goes_wrong_once_is_asked_for_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionvolt.structures.mp_client.Patience.pause", lambda self, attempt: 0.0)
    for fault in (Fault("materials", 500), Fault("materials", cut="within"), Fault("heartbeat", 429)):
        api.faults = [fault]
        assert fetch_crystal("mp-1265", KEY, endpoint=api.url).formula == "MgO"
    api.faults = [Fault("materials", 503)] * 3
    with pytest.raises(UnavailableError, match=r"it answers 503, 3 times"):
        fetch_crystal("mp-1265", KEY, endpoint=api.url)
    assert api.faults == []


def test_refusals(endpoint: str) -> None:
    for missing in ("mp-404", "mp-3"):
        with pytest.raises(InputError, match="has no such material"):
            fetch_crystal(missing, KEY, endpoint=endpoint)
    with pytest.raises(InputError, match=r"mp-4: .*gives no structure"):
        fetch_crystal("mp-4", KEY, endpoint=endpoint)
    with pytest.raises(InputError, match=r"mp-2: .*Å"):
        fetch_crystal("mp-2", KEY, endpoint=endpoint)
    for key in ("short", "q" * 32):
        with pytest.raises(UnavailableError, match="does not take the key"):
            fetch_crystal("mp-1265", key, endpoint=endpoint)
    with pytest.raises(UnavailableError, match=r"cannot be asked \(the connection failed: ConnectionError"):
        fetch_crystal("mp-1265", KEY, endpoint="http://127.0.0.1:9/")


def test_search_by_formula(endpoint: str) -> None:
    found = search_materials(" TiO2 ", KEY, endpoint=endpoint)
    assert [(m.id, m.space_group, m.n_atoms, m.above_hull) for m in found] == [
        ("mp-6", "P4_2/mnm", 6, 0.0), ("mp-5", "I4_1/amd", 6, 0.01), ("mp-7", "", None, None),
    ]  # fmt: skip
    assert search_materials("NbO2", KEY, endpoint=endpoint) == []
    for text in ("", "no formula!", "mp-149", "Xx2"):
        with pytest.raises(InputError, match="no formula"):
            search_materials(text, KEY, endpoint=endpoint)
    with pytest.raises(UnavailableError, match="no Materials Project key"):
        search_materials("TiO2")


@pytest.mark.parametrize(
    "name", ["", "25210", "mp-", "mp-1/../..", "mp-1&x=2", "mp 1", "mp-" + "1" * 40, "mp-1\n2", "mp-a1"]
)
def test_ids_that_are_none(name: str) -> None:
    with pytest.raises(InputError, match="no id of the Materials Project") as error:
        fetch_crystal(name, KEY)
    assert str(error.value).isprintable()


def test_keys(no_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key() is None
    with pytest.raises(UnavailableError, match="no Materials Project key"):
        fetch_crystal("mp-1265")
    (no_key / ".config").mkdir()
    (no_key / ".config" / ".pmgrc.yaml").write_text("PMG_DEFAULT: 1\nPMG_MAPI_KEY: 'fromfile'\n")
    assert find_key() == "fromfile"
    monkeypatch.setenv("MP_API_KEY", "fromenvironment")
    assert find_key() == "fromenvironment"
    assert find_key("given") == "given"


def test_through_the_server(endpoint: str, stand_in_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Settings(models={"stand-in": stand_in_model}, workers=1, endpoint=endpoint)) as server:
        asked = {"structures": [{"mp_id": "mp-1265"}], "ions": "Ca"}
        answer = server.client.post("/api/v1/predict", json=asked)
        assert answer.status_code == 424
        problem = answer.json()
        assert problem["type"] == "urn:ionvolt:problem:unavailable"
        assert problem["detail"] == (
            "mp-1265: no Materials Project key. Get one at materialsproject.org/api and set MP_API_KEY"
        )
        assert not server.client.get("/api/v1/models").json()["materials_project"]
        assert server.client.get("/api/v1/materials", params={"formula": "TiO2"}).status_code == 424
        monkeypatch.setenv("MP_API_KEY", KEY)
        assert server.client.get("/api/v1/models").json()["materials_project"]
        found = server.client.get("/api/v1/materials", params={"formula": "TiO2"}).json()["materials"]
        assert [material["id"] for material in found] == ["mp-6", "mp-5", "mp-7"]
        assert server.client.get("/api/v1/materials", params={"formula": "../x"}).status_code == 422
        assert server.client.get("/api/v1/materials").status_code == 422
        answer = server.client.post("/api/v1/predict", json=asked)
        assert answer.status_code == 200, answer.text
        result = answer.json()["results"][0]
        assert (result["name"], result["predictions"][0]["formula"]) == ("mp-1265", "MgO")
        asked["structures"] = [{"mp_id": "mp-404"}, {"mp_id": "../x"}, {"name": "a", "text": ROCK_SALT}]
        results = server.client.post("/api/v1/predict", json=asked).json()["results"]
        assert [r.get("problem", {}).get("status") for r in results] == [422, 422, None]
        assert "no such material" in results[0]["problem"]["rule"]
        monkeypatch.setenv("MP_API_KEY", "short")
        answer = server.client.post("/api/v1/explain", json={"structure": {"mp_id": "mp-1265"}, "ions": "Ca"})
        assert answer.status_code == 424
        assert "key" in answer.json()["rule"]
