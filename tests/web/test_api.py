"""Answers, refusals and what keeps others out."""

import gzip
import json
import logging
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

from ionvolt.cli.main import main
from ionvolt.errors import InputError
from ionvolt.explain import explain
from ionvolt.ions import WORKING_IONS
from ionvolt.prediction import predict_many
from ionvolt.structures import read_text
from web.serving import ROCK_SALT, Served

pytestmark = pytest.mark.slow

PROBLEM = "application/problem+json"
EXAMPLES = Path(__file__).parents[2] / "src" / "ionvolt" / "examples"


def refused(answer: httpx.Response, status: int, kind: str) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "source", "rule", "remedy"}
    assert problem["status"] == status
    assert problem["type"] == f"urn:ionvolt:problem:{kind}"
    assert problem["detail"] == f"{problem['source']}: {problem['rule']}. {problem['remedy']}"
    assert problem["detail"].isprintable()
    return problem


def test_numbers_are_those_of_the_library(server: Served, stand_in_model: Path) -> None:
    text = (EXAMPLES / "V2O5.cif").read_text()
    answer = server.predict(text, ROCK_SALT, ions="all")
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [(r["index"], r["name"]) for r in results] == [(0, "0.cif"), (1, "1.cif")]
    crystals = [read_text(text, "0.cif"), read_text(ROCK_SALT, "1.cif")]
    expected = predict_many(crystals, "all", model=stand_in_model)
    found = [prediction for result in results for prediction in result["predictions"]]
    assert [p["working_ion"] for p in found] == list(WORKING_IONS) * 2
    for ours, theirs in zip(expected, found, strict=True):
        assert theirs.pop("voltage") == pytest.approx(ours.voltage, abs=1e-4)
        for name in ("voltage_std", "epistemic_std"):
            assert theirs.pop(name) == pytest.approx(getattr(ours, name), abs=1e-4)
        wanted = ours.to_dict() | {"model": "stand-in"}
        assert theirs == {key: wanted[key] for key in theirs}


def test_capacity_of_a_discharged_electrode(server: Served) -> None:
    structures = [{"example": "NaCoO2"}]
    answer = server.client.post("/api/v1/predict", json={"structures": structures, "ions": ["Na"]}).json()
    prediction = answer["results"][0]["predictions"][0]
    assert prediction["end_members"] == "discharged"
    assert prediction["capacity_grav"] == pytest.approx(235.1, abs=0.5)
    charged = {"structures": structures, "ions": ["Na"], "assume": "charged"}
    answer = server.client.post("/api/v1/predict", json=charged).json()
    assert answer["results"][0]["predictions"][0]["end_members"] == "charged"


def test_explanation(server: Served, stand_in_model: Path) -> None:
    asked = {"structure": {"name": "mno.cif", "text": ROCK_SALT}, "ions": ["Mg", "Ca"]}
    answer = server.client.post("/api/v1/explain", json=asked)
    assert answer.status_code == 200
    content = answer.json()
    assert [e["prediction"]["working_ion"] for e in content["explanations"]] == ["Mg", "Ca"]
    ours = explain(read_text(ROCK_SALT, "mno.cif"), "Mg", model=stand_in_model)
    sites = content["explanations"][0]["sites"]
    assert [s["element"] for s in sites] == [s.element for s in ours.sites]
    for site, wanted in zip(sites, ours.sites, strict=True):
        assert site["local_voltage"] == pytest.approx(wanted.local_voltage, rel=1e-4, abs=1e-4)
        assert site["cart_coords"] == list(wanted.cart_coords)
    assert "_atom_site_ionvolt_local_voltage" in content["cif"]
    assert len(read_text(content["cif"], "again.cif")) == len(sites)


def test_one_bad_file_does_not_spoil_the_others(server: Served) -> None:
    answer = server.predict(ROCK_SALT, "data_x\n", ROCK_SALT.replace("5.64", "0.1"), ROCK_SALT)
    assert answer.status_code == 200
    results = answer.json()["results"]
    answered = {"index", "name", "formula", "n_atoms", "holds", "predictions", "refused"}
    refused_keys = {"index", "name", "problem"}
    assert [set(r) for r in results] == [answered, refused_keys, refused_keys, answered]
    with pytest.raises(InputError) as error:
        read_text("data_x\n", "1.cif")
    assert results[1]["problem"]["detail"] == str(error.value)
    assert results[1]["problem"]["status"] == 422


