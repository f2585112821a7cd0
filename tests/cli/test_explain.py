"""``ionvolt explain`` and ``ionvolt explain-model`` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "src/ionvolt/examples"


def test_what_raises_and_lowers_the_voltage_is_told(ionvolt: Run) -> None:
    result = ionvolt("explain", EXAMPLES / "LiFePO4.cif", "--ion", "Li", "-m", "cgcnn-mp2020")
    assert result.code == 0
    assert "explained by cgcnn-mp2020" in result.out
    assert "the average host of the training gives" in result.out
    shown = [line for line in result.out.splitlines() if " it by " in line]
    assert {line.split()[0] for line in shown} == {"Fe", "P", "O"}
    assert all(line.split()[1] in ("raises", "lowers") for line in shown)


def test_the_default_model_explains_its_own_answer(ionvolt: Run) -> None:
    result = ionvolt("explain", EXAMPLES / "TiS2.cif", "--ion", "Li")
    assert result.code == 0
    (predicted,) = ionvolt("predict", EXAMPLES / "TiS2.cif", "--ion", "Li", "--json").json
    assert f"{predicted['voltage']:.2f} V" in result.out.splitlines()[0]
    assert f"explained by {predicted['model']}" in result.out
    shown = {
        line.split()[0]: float(line.split()[2])
        for line in result.out.splitlines()
        if " adds +" in line or " adds -" in line
    }
    assert set(shown) == {"Ti", "S", "Li"}
    (rest,) = [line for line in result.out.splitlines() if "is not shared out" in line]
    assert sum(shown.values()) + float(rest.split()[0]) == pytest.approx(predicted["voltage"], abs=0.03)


def test_atoms_that_add_the_same_stand_in_the_order_of_the_crystal(ionvolt: Run) -> None:
    result = ionvolt("explain", EXAMPLES / "LiFePO4.cif", "--ion", "Li")
    rows = [line.split() for line in result.out.splitlines() if " ± " in line and line.split()[0].isdecimal()]
    added = {int(row[0]): float(row[2]) for row in rows}
    assert len(added) == 28
    assert len(set(added.values())) < 28
    assert list(added) == sorted(added, key=lambda atom: (-added[atom], atom))


def test_several_files_and_ions(ionvolt: Run, tmp_path: Path) -> None:
    other = tmp_path / "TiS2-copy.cif"
    other.write_text((EXAMPLES / "TiS2.cif").read_text())
    files = (EXAMPLES / "TiS2.cif", tmp_path / "none.cif", other)
    result = ionvolt("explain", *files, "--ion", "Li,Na", "-m", "cgcnn-mp2020", "--json", "-o", tmp_path / "out")
    assert result.code == 1
    assert "none.cif" in result.err
    assert [e["prediction"]["working_ion"] for e in result.json] == ["Li", "Na"] * 2
    assert len(list((tmp_path / "out").iterdir())) == 20
    refused = ionvolt("explain", files[0], other, "--ion", "Li", "--png", tmp_path / "a.png").refused()
    assert "for one structure and one ion" in refused


def test_the_files_of_an_explanation(ionvolt: Run, tmp_path: Path) -> None:
    result = ionvolt("explain", EXAMPLES / "V2O5.cif", "--ion", "Mg", "-o", tmp_path, "--json")
    assert result.json["mean_local_voltage"] == pytest.approx(result.json["prediction"]["voltage"], abs=1e-5)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".json", ".cif", ".extxyz"}


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
    from datasets.builders import small_set
    from ionvolt.datasets import write_dataset

    write_dataset(small_set(), tmp_path / "data.parquet")
    line = ionvolt("explain-model", "cgcnn-mp2020", tmp_path / "data.parquet", "--ion", "Cs", "-o", tmp_path).refused()
    assert "at least 10" in line.lower()
