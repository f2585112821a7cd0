"""Jobs: answers as they come, fetched later, given up, bounded."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ionvolt.ions import WORKING_IONS
from ionvolt.web.jobs import Job, Jobs
from ionvolt.web.problems import Problem
from ionvolt.web.settings import Settings
from web.serving import ROCK_SALT, Served, serving
from web.test_models import folders  # noqa: F401

pytestmark = pytest.mark.slow

MANY = [
    {"example": name} for name in ("MoO3", "Mo6S8", "Mn2O4", "V2O5", "TiS2", "LiMn2O4", "LiFePO4", "NaCrO2", "NaCoO2")
]
"""Work for some seconds: what is asked twice is remembered."""


def start(server: Served, **asked: Any) -> dict[str, Any]:
    body = {"structures": [{"example": "TiS2"}], "ions": "all"} | asked
    answer = server.client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return dict(answer.json())


def events(server: Served, job: str, last: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    with server.client.stream("GET", f"/api/v1/jobs/{job}/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def ended(server: Served, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (state := server.client.get(f"/api/v1/jobs/{job}").json())["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(state)


def test_a_job_tells_every_answer_and_keeps_them(server: Served) -> None:
    job = start(server, structures=[{"example": "TiS2"}, {"text": "data_x\n", "name": "bad"}, {"text": ROCK_SALT}])
    happened = events(server, job["id"])
    assert [number for number, _, _ in happened] == list(range(len(happened)))
    kinds = [kind for _, kind, _ in happened]
    assert kinds.count("structure") == 2
    assert kinds.count("prediction") == 20
    assert kinds.count("problem") == 1
    assert kinds[-1] == "end"
    assert happened[-1][2]["status"] == "done"
    state = ended(server, job["id"])
    assert (state["done"], state["total"]) == (30, 30)
    synchronous = server.client.post(
        "/api/v1/predict",
        json={
            "structures": [{"example": "TiS2"}, {"text": "data_x\n", "name": "bad"}, {"text": ROCK_SALT}],
            "ions": "all",
        },
    ).json()
    for ours, theirs in zip(state["outcome"]["results"], synchronous["results"], strict=True):
        assert ours.get("problem") == theirs.get("problem")
        for a, b in zip(ours.get("predictions", []), theirs.get("predictions", []), strict=True):
            assert a["voltage"] == pytest.approx(b["voltage"], abs=1e-4)
            assert a["working_ion"] == b["working_ion"]


def test_a_reader_that_comes_back_goes_on_where_it_was(server: Served) -> None:
    job = start(server)
    happened = events(server, job["id"])
    assert events(server, job["id"], last=3) == happened[4:]
    assert events(server, job["id"], last=10**9) == []


def test_what_holds_no_ion_refuses_that_ion_alone(server: Served) -> None:
    asked = {"structures": [{"example": "LiFePO4"}], "ions": "all", "assume": "discharged"}
    result = server.client.post("/api/v1/predict", json=asked).json()["results"][0]
    assert [p["working_ion"] for p in result["predictions"]] == ["Li"]
    assert {entry["working_ion"] for entry in result["refused"]} == set(WORKING_IONS) - {"Li"}
    assert all("holds no" in entry["problem"]["rule"] for entry in result["refused"])
    assert result["holds"] == ["Li"]


def test_jobs_that_are_not_there(server: Served) -> None:
    for path in ("/api/v1/jobs/nothing", "/api/v1/jobs/nothing/events"):
        assert server.client.get(path).status_code == 404
    assert server.client.delete("/api/v1/jobs/nothing").status_code == 404
    assert server.client.delete("/api/v1/jobs/nothing", headers={"Origin": "https://evil.test"}).status_code == 403


@pytest.fixture(scope="module")
def slow(folders: dict[str, Path]) -> Iterator[Served]:  # noqa: F811
    settings = Settings(
        models={"foundation": folders["foundation"], "stand-in": folders["stand-in"]},
        workers=1, task_seconds=60.0, client_jobs=3, attended_seconds=0.5, client_pieces=200,
    )  # fmt: skip
    with serving(settings) as served:
        yield served


def test_each_ion_is_a_piece_and_the_one_asked_for_comes_first(slow: Served) -> None:
    happened = events(slow, start(slow, ions=["Li", "Mg", "Ca", "Zn"], first="Ca")["id"])
    ions = [content["working_ion"] for _, kind, content in happened if kind == "prediction"]
    assert ions[0] == "Ca"
    assert set(ions) == {"Li", "Mg", "Ca", "Zn"}
    assert [content["done"] for _, kind, content in happened if kind == "prediction"] == [1, 2, 3, 4]
    held = events(slow, start(slow, structures=[{"example": "MgMn2O4"}], ions=["Li", "Mg"], assume="charged")["id"])
    assert next(content["working_ion"] for _, kind, content in held if kind == "prediction") == "Mg"


def test_a_job_is_given_up(slow: Served) -> None:
    job = start(slow, structures=MANY)
    answer = slow.client.delete(f"/api/v1/jobs/{job['id']}").json()
    assert answer["status"] == "cancelled"
    assert events(slow, job["id"])[-1][2]["status"] == "cancelled"
    # Its workers are free at once.
    asked = {"structures": [{"text": ROCK_SALT}], "ions": "Mg", "model": "stand-in"}
    assert slow.client.post("/api/v1/predict", json=asked).status_code == 200
    assert slow.app.state.service.admission.pieces == 0


def test_too_many_jobs_of_one_client(slow: Served) -> None:
    jobs = [start(slow, structures=MANY[:6]) for _ in range(3)]
    answer = slow.client.post("/api/v1/jobs", json={"structures": [{"example": "TiS2"}], "ions": "Mg"})
    assert answer.status_code == 429
    assert answer.json()["type"] == "urn:ionvolt:problem:share"
    assert int(answer.headers["retry-after"]) > 0
    for job in jobs:
        slow.client.delete(f"/api/v1/jobs/{job['id']}")
    answer = slow.client.post("/api/v1/jobs", json={"structures": [{"example": "TiS2"}] * 21, "ions": "all"})
    assert answer.status_code == 429
    assert "structures times ions" in answer.json()["rule"]
    assert slow.app.state.service.admission.pieces == 0


def test_what_would_take_too_long_is_refused_before_it_begins(slow: Served) -> None:
    began = time.monotonic()
    asked = {"structures": [{"name": f"{n}", "text": ROCK_SALT + "#\n" * 400} for n in range(20)], "ions": "all"}
    answer = slow.client.post("/api/v1/predict", json=asked)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:ionvolt:problem:too-long"
    assert "/api/v1/jobs" in answer.json()["remedy"]
    assert time.monotonic() - began < 5


def test_a_job_that_is_to_be_watched_ends_when_nobody_does(slow: Served) -> None:
    job = start(slow, structures=MANY, attended=True)
    found = slow.app.state.service.jobs._jobs[job["id"]]
    deadline = time.monotonic() + 30
    while found.status == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found.status == "cancelled"


def test_a_light_question_does_not_wait_for_a_heavy_one(slow: Served) -> None:
    job = start(slow, structures=MANY)
    deadline = time.monotonic() + 30
    while not slow.app.state.service.pieces.pool.turns.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    asked = {"structures": [{"text": ROCK_SALT}], "ions": "Mg", "model": "stand-in"}
    for _ in range(5):
        assert slow.client.post("/api/v1/predict", json=asked).status_code == 200
        # Not one of the heavy question's parts had to end for it.
        assert slow.app.state.service.pieces.pool.turns.waiting
    slow.client.delete(f"/api/v1/jobs/{job['id']}")


def test_a_client_that_goes_away_frees_its_worker(slow: Served) -> None:
    asked = {"structures": MANY, "ions": "all"}
    with httpx.Client(base_url=slow.address, timeout=0.3, trust_env=False) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/api/v1/predict", json=asked)
    deadline = time.monotonic() + 10
    while slow.app.state.service.admission.active:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_electrode_is_computed(slow: Served) -> None:
    job = start_long(slow, kind="compute", structure={"example": "NaCoO2"}, ion="Na", relax=False)
    kinds = [kind for _, kind, _ in events(slow, job["id"])]
    assert kinds[0] == "structure"
    assert "progress" in kinds
    assert kinds[-2:] == ["result", "end"]
    outcome = ended(slow, job["id"])["outcome"]
    assert outcome["result"]["working_ion"] == "Na"
    assert 1.0 < outcome["result"]["voltage"] < 5.0
    assert [entry["role"] for entry in outcome["structures"]] == ["discharged", "charged"]
    assert [entry["formula"] for entry in outcome["structures"]] == ["NaCoO2", "CoO2"]


def test_an_electrode_is_varied(slow: Served) -> None:
    asked = {"ion": "Na", "voltage": [2.0, 5.0], "elements": ["Mn", "Fe"], "candidates": 3}
    job = start_long(slow, kind="design", structure={"example": "NaCoO2"}, **asked)
    outcome = ended(slow, job["id"])["outcome"]
    designs = outcome["result"]["designs"]
    assert {one["formula"] for one in designs} & {"NaMnO2", "NaFeO2"}
    assert all(one["stage"] == "predicted" for one in designs)
    assert [entry["role"] for entry in outcome["structures"]] == ["design"] * len(designs)
    assert all("data_" in entry["cif"] for entry in outcome["structures"])
    for wrong, rule in (({"voltage": [3.0, 2.0]}, "not below"), ({"exclude": ["Xx"]}, "not an element")):
        job = start_long(slow, kind="design", structure={"example": "NaCoO2"}, **(asked | wrong))
        state = ended(slow, job["id"])
        assert state["status"] == "failed"
        assert rule in state["problem"]["rule"]


def test_what_cannot_be_computed(slow: Served) -> None:
    asked = {"kind": "compute", "structure": {"example": "TiS2"}, "ion": "Xx"}
    assert slow.client.post("/api/v1/jobs", json=asked).status_code == 422
    lines = [ROCK_SALT.split("Mn1")[0].replace("'F m -3 m'", "'P 1'").replace("5.64", "30")]
    lines += [f"O{n} {n % 6 / 6:.4f} {n // 6 % 6 / 6:.4f} {n // 36 / 6:.4f}\n" for n in range(200)]
    job = start_long(slow, kind="compute", structure={"name": "large", "text": "".join(lines)}, ion="Mg")
    state = ended(slow, job["id"])
    assert state["status"] == "failed"
    assert "ionvolt compute" in state["problem"]["remedy"]
    assert slow.client.post("/api/v1/jobs", json={"kind": "nothing"}).status_code == 422


def start_long(server: Served, **asked: Any) -> dict[str, Any]:
    answer = server.client.post("/api/v1/jobs", json=asked)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def test_results_are_forgotten_in_time() -> None:
    async def run() -> None:
        jobs = Jobs(Settings(keep_seconds=0.2, attended_seconds=0.2, max_jobs=2, client_jobs=2))

        async def work(job: Job) -> None:
            job.emit("structure", {})

        job = jobs.start("predict", "a", 100, work)
        assert [event[1] async for event in job.follow() if event] == ["structure", "end"]
        assert jobs.find(job.id) is job
        await asyncio.sleep(1.0)
        with pytest.raises(Problem) as error:
            jobs.find(job.id)
        assert error.value.status == 404
        jobs.close()

    asyncio.run(run())


def test_a_job_that_fails_says_why_and_the_others_go_on() -> None:
    async def run() -> None:
        jobs = Jobs(Settings(job_seconds=0.2))

        async def broken(job: Job) -> None:
            raise RuntimeError("a secret")

        async def endless(job: Job) -> None:
            await asyncio.sleep(60)

        found = [jobs.start("predict", "a", 100, work) for work in (broken, endless)]
        for job in found:
            assert [event[1] async for event in job.follow() if event] == ["end"]
        assert found[0].problem is not None
        assert "secret" not in str(found[0].to_dict())
        assert found[1].problem is not None
        assert found[1].problem["type"] == "urn:ionvolt:problem:time-limit"
        assert found[0].task is not None
        with pytest.raises(RuntimeError):
            found[0].task.result()
        jobs.close()

    asyncio.run(run())