def test_a_single_refused_structure_is_a_problem(server: Served) -> None:
    with pytest.raises(InputError) as error:
        read_text("data_x\n", "0.cif")
    problem = refused(server.predict("data_x\n"), 422, "refused")
    assert problem["detail"] == str(error.value)
    asked = {"structure": {"name": "0.cif", "text": "data_x\n"}, "ions": "Mg"}
    assert refused(server.client.post("/api/v1/explain", json=asked), 422, "refused") == problem


def test_form(server: Served) -> None:
    packed = gzip.compress(ROCK_SALT.encode())
    files = [("files", ("a.cif", ROCK_SALT)), ("files", ("b.cif.gz", packed)), ("files", ("c.cif", b"\x00\xff"))]
    answer = server.client.post("/api/v1/predict", files=files, data={"ions": "Mg,Ca", "assume": "charged"})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["name"] for r in results] == ["a.cif", "b.cif.gz", "c.cif"]
    assert [len(r.get("predictions", [])) for r in results] == [2, 2, 0]
    assert results[0]["predictions"][0]["voltage"] == results[1]["predictions"][0]["voltage"]
    post = server.client.post
    path = "/api/v1/predict"
    one = files[:1]
    refused(post(path, files=one), 422, "invalid-request")
    refused(post(path, files=one, data={"ions": "Mg", "path": "/etc/passwd"}), 422, "invalid-request")
    refused(post(path, files=one, data={"ions": "Mg", "assume": "half"}), 422, "invalid-request")
    refused(post(path, files=[("ions", ("a", "Mg"))], data={"files": "x"}), 422, "invalid-request")
    refused(post(path, files={"ions": (None, "Mg")}), 422, "invalid-request")
    many = [("files", ("a.cif", "")) for _ in range(201)]
    assert post(path, files=many, data={"ions": "Mg"}).status_code == 400
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--", b"\r\n" * 1_000_000):
        assert post(path, content=body, headers=form).status_code in (400, 422)
    refused(post(path, content=b"--x", headers={"Content-Type": "multipart/form-data"}), 400, "malformed")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\r\nX: 1", "<img src=x>", "\x00", "é" * 300])
def test_odd_names_stay_names(server: Served, name: str) -> None:
    structures = [{"name": name, "text": ROCK_SALT}, {"name": name, "text": ""}]
    answer = server.client.post("/api/v1/predict", json={"structures": structures, "ions": "Mg"})
    assert answer.status_code == 200
    good, bad = answer.json()["results"]
    assert good["name"] == bad["name"] == name
    assert "empty" in bad["problem"]["rule"]
    assert "X" not in answer.headers
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("change", "status", "kind", "words"),
    [
        ({"ions": "Xx"}, 422, "refused", "no such working ion. Choose from Li"),
        ({"ions": ["Mg", "Fe"]}, 422, "refused", "no such working ion"),
        ({"ions": ""}, 422, "refused", "no working ion given"),
        ({"ions": []}, 422, "invalid-request", "ions"),
        ({"model": "/tmp"}, 422, "refused", "no such model"),
        ({"model": "../stand-in"}, 422, "refused", "no such model"),
        ({"assume": "half"}, 422, "invalid-request", "assume"),
        ({"extra": 1}, 422, "invalid-request", "extra"),
        ({"structures": []}, 422, "invalid-request", "structures"),
        ({"structures": [{"name": "a", "text": 3}]}, 422, "invalid-request", "structures.0"),
        ({"structures": [{"example": "nothing"}]}, 422, "refused", "no such example. Choose from LiCoO2"),
        ({"structures": [{"example": "../weights"}]}, 422, "refused", "no such example"),
        ({"structures": [{"example": "TiS2"}] * 201}, 422, "invalid-request", "structures"),
        ({"structures": [{"name": "a", "text": "x" * 2_000_001}]}, 422, "refused", "more than 2 MB"),
    ],
)
def test_what_is_asked_wrongly(server: Served, change: dict[str, object], status: int, kind: str, words: str) -> None:
    asked = {"structures": [{"example": "TiS2"}], "ions": "Mg"} | change
    answer = server.client.post("/api/v1/predict", json=asked)
    assert words in refused(answer, status, kind)["detail"]


