"""Everything that goes wrong between here and the service: nothing lost, nothing twice, nothing asked for in vain."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mp_api")  # its client, which takes seconds to import, comes with the first test

from datasets.mp_records import made_up
from ionvolt.datasets import fetch
from ionvolt.datasets.fetch import fetch_source, parts_of
from ionvolt.datasets.importers import Imported
from ionvolt.errors import DataError, UnavailableError
from materials_project import KEY, Api, Fault, remember_fields, serving_api

pytestmark = pytest.mark.slow

ELECTRODES, SUMMARY, HEARTBEAT = "materials/insertion_electrodes", "materials/summary", "heartbeat"
UNDISTURBED = {ELECTRODES: 4, SUMMARY: 4}
IDS = [f"mp-{1000 + i}" for i in range(10)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAGE", 4)
    monkeypatch.setattr(fetch, "BATCH", 6)


@pytest.fixture(scope="module", autouse=True)
def quick_client() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remember_fields(patch)
        yield


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in these tests; what would have been waited is noted."""
    noted: list[float] = []
    monkeypatch.setattr("ionvolt.structures.mp_client.time.sleep", noted.append)
    return noted


@pytest.fixture
def api() -> Iterator[Api]:
    with serving_api(made_up(10)) as api:
        yield api


def ask(api: Api, folder: Path, **options: Any) -> Imported:
    return fetch_source(["Mg"], parts_of(folder / "mp.parquet"), **({"key": KEY, "endpoint": api.url} | options))


def asked(api: Api) -> dict[str, int]:
    return {path: api.count(path) for path in UNDISTURBED}


@pytest.mark.parametrize("path", [ELECTRODES, SUMMARY])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 500},
        {"status": 502},
        {"status": 503},
        {"status": 504},
        {"cut": "before"},
        {"cut": "within"},
        {"cut": "unseen"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_one_fault_costs_one_more_request(
    api: Api, tmp_path: Path, pauses: list[float], path: str, fault: dict[str, Any]
) -> None:
    api.faults = [Fault(path, skip=2, **fault)]
    result = ask(api, tmp_path)
    assert api.faults == []
    assert [e.id_charge for e in result.data] == IDS
    assert result.refused == result.incomplete == result.notes == []
    assert asked(api) == UNDISTURBED | {path: UNDISTURBED[path] + 1}
    assert len(pauses) == 1
    assert 1.0 <= pauses[0] <= 1.5


@pytest.mark.parametrize("fault", [{"status": 500}, {"cut": "before"}, {"status": 429}])
def test_faults_of_the_heartbeat(api: Api, tmp_path: Path, fault: dict[str, Any]) -> None:
    api.faults = [Fault(HEARTBEAT, **fault), Fault(HEARTBEAT, skip=1, **fault)]
    assert len(ask(api, tmp_path).data) == 10


def test_pauses_grow(api: Api, tmp_path: Path, pauses: list[float]) -> None:
    messages: list[str] = []
    api.faults = [Fault(SUMMARY, 500)] * 5
    assert len(ask(api, tmp_path, log=messages.append).data) == 10
    assert [1 <= pause / 2**i <= 1.5 for i, pause in enumerate(pauses)] == [True] * 5
    assert len(messages) == 5
    assert messages[0].startswith("it answers 500; asking again in 1 s")


@pytest.mark.parametrize("kind", ["seconds", "date"])
def test_the_pause_that_is_asked_for_is_kept(api: Api, tmp_path: Path, pauses: list[float], kind: str) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=37), usegmt=True)
    api.faults = [Fault(ELECTRODES, 429, (("Retry-After", "37" if kind == "seconds" else then),))]
    assert len(ask(api, tmp_path).data) == 10
    assert len(pauses) == 1
    assert 30 < pauses[0] <= 37
    assert asked(api) == UNDISTURBED | {ELECTRODES: 5}


def test_a_pause_beyond_all_patience_is_told(api: Api, tmp_path: Path, pauses: list[float]) -> None:
    api.faults = [Fault(ELECTRODES, 429, (("Retry-After", "3600"),))]
    with pytest.raises(UnavailableError, match="asks to wait 3600 s"):
        ask(api, tmp_path)
    assert pauses == []


def test_unreadable_retry_after(api: Api, tmp_path: Path, pauses: list[float]) -> None:
    api.faults = [Fault(ELECTRODES, 429, (("Retry-After", value),)) for value in ("soon", "", "-4", "١")]
    assert len(ask(api, tmp_path).data) == 10
    assert all(1.0 <= pause < 20 for pause in pauses)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_not_tried_twice(api: Api, tmp_path: Path, pauses: list[float], status: int) -> None:
    api.faults = [Fault(SUMMARY, status)]
    with pytest.raises(UnavailableError, match="does not take the key") as error:
        ask(api, tmp_path)
    assert asked(api) == UNDISTURBED | {SUMMARY: 1}
    assert pauses == []
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)
    assert len(ask(api, tmp_path).data) == 10
    assert asked(api) == {ELECTRODES: 4, SUMMARY: 5}


@pytest.mark.parametrize("key", ["q" * 32, "short"])
def test_a_wrong_key(api: Api, tmp_path: Path, key: str) -> None:
    with pytest.raises(UnavailableError, match=r"does not take the key.*materialsproject\.org/api") as error:
        ask(api, tmp_path, key=key)
    assert key not in str(error.value)
    assert api.count(ELECTRODES) <= 1


