"""``ionvolt data fetch``, and ids in place of files, as people see them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("mp_api")

from datasets.mp_records import made_up
from ionvolt.cli.main import main
from ionvolt.datasets import read_dataset
from materials_project import KEY, Api, Fault, remember_fields, serving_api

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr("ionvolt.structures.mp_client.Patience.pause", lambda self, attempt: 0.0)
    remember_fields(monkeypatch)


@pytest.fixture
def api() -> Iterator[Api]:
    with serving_api(made_up(6, ("Mg", "Ca"))) as api:
        yield api


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], api: Api) -> Run:
    """The command, with the server in place of the Materials Project."""
    from mp_api.client.core.settings import MAPI_CLIENT_SETTINGS

    monkeypatch.setattr(MAPI_CLIENT_SETTINGS, "ENDPOINT", api.url)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ionvolt", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_fetch_and_describe(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "mp.parquet"
    assert run("data", "fetch", "--ion", "Mg,Ca", "-o", target, "--key", KEY) == (
        0, f"{target}: 12 electrodes; 0 rows refused\n", ""
    )  # fmt: skip
    assert [path.name for path in tmp_path.glob("mp*")] == ["mp.parquet"]
    data = read_dataset(target)
    assert data.ions.tolist() == ["Mg"] * 6 + ["Ca"] * 6
    code, out, _ = run("data", "describe", target)
    assert code == 0
    for words in ("12 electrodes", "mp2025.09.25 12", "CC BY 4.0", "insertion_electrodes (12 documents), sha256"):
        assert words in out


def test_refused_rows_and_rules(run: Run, api: Api, tmp_path: Path) -> None:
    del api.materials["mp-1000"], api.materials["mp-5001"]
    api.electrodes[2]["average_voltage"] = -1.0
    target = tmp_path / "mp.parquet"
    code, out, err = run("data", "fetch", "--ion", "Mg", "-o", target, "--key", KEY, "--json", "--clean", "positive")
    summary = json.loads(out)
    assert (code, summary["electrodes"], summary["refused"], summary["incomplete"]) == (1, 4, 1, 1)
    assert summary["removed"] == {"positive": 1}
    assert err.splitlines() == [
        f"ionvolt: refused: {line}" for line in summary["refused_rows"] + summary["incomplete_rows"]
    ]
    assert read_dataset(target).provenance["refused"] == summary["refused_rows"]


def test_no_key(run: Run, api: Api, tmp_path: Path) -> None:
    code, out, err = run("data", "fetch", "--ion", "Mg", "-o", tmp_path / "mp.parquet")
    assert (code, out) == (2, "")
    assert err == (
        "ionvolt: Materials Project: no Materials Project key. Get one at materialsproject.org/api and set MP_API_KEY\n"
    )
    assert api.asked == []
    assert list(tmp_path.glob("mp*")) == []


@pytest.mark.parametrize("place", ["environment", "file"])
def test_where_a_key_may_be(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    if place == "environment":
        monkeypatch.setenv("MP_API_KEY", KEY)
    else:
        (tmp_path / "home" / ".config").mkdir(parents=True)
        (tmp_path / "home" / ".config" / ".pmgrc.yaml").write_text(f"PMG_MAPI_KEY: {KEY}\n")
    assert run("data", "fetch", "--ion", "Mg", "-o", tmp_path / "mp.parquet")[0] == 0


def test_a_refused_key_is_one_line(run: Run, tmp_path: Path) -> None:
    code, out, err = run("data", "fetch", "--ion", "Mg", "-o", tmp_path / "mp.parquet", "--key", "q" * 32)
    assert (code, out) == (2, "")
    assert err.startswith(
        "ionvolt: Materials Project: the Materials Project does not take the key (403). Check MP_API_KEY"
    )
    assert err.count("\n") == 1
    assert "qqq" not in err


def test_an_early_end_keeps_what_has_come(run: Run, api: Api, tmp_path: Path) -> None:
    api.faults = [Fault("materials/summary", 500)] * 7
    command = ("data", "fetch", "--ion", "Mg", "-o", tmp_path / "mp.parquet", "--key", KEY)
    code, _, err = run(*command)
    assert code == 2
    *pauses, last = err.splitlines()
    assert len(pauses) == 6
    assert "it answers 500, 7 times" in last
    assert "the same command goes on" in last
    assert not (tmp_path / "mp.parquet").exists()
    before = api.count("materials/insertion_electrodes")
    assert run(*command)[0] == 0
    assert api.count("materials/insertion_electrodes") == before
    assert len(read_dataset(tmp_path / "mp.parquet")) == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ion", "Fe"), "no such working ion"),
        (("--ion", "Mg", "--clean", "3sigma"), "no such cleaning rule"),
        (("--ion", "Rb"), "it has no electrodes of Rb"),
    ],
)
def test_nothing_to_fetch(run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run("data", "fetch", *arguments, "-o", tmp_path / "mp.parquet", "--key", KEY)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not (tmp_path / "mp.parquet").exists()


def test_a_folder_is_no_file(run: Run, api: Api, tmp_path: Path) -> None:
    code, _, err = run("data", "fetch", "--ion", "Mg", "-o", tmp_path, "--key", KEY)
    assert (code, api.asked) == (2, [])
    assert "it is a folder" in err


@pytest.mark.parametrize("mp_id", ["mp-1000", "mp-aaaaabmm"])
def test_predict_takes_ids(run: Run, monkeypatch: pytest.MonkeyPatch, mp_id: str) -> None:
    monkeypatch.setenv("MP_API_KEY", KEY)
    code, out, err = run("predict", mp_id, "mp-404", "--ion", "Mg", "--json")
    assert code == 1
    assert [(p["source"], p["formula"]) for p in json.loads(out)] == [(mp_id, "NiO")]
    assert "mp-404: the Materials Project has no such material" in err