def test_bodies_that_are_none(server: Served) -> None:
    post = server.client.post
    as_json = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[", b"\xff\xfe", b'{"structures": NaN'):
        refused(post("/api/v1/predict", content=body, headers=as_json), 400, "malformed")
    for body in (b"[]", b"null", b"1"):
        refused(post("/api/v1/predict", content=body, headers=as_json), 422, "invalid-request")
    refused(post("/api/v1/predict", content=b"{}"), 415, "media-type")
    refused(post("/api/v1/predict", content=b"{}", headers={"Content-Type": "text/plain"}), 415, "media-type")
    packed = gzip.compress(b"{}")
    refused(post("/api/v1/predict", content=packed, headers=as_json | {"Content-Encoding": "gzip"}), 415, "media-type")


def test_facts(server: Served) -> None:
    get = server.client.get
    models = get("/api/v1/models").json()["models"]
    assert [(m["name"], m["default"], m["n_members"]) for m in models] == [("stand-in", True, 3)]
    assert models[0]["ions"] == models[0]["local_ions"] == list(WORKING_IONS)
    assert models[0]["errors"]["Mg"]["paper/random"]["mae"] == 0.5
    examples = {e["id"]: e for e in get("/api/v1/examples").json()["examples"]}
    assert set(examples) == {path.stem for path in EXAMPLES.glob("*.cif")}
    assert examples["TiS2"]["title"] == "titanium disulfide, 1T layers"
    assert examples["NaCoO2"]["ions"] == ["Na"]
    assert {"symbol": "Al", "charge": 3} in get("/api/v1/ions").json()
    assert get("/healthz").json() == {"status": "ok", "workers": 3}


def test_metrics(server: Served) -> None:
    server.predict(ROCK_SALT)
    server.predict("")
    server.client.get("/nothing/here/" + "x" * 50)
    text = server.client.get("/metrics").text
    assert re.search(r'ionvolt_requests_total\{method="POST",route="/api/v1/predict",status="200"\} [1-9]', text)
    assert re.search(r'ionvolt_tasks_total\{outcome="refused"\} [1-9]', text)
    assert 'route="other",status="404"' in text
    assert "xxx" not in text
    for line in text.splitlines():
        assert re.fullmatch(r'# TYPE \w+ (counter|gauge|histogram)|\w+(\{(\w+="[^"]*",?)+\})? [-+.e\d]+', line), line


def test_places_that_are_not_there(server: Served) -> None:
    refused(server.client.get("/api/v1/nothing"), 404, "not-found")
    refused(server.client.get("/docs"), 404, "not-found")
    answer = server.client.get("/api/v1/predict")
    refused(answer, 405, "method")
    assert answer.headers["allow"] == "POST"
    for path in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "%00", "", ".", "../../weights", "/etc/passwd"):
        for folder in ("static", "vendor"):
            request = urllib.request.Request(f"{server.address}/{folder}/{path}")
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(request, timeout=10)
            assert error.value.code == 404


