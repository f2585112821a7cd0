"""Crystals by id, asked for with the real client from a small server that speaks the API's few words."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from ionvolt.errors import InputError
from ionvolt.structures.materials_project import UnavailableError, fetch_crystal, find_key
from ionvolt.web.settings import Settings
from web.serving import ROCK_SALT, serving

KEY = "k" * 32
STRUCTURES = {
    "mp-1265": Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "mp-2": Structure(Lattice.cubic(0.1), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
}


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, answer = 200, {"status": "OK", "version": "9.0", "db_version": "2026.1"}
        if self.path.startswith("/heartbeat"):
            answer["access_controlled_batch_ids"] = []
        elif self.headers.get("x-api-key") != KEY:
            status, answer = 403, {"detail": "no"}
        else:
            assert self.path.startswith("/materials/core/?")
            found = next((s for i, s in STRUCTURES.items() if f"material_ids={i}&" in self.path), None)
            answer = {"data": [{"structure": found.as_dict()}] if found else [], "meta": {"total_doc": bool(found)}}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    pytest.importorskip("mp_api")
    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_fetch(endpoint: str) -> None:
    crystal = fetch_crystal(" MP-1265 ", KEY, endpoint=endpoint)
    assert crystal.source == "mp-1265"
    assert crystal.formula == "MgO"
    assert crystal.lattice.tolist() == STRUCTURES["mp-1265"].lattice.matrix.tolist()


def test_refusals(endpoint: str) -> None:
    with pytest.raises(InputError, match="has no such material"):
        fetch_crystal("mp-404", KEY, endpoint=endpoint)
    with pytest.raises(InputError, match=r"mp-2: .*Å"):
        fetch_crystal("mp-2", KEY, endpoint=endpoint)
    for key in ("short", "q" * 32):
        with pytest.raises(UnavailableError, match="does not take the key"):
            fetch_crystal("mp-1265", key, endpoint=endpoint)
    with pytest.raises(UnavailableError, match=r"cannot be asked \(the connection failed: ConnectionError"):
        fetch_crystal("mp-1265", KEY, endpoint="http://127.0.0.1:9/")


@pytest.mark.parametrize("name", ["", "25210", "mp-", "mp-1/../..", "mp-1&x=2", "mp 1", "mp-" + "1" * 40, "mp-1\n2"])
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
        monkeypatch.setenv("MP_API_KEY", KEY)
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
