"""Known electrodes beside a prediction: a table that the server is given, and what was measured."""

import json
from pathlib import Path

import pytest

from ionvolt.errors import DataError, InputError
from ionvolt.web.app import create_app
from ionvolt.web.landscape import landscape
from ionvolt.web.settings import Settings
from web.serving import Served

MG = {"formula": ["MgMn2O4"], "id": ["mp-32006"], "voltage": [2.9], "capacity": [270]}
TABLE = {"attribution": "From someone", "ions": {"Mg": MG}}


def written(folder: Path, table: object) -> Path:
    path = folder / "landscape.json"
    path.write_text(json.dumps(table))
    return path


def test_computed_electrodes_are_those_of_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, TABLE)
    found = landscape("Mg", [], path)
    assert found["table"]
    assert found["electrodes"] == [{"formula": "MgMn2O4", "id": "mp-32006", "voltage": 2.9, "capacity": 270}]
    assert found["attribution"] == "From someone"
    assert landscape("Ca", [], path)["electrodes"] == []


def test_without_a_table_there_are_measured_ones_alone(server: Served) -> None:
    found = server.client.get("/api/v1/landscape/Mg").json()
    assert not found["table"]
    assert found["electrodes"] == []
    assert len(found["measured"]) >= 5
    assert all(0 < cathode["voltage"] < 6 for cathode in found["measured"])


@pytest.mark.parametrize(
    "table", [None, [], {"attribution": "x"}, TABLE | {"ions": {"Mg": MG | {"id": []}}},
              TABLE | {"ions": {"Mg": MG | {"voltage": ["high"]}}}]
)  # fmt: skip
def test_a_file_that_is_no_table_is_refused_at_the_start(tmp_path: Path, stand_in_model: Path, table: object) -> None:
    path = written(tmp_path, table)
    with pytest.raises(DataError, match="no table of known electrodes"):
        create_app(Settings(models={"stand-in": stand_in_model}, landscape=path))
    path.unlink()
    with pytest.raises(InputError, match=r"no such file.*ionvolt data landscape"):
        create_app(Settings(models={"stand-in": stand_in_model}, landscape=path))
