"""Whatever file comes in: a voltage or a typed error within two seconds, and the server lives.

``benchmarks/web_fuzz.py`` does the same at length and keeps one file of each kind of answer in ``corpus``.
"""

import time
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from web.mutations import mutated
from web.serving import Served

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 2.0


def sound(answer: httpx.Response) -> None:
    if answer.status_code == 200:
        for prediction in answer.json()["results"][0]["predictions"]:
            assert -1e6 < prediction["voltage"] < 1e6
    else:
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        assert problem["type"] == "urn:ionvolt:problem:refused"
        assert problem["detail"].isprintable()


@given(mutated())
@settings(
    max_examples=60, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
)
def test_mutated_files(server: Served, text: str) -> None:
    start = time.monotonic()
    answer = server.predict(text.encode("utf-8", "replace").decode(), ions=["Mg", "Li"])
    assert time.monotonic() - start < SECONDS
    sound(answer)


@pytest.mark.parametrize("ion", ["Mg"])
def test_corpus(server: Served, ion: str) -> None:
    files = sorted(CORPUS.iterdir())
    assert len(files) > 20
    pids = server.workers
    for file in files:
        start = time.monotonic()
        answer = server.client.post(
            "/api/v1/predict", files={"files": (file.name, file.read_bytes())}, data={"ions": ion}
        )
        assert time.monotonic() - start < SECONDS, file
        sound(answer)
    assert server.workers == pids