def test_page_and_its_files(server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vendor.js").write_text("1;")
    (tmp_path / "secret.key").write_text("")
    (tmp_path / "link.js").symlink_to("/etc/passwd")
    monkeypatch.setattr("ionvolt.web.app.vendor_folder", lambda: tmp_path)
    answer = server.client.get("/vendor/vendor.js")
    assert answer.text == "1;"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    for name in ("secret.key", "link.js"):
        refused(server.client.get(f"/vendor/{name}"), 404, "not-found")
    monkeypatch.setattr("ionvolt.web.app.vendor_folder", lambda: tmp_path / "missing")
    assert "make vendor" in refused(server.client.get("/vendor/vendor.js"), 404, "not-found")["remedy"]
    monkeypatch.setattr("ionvolt.web.app.STATIC", tmp_path)
    assert "Install IonVolt" in refused(server.client.get("/"), 404, "not-found")["remedy"]


def test_headers_of_every_answer(server: Served) -> None:
    answers = [server.client.get(path) for path in ("/", "/nothing", "/api/v1/ions", "/api/v1/predict", "/metrics")]
    answers += [server.predict(ROCK_SALT), server.predict(""), server.client.get("/", headers={"Host": "evil.test"})]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "set-cookie" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
    assert answers[2].headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "localhost.", "", "[", "a@localhost@b", "0.0.0.0"]
)
def test_other_names_are_refused(server: Served, host: str) -> None:
    for path in ("/", "/healthz", "/api/v1/ions", "/static/app.js"):
        refused(server.client.get(path, headers={"Host": host}), 403, "forbidden-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "[::1]:8000"])
def test_loopback_names_are_not(server: Served, host: str) -> None:
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


def test_other_sites_are_refused(server: Served) -> None:
    asked = {"structures": [{"example": "TiS2"}], "ions": "Mg"}
    for headers in (
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = server.client.post("/api/v1/predict", json=asked, headers=headers)
        refused(answer, 403, "forbidden-origin")
    own = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
    assert server.client.post("/api/v1/predict", json=asked, headers=own).status_code == 200


def test_an_unexpected_error_is_kept_in_the_log(
    server: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(server.app.state.service, "examples", broken)
    with caplog.at_level(logging.ERROR, "ionvolt.web"):
        answer = server.client.get("/api/v1/examples")
    assert "secret" not in str(refused(answer, 500, "internal"))
    assert "a secret" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_log_holds_one_line_a_request(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    time.sleep(0.2)  # a line is written once its answer is out: let those of earlier tests come
    with caplog.at_level(logging.INFO, "ionvolt.web"):
        server.predict(ROCK_SALT)
        time.sleep(0.2)
        server.client.get("/a%0Ab?key=secret")
        time.sleep(0.2)
    assert len(caplog.messages) == 2
    assert "POST /api/v1/predict 200" in caplog.messages[0]
    assert all(message.isprintable() for message in caplog.messages)
    assert "secret" not in caplog.text
    assert "Mn1" not in caplog.text


def test_command(stand_in_model: Path) -> None:
    console = Path(sys.executable).with_name("ionvolt")
    command = [str(console), "serve", "--port", "0", "--workers", "1", "--model", str(stand_in_model), "--log-json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://localhost:\d+", process.stderr.readline())
            assert found
            with httpx.Client(base_url=found[0], trust_env=False) as client:
                assert client.get("/healthz").json() == {"status": "ok", "workers": 2}
                refused(client.get("/healthz", headers={"Host": "evil.test"}), 403, "forbidden-host")
        finally:
            process.terminate()
        assert process.wait(15) in (0, -15)
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/healthz", 200),
        ("GET", "/healthz", 403),
    ]
    assert set(lines[0]) == {"time", "client", "method", "path", "status", "ms", "bytes"}


def test_command_refuses_in_one_line(
    stand_in_model: Path,
    server: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for file in stand_in_model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 5_000 if file.suffix == ".safetensors" else None])
    for arguments, words in (
        (("--model", "nowhere"), "no such model"),
        (("--model", str(stand_in_model), "--port", str(server.port)), "cannot listen"),
        (("--model", str(stand_in_model), "--host", "no.such.host.invalid"), "cannot listen"),
        (("--model", str(tmp_path), "--port", "0"), "the weights are not those that the card describes"),
    ):
        monkeypatch.setattr(sys, "argv", ["ionvolt", "serve", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        written = capsys.readouterr().err
        assert words in written
        assert len(written.splitlines()) == 1


def test_examples_of_the_documentation(server: Served, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "api.md").read_text().replace("http://localhost:8000", server.address)
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert '"src/ionvolt/examples"' in code
    exec(code.replace('"src/ionvolt/examples"', repr(str(EXAMPLES))), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(list(EXAMPLES.glob("*.cif")))
    assert all(re.fullmatch(r"\w+\.cif (Mg|Ca) -?\d+\.\d\d V", line) for line in lines)
    curl = shutil.which("curl")
    if curl:
        command = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].split()
        done = subprocess.run([curl, *command[1:]], cwd=root, capture_output=True, timeout=60, check=True)
        assert [r["name"] for r in json.loads(done.stdout)["results"]] == ["V2O5.cif", "TiS2.cif"]
