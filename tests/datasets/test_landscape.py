"""The table of known electrodes for the page."""

import json

import pytest

from crystals import cif, rock_salt
from datasets.builders import write_lines
from datasets.test_command import call
from ionvolt.datasets.landscape import theoretical_capacity
from ionvolt.errors import DataError

TABLE = """battery_id,working_ion,average_voltage,formula_charge,formula_discharge,id_charge,id_discharge
a_Mg,Mg,1.517,NiO,MgNi2O2,ni,mp-1
b_Mg,Mg,2.5,CoO,,co,
c_Ca,Ca,-0.5,NiO,CaNiO,ni,
"""
ROWS = {"ni": cif(rock_salt("Ni")), "co": cif(rock_salt("Co"))}


@pytest.fixture
def data(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    write_lines(tmp_path / "rows.jsonl", ROWS)
    call("import", tmp_path / "table.csv", "-s", tmp_path / "rows.jsonl", "-o", tmp_path / "data.parquet",
         "--snapshot", "mp2020")  # fmt: skip
    return tmp_path / "data.parquet"


@pytest.mark.parametrize(
    ("discharged", "charged", "ion", "expected"),
    [
        ("LiFePO4", "FePO4", "Li", 169.9),  # the textbook's 170 mAh/g
        ("MgMn2O4", "MnO2", "Mg", 270.2),
        ("Li2NiO2", "LiNiO2", "Li", 256.0),  # one of two comes out
    ],
)
def test_capacities(discharged, charged, ion, expected):
    assert theoretical_capacity(discharged, charged, ion) == pytest.approx(expected, abs=0.3)


def test_the_table_holds_what_is_known_of_both_ends(data, tmp_path):
    target = tmp_path / "landscape.json"
    code, out, err = call("landscape", data, "-o", target)
    assert (code, err) == (0, "")
    assert "landscape.json: 2 electrodes; 1 without a discharged formula left out" in out
    table = json.loads(target.read_text())
    assert table["ions"]["Mg"] == {
        "formula": ["Mg(NiO)2"], "id": ["mp-1"], "voltage": [1.52], "capacity": [round(2 * 26801.4 / 173.69)],
    }  # fmt: skip
    assert table["ions"]["Ca"]["id"] == ["c_Ca"]
    assert "Materials Project" in table["attribution"]
    assert "CC BY 4.0" in table["attribution"]
    assert "mp2020" in table["attribution"]


def test_it_says_what_is_wrong(data, tmp_path):
    with pytest.raises(DataError, match="no such data set"):
        call("landscape", tmp_path / "none.parquet", "-o", tmp_path / "out.json")
    with pytest.raises(DataError, match="cannot be written"):
        call("landscape", data, "-o", tmp_path / "none" / "out.json")
    (tmp_path / "table.csv").write_text(TABLE.replace("MgNi2O2", "").replace("CaNiO", ""))
    call("import", tmp_path / "table.csv", "-s", tmp_path / "rows.jsonl", "-o", data)
    with pytest.raises(DataError, match="no electrode with a discharged formula"):
        call("landscape", data, "-o", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
