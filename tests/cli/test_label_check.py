"""``ionvolt data check``: which labels are suspect, in a table, as JSON, and in a file that grows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datasets.builders import electrode, with_both_ends
from ionvolt.cli.data import BEYOND
from ionvolt.datasets import ElectrodeSet, write_dataset
from ionvolt.prediction.label_check import BEYOND as OF_THE_PACKAGE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labels are moved, and one electrode has no discharged structure."""
    data = with_both_ends(sulfide=0.5, spinel=-0.9)
    rows = [*data, replace(data[0], battery_id="=bare", discharged=None), replace(data[2], battery_id="twin")]
    path = tmp_path_factory.mktemp("labels") / "labels.parquet"
    write_dataset(ElectrodeSet(rows), path)
    return path


@pytest.fixture(scope="module")
def summary(ionvolt, labels):
    result = ionvolt("data", "check", labels, "--json")
    assert result.code == 1
    return result.json


def test_the_cut_is_that_of_the_package() -> None:
    assert BEYOND == OF_THE_PACKAGE


def test_json(summary, labels):
    assert (summary["file"], summary["output"], summary["beyond"]) == (str(labels), None, 0.3)
    assert (summary["checked"], summary["suspects"], summary["out_of_domain"], summary["refused"]) == (6, 3, 1, 1)
    assert [row["battery_id"] for row in summary["suspect_rows"]] == ["spinel", "sulfide", "twin"]
    assert [row["shared_end"] for row in summary["suspect_rows"]] == [None, "c-sulfide", "c-sulfide"]
    assert summary["suspect_rows"][0]["difference"] == pytest.approx(-1.02, abs=0.05)
    assert set(summary["median_difference"]) == {"all", "Li", "Mg"}
    assert summary["median_difference"]["Mg"] == summary["suspect_rows"][0]["difference"]
    assert summary["refused_rows"][0].startswith("=bare: it has no discharged structure")


def test_table(ionvolt, labels):
    result = ionvolt("data", "check", labels, "--beyond", "0.7")
    assert result.code == 1
    (line,) = result.lines
    assert line.startswith("ionvolt: =bare: it has no discharged structure")
    (row,) = [line for line in result.out.splitlines() if line.startswith("spinel")]
    for words in ("MnO2 (c-spinel)", "MgMn2O4 (d-spinel)", "1.08", "2.10", "1.86 to 2.33", "-1.02"):
        assert words in row
    assert "sulfide" not in result.out
    assert "shared end" not in result.out
    assert "6 labels checked: 1 suspect" in result.out
    assert "median" not in result.out


def test_suspects_that_share_an_end(ionvolt, labels):
    out = ionvolt("data", "check", labels).out
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["spinel", "sulfide", "twin"]
    assert "likely the culprit – c-sulfide (2)" in out


def test_some_ions_and_exit_codes(ionvolt, labels, tmp_path):
    result = ionvolt("data", "check", labels, "--ion", "Mg", "--json")
    assert (result.code, result.err) == (0, "")
    assert (result.json["checked"], list(result.json["median_difference"])) == (1, ["all", "Mg"])
    assert "no electrodes of Y" in ionvolt("data", "check", labels, "--ion", "Y").refused()
    assert "Fe" in ionvolt("data", "check", labels, "--ion", "Fe").refused()
    assert "none.parquet" in ionvolt("data", "check", tmp_path / "none.parquet").refused()
    assert "none" in ionvolt("data", "check", labels, "--model", "none").refused()
    (tmp_path / "x.parquet").write_text("text")
    assert "data import" in ionvolt("data", "check", tmp_path / "x.parquet").refused()
    write_dataset(ElectrodeSet([electrode("a"), electrode("b")]), tmp_path / "bare.parquet")
    result = ionvolt("data", "check", tmp_path / "bare.parquet")
    assert result.code == 2
    assert len(result.lines) == 2
    assert "0 labels checked" in result.out


def test_nothing_is_written_for_what_cannot_be_asked(ionvolt, labels, tmp_path):
    for more in (("--beyond", "nan"), ("--beyond", "-1"), ("--model", "none"), ("--ion", "Y")):
        ionvolt("data", "check", labels, "-o", tmp_path / "x.csv", *more).refused()
    ionvolt("data", "check", labels, "-o", tmp_path / "x.txt").refused()
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_reference_are_told(ionvolt, tmp_path):
    data = with_both_ends()
    write_dataset(
        ElectrodeSet([replace(e, average_voltage=e.average_voltage - 1) for e in data]), tmp_path / "x.parquet"
    )
    result = ionvolt("data", "check", tmp_path / "x.parquet", "--beyond", "5")
    assert result.code == 0
    assert "below the answers in the median" in result.out
    assert "means little" in result.out


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_grows_and_goes_on(ionvolt, labels, summary, tmp_path, monkeypatch, form):
    from ionvolt.prediction import label_check

    path, asked = tmp_path / f"out.{form}", []
    plain = label_check._checked

    def counted(row, *more):
        asked.append(row.battery_id)
        if len(asked) == 7 and killed:
            raise KeyboardInterrupt
        return plain(row, *more)

    monkeypatch.setattr(label_check, "_checked", counted)
    killed = True
    result = ionvolt("data", "check", labels, "-o", path, "-j", 1)
    assert result.code == 130
    assert "rows are kept" in result.err
    before = _n_rows(path)
    assert 0 < before < 7
    killed = False
    asked.clear()
    result = ionvolt("data", "check", labels, "-o", path, "-j", 1, "--json")
    assert result.code == 1
    assert len(asked) == 7 - before, "what is there is not asked again"
    assert result.json == summary | {"output": str(path)}
    rows = _read(path)
    assert [row["battery_id"].lstrip("'") for row in rows] == [
        "iron", "manganese", "sulfide", "spinel", "cobalt", "=bare", "twin",
    ]  # fmt: skip
    assert [str(row.get("suspect")) == "True" for row in rows] == [False, False, True, True, False, False, True]
    assert "no discharged structure" in rows[5]["error"]
    assert float(rows[5]["label"]) == pytest.approx(4.06)
    asked.clear()
    again = ionvolt("data", "check", labels, "-o", path, "--json")
    assert (again.code, again.json, asked) == (1, result.json, [])
    assert "other settings" in ionvolt("data", "check", labels, "-o", path, "--beyond", "0.4").refused()


def _n_rows(path: Path) -> int:
    growing = path.with_name(path.name + ".rows.jsonl")
    lines = (growing if growing.exists() else path).read_text(encoding="utf-8").splitlines()
    return len(lines) - (path.suffix == ".csv")


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def test_a_long_list_of_suspects_says_where_the_rest_is(ionvolt, tmp_path):
    (row,) = [e for e in with_both_ends(sulfide=0.5) if e.battery_id == "sulfide"]
    rows = [replace(row, battery_id=f"s{n}", id_charge=f"c{n}", id_discharge=f"d{n}") for n in range(23)]
    write_dataset(ElectrodeSet(rows), tmp_path / "many.parquet")
    out = ionvolt("data", "check", tmp_path / "many.parquet", "-j", 2).out
    assert sum(line.startswith("s") and "TiS2" in line for line in out.splitlines()) == 20
    assert "and 3 more" in out
    assert "above the answers in the median" in out
