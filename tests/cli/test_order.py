"""``ionvolt order`` and ``ionvolt predict --order``."""

from __future__ import annotations

import sys

import pytest

from cli.conftest import Run
from ionvolt.ordering.records import OrderSettings
from ionvolt.structures import read_file
from ordering.cells import SPINEL_5V, cif

pytestmark = pytest.mark.slow

ORDERED = cif("F m -3 m", (5.13, 5.13, 5.13, 90, 90, 90), [("Li", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1)])
ANIONS = cif("P 1", (4, 4, 4, 90, 90, 90), [("Ti", 0, 0, 0, 1), ("O", 0.5, 0.5, 0.5, 0.5), ("F", 0.5, 0.5, 0.5, 0.2)])


def test_an_ordered_crystal_is_written_as_it_is(ionvolt: Run, tmp_path):
    (tmp_path / "salt.cif").write_text(ORDERED)
    result = ionvolt("order", tmp_path / "salt.cif", "-o", tmp_path / "out", "--no-cache")
    assert result.code == 0
    assert "is ordered already" in result.out
    assert read_file(tmp_path / "out" / "salt-1.cif").composition == {"Li": 4, "Cl": 4}


def test_what_cannot_be_ordered_is_refused(ionvolt: Run, tmp_path):
    (tmp_path / "a.cif").write_text(ANIONS)
    assert "anions that are mixed or partly missing" in ionvolt("order", tmp_path / "a.cif").refused()


def test_some_refused(ionvolt: Run, tmp_path):
    (tmp_path / "a.cif").write_text(ANIONS)
    (tmp_path / "b.cif").write_text(ORDERED)
    result = ionvolt("order", tmp_path, "--json", "--no-cache")
    assert result.code == 1
    assert [record["formula"] for record in result.json] == ["LiCl"]
    assert len(result.lines) == 1


def test_from_standard_input(ionvolt: Run):
    result = ionvolt("order", "-", "--json", "--no-cache", stdin=ORDERED.encode())
    assert result.code == 0
    assert result.json[0]["source"] == "standard input"


def test_a_missing_file(ionvolt: Run):
    assert "no such file or folder" in ionvolt("order", "nowhere.cif").refused()


def test_a_spinel_is_ordered_written_and_predicted(ionvolt: Run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "lnmo.cif"
    path.write_text(SPINEL_5V)
    options = ("--max-atoms", 28, "--candidates", 3, "--keep", 2, "--no-relax")
    result = ionvolt("order", path, "-o", tmp_path / "out", "--format", "poscar", "--json", *options)
    assert result.code == 0
    (record,) = result.json
    assert record["charges"]["Ni"] == 2
    assert [one["n_atoms"] for one in record["orderings"]] == [28, 28]
    assert read_file(record["orderings"][0]["file"]).formula == "Li2Mn3NiO8"
    few = OrderSettings(max_atoms=28, candidates=3, keep=2)
    monkeypatch.setattr(sys.modules["ionvolt.ordering.order"], "OrderSettings", lambda: few)
    result = ionvolt("predict", path, "--ion", "Li", "--order", "--json")
    assert result.code == 0
    (answer,) = result.json
    assert 4.0 < answer["voltage"] < 5.2  # measured 4.7
    assert answer["voltage_lower"] < 4.7 < answer["voltage_upper"] + 0.3
    assert len(answer["weights"]) == len(answer["voltages"]) > 1