def test_nobody_is_let_in(api: Api, tmp_path: Path) -> None:
    api.faults = [Fault(HEARTBEAT, 403)]
    with pytest.raises(UnavailableError, match=r"lets nobody in from here \(403\)"):
        ask(api, tmp_path)


def test_another_server(api: Api, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="names no database version"):
        ask(api, tmp_path, endpoint=api.url + "materials/")


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="the connection failed: ConnectionError, 7 times"):
        ask(Api(url="http://127.0.0.1:9/"), tmp_path)


@pytest.mark.parametrize("path", [ELECTRODES, SUMMARY])
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 422}, {"cut": "within"}])
def test_what_has_come_is_not_asked_for_again(api: Api, tmp_path: Path, path: str, fault: dict[str, Any]) -> None:
    from ionvolt.structures.mp_client import Patience

    patience = Patience(tries=3)
    api.faults = [Fault(path, skip=2, **fault)] + [Fault(path, **fault)] * 2
    with pytest.raises(UnavailableError, match="the same command goes on") as error:
        ask(api, tmp_path, patience=patience)
    assert "\n" not in str(error.value)
    api.faults, before = [], list(api.asked)
    assert [e.id_charge for e in ask(api, tmp_path, patience=patience).data] == IDS
    answered = [json.dumps(given) for _, given in before if given.get("_page") in ("1",) or "material_ids" in given]
    again = [json.dumps(given) for _, given in api.asked[len(before) :]]
    # Only the request that failed, and what follows it, is sent another time.
    assert len(set(answered) & set(again)) <= 1


def test_a_killed_process_goes_on(api: Api, tmp_path: Path) -> None:
    def fetch_and_stop() -> None:
        def progress(done: int, total: int, words: str) -> None:
            if words == "structures" and done == 12:
                os.kill(os.getpid(), signal.SIGKILL)

        ask(api, tmp_path, progress=progress)

    process = multiprocessing.get_context("fork").Process(target=fetch_and_stop)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert asked(api) == {ELECTRODES: 4, SUMMARY: 2}
    folder = parts_of(tmp_path / "mp.parquet").folder
    with (folder / "materials.jsonl").open("a") as file:
        file.write('{"id":"mp-5009","document":{"structure":{"latt')
    assert [e.id_charge for e in ask(api, tmp_path).data] == IDS
    assert asked(api) == UNDISTURBED


@pytest.mark.parametrize("torn", ["", '{"ion":"Mg","page":1,"docum', "x" * 200_000])
def test_a_torn_line_is_asked_for_again(api: Api, tmp_path: Path, torn: str) -> None:
    ask(api, tmp_path)
    file = parts_of(tmp_path / "mp.parquet").folder / "electrodes.jsonl"
    file.write_text(file.read_text().splitlines(keepends=True)[0] + torn)
    assert [e.id_charge for e in ask(api, tmp_path).data] == IDS
    assert asked(api) == UNDISTURBED | {ELECTRODES: 4 + 3}


def test_more_ions_later_ask_only_for_what_is_new(tmp_path: Path) -> None:
    with serving_api(made_up(10, ("Mg", "Ca"))) as api:
        ask(api, tmp_path)
        result = fetch_source(["Mg", "Ca"], parts_of(tmp_path / "mp.parquet"), key=KEY, endpoint=api.url)
        assert len(result.data) == 20
        assert asked(api) == {ELECTRODES: 8, SUMMARY: 4}


def test_parts_of_another_database_are_dropped(api: Api, tmp_path: Path) -> None:
    ask(api, tmp_path)
    api.database = "2026.01.01"
    messages: list[str] = []
    result = ask(api, tmp_path, log=messages.append)
    assert result.data[0].snapshot == "mp2026.01.01"
    assert asked(api) == {path: 2 * n for path, n in UNDISTURBED.items()}
    assert len(messages) == 1
    assert "2025.09.25" in messages[0]
    assert "2026.01.01" in messages[0]


def test_a_release_in_the_middle_mixes_nothing(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    answer = Api.answer

    def and_release(self: Api, path: str, given: dict[str, str]) -> Any:
        self.database = "2026.01.01"
        return answer(self, path, given)

    monkeypatch.setattr(Api, "answer", and_release)
    with pytest.raises(DataError, match=r"went from 2025\.09\.25 to 2026\.01\.01"):
        ask(api, tmp_path)
    assert not parts_of(tmp_path / "mp.parquet").folder.exists()
    assert ask(api, tmp_path).data[0].snapshot == "mp2026.01.01"


def test_a_folder_of_somebody_else_is_not_touched(api: Api, tmp_path: Path) -> None:
    folder = parts_of(tmp_path / "mp.parquet").folder
    folder.mkdir()
    (folder / "thesis.txt").write_text("all of it")
    with pytest.raises(DataError, match="in the way"):
        ask(api, tmp_path)
    assert (folder / "thesis.txt").read_text() == "all of it"


def test_a_slow_answer_is_waited_for_only_so_long(
    api: Api, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ionvolt.structures.mp_client import Patience

    answer = Api.answer

    def slowly(self: Api, path: str, given: dict[str, str]) -> Any:
        if len(self.asked) == 3:
            threading.Event().wait(5.0)
        return answer(self, path, given)

    monkeypatch.setattr(Api, "answer", slowly)
    assert [e.id_charge for e in ask(api, tmp_path, patience=Patience(timeout=3.0)).data] == IDS
    assert asked(api) == UNDISTURBED | {ELECTRODES: 5}
    assert len(pauses) == 1
