"""The page of a screen: counts are right, rows are those of the region, a point opens its crystal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from ionvolt.errors import DataError
from ionvolt.screening.places import shard_file
from ionvolt.screening.records import write_records
from ionvolt.screening.run import prepare
from ionvolt.screening.selection import select
from ionvolt.screening.settings import Settings
from ionvolt.web.run_page import create_run_app

N = 400
SETTINGS = Settings(("Mg", "Al"), stages=("network",))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screen")
    lattice, places = (4.2 * np.eye(3)).ravel().tolist(), [0, 0, 0, 0.5, 0.5, 0.5]
    lines = [
        json.dumps({"id": f"<s{k}>", "lattice": lattice, "numbers": [25, 8], "frac_coords": places}) for k in range(N)
    ]
    (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
    plan = prepare([str(folder / "in.jsonl")], SETTINGS, folder / "run", shard_size=100)
    about = {"units": "100", "done_before": "0", "began": "0", "ended": "1", "cpu_s": "1", "memory_mb": "1"}
    rng = np.random.default_rng(0)
    for shard in plan.shards:
        rows = [
            {
                "unit": unit, "part": 0, "ion": ion, "id": f"<s{unit}>", "formula": "MnO", "stage": "network",
                "status": "kept" if unit % 4 else "dropped", "voltage": float(v), "capacity_grav": float(c),
                "energy_grav": float(v * c), "voltage_std": 0.3,
            }
            for unit in range(shard.first, shard.first + 100)
            for ion, v, c in (("Mg", rng.uniform(0, 4), rng.uniform(50, 300)), ("Al", rng.uniform(0, 2), 100.0))
        ]  # fmt: skip
        write_records(shard_file(plan.folder, 0, shard.number), rows, about)
    select(plan, 0)
    return folder / "run"


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(create_run_app(run), base_url="http://localhost") as client:
        yield client


WHOLE = {"x0": 0, "x1": 400, "y0": -1, "y1": 5}


def test_every_point_is_counted_once(client: TestClient) -> None:
    about = client.get("/api/v1/run").json()
    assert (about["points"], about["kept"], about["ions"]) == (2 * N, 600, ["Mg", "Al"])
    for ion, kept, n in (("", True, 600), ("", False, 800), ("Mg", True, 300), ("Ca", True, 0)):
        found = client.get("/api/v1/run/density", params={**WHOLE, "nx": 50, "ny": 30, "ion": ion, "kept": kept}).json()
        assert found["n"] == n == sum(count for _, _, count, _ in found["cells"])
    left = client.get("/api/v1/run/density", params={**WHOLE, "x1": 150, "nx": 7, "ny": 7}).json()["n"]
    right = client.get("/api/v1/run/density", params={**WHOLE, "x0": 150, "nx": 7, "ny": 7}).json()["n"]
    assert left + right == 600


def test_rows_are_those_of_the_region_and_open_their_crystal(client: TestClient) -> None:
    box = {"x0": 200, "x1": 250, "y0": 2, "y1": 3, "ion": "Mg"}
    found = client.get("/api/v1/run/rows", params=box).json()
    assert 0 < len(found["rows"]) == found["n"]
    for row in found["rows"]:
        assert 200 <= row["capacity_grav"] <= 250
        assert 2 <= row["voltage"] <= 3
        assert row["ion"] == "Mg"
    energies = [row["energy_grav"] for row in found["rows"]]
    assert energies == sorted(energies, reverse=True)
    row = found["rows"][0]
    crystal = client.get(f"/api/v1/run/crystal/{row['unit']}/{row['part']}").json()
    assert crystal["id"] == row["id"]
    assert [site["element"] for site in crystal["sites"]] == ["Mn", "O"]
    assert "_cell_length_a" in crystal["cif"]


def test_what_does_not_fit_is_refused(client: TestClient, tmp_path: Path) -> None:
    for path, status in (
        ("/api/v1/run/density?x0=1&x1=0&y0=0&y1=1&nx=5&ny=5", 422),
        ("/api/v1/run/density?x0=0&x1=nan&y0=0&y1=1&nx=5&ny=5", 422),
        ("/api/v1/run/density?x0=0&x1=1&y0=0&y1=1&nx=100000&ny=5", 422),
        ("/api/v1/run/density?x0=0&x1=1&y0=0&y1=1&nx=5&ny=5&colour=id", 422),
        ("/api/v1/run/crystal/99999/0", 404),
        ("/api/v1/run/crystal/-1/0", 404),
        ("/api/v1/predict", 404),
        ("/static/../run_page.py", 404),
    ):
        assert client.get(path).status_code == status, path
    assert client.get("/api/v1/run", headers={"host": "elsewhere.example"}).status_code == 403
    assert "default-src 'none'" in client.get("/").headers["content-security-policy"]
    with pytest.raises(DataError, match="no screen in it"):
        create_run_app(tmp_path)
