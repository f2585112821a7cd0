"""``ionvolt explain`` and ``ionvolt explain-model`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


def test_what_raises_and_lowers_the_voltage_is_told(ionvolt: Run) -> None:
    result = ionvolt("explain", EXAMPLES / "LiFePO4.cif", "--ion", "Li")
    assert result.code == 0
    assert "the average host of the training gives" in result.out
    told = [line for line in result.out.splitlines() if " it by " in line]
    assert {line.split()[0] for line in told} == {"Fe", "P", "O"}
    assert all(line.split()[1] in ("raises", "lowers") for line in told)


def test_the_files_of_an_explanation(ionvolt: Run, tmp_path: Path) -> None:
    result = ionvolt("explain", EXAMPLES / "V2O5.cif", "--ion", "Mg", "-o", tmp_path, "--json")
    assert result.json["mean_local_voltage"] == pytest.approx(result.json["prediction"]["voltage"], abs=1e-5)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".json", ".cif"}


def test_the_figure_alone(ionvolt: Run, tmp_path: Path) -> None:
    assert ionvolt("explain", EXAMPLES / "TiS2.cif", "--ion", "Li", "--png", tmp_path / "a.svg").code == 0
    assert "<svg" in (tmp_path / "a.svg").read_text()[:1000]
    line = ionvolt("explain", EXAMPLES / "TiS2.cif", "--ion", "Li", "--png", tmp_path / "a.doc").refused()
    assert "no kind of figure" in line


def test_a_model_is_studied_without_data(ionvolt: Run, tmp_path: Path) -> None:
    result = ionvolt("explain-model", "cgcnn-mp2020", "-o", tmp_path / "study", "--json")
    assert result.json["embedding"]["networks"] == 5
    assert json.loads((tmp_path / "study" / "summary.json").read_text()) == result.json


def test_an_ion_without_electrodes_is_refused(ionvolt: Run, tmp_path: Path) -> None:
    from cli.crystals import small_set
    from ionvolt.datasets import write_dataset

    write_dataset(small_set(), tmp_path / "data.parquet")
    line = ionvolt("explain-model", "cgcnn-mp2020", tmp_path / "data.parquet", "--ion", "Cs", "-o", tmp_path).refused()
    assert "at least 10" in line.lower()
