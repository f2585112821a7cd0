"""Electrodes of the Materials Project, fetched with its own client from a server that speaks its interface."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mp_api")

from datasets.builders import same
from datasets.mp_records import electrode, made_up, published, published_rows
from ionvolt.datasets import Electrode, fetch, framework_of, read_dataset, write_dataset
from ionvolt.datasets.fetch import fetch_source, parts_of
from ionvolt.datasets.importers import Imported, import_source
from ionvolt.errors import DataError, InputError
from materials_project import KEY, Api, remember_fields, serving_api, spelled_in_letters, structure

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAGE", 4)
    monkeypatch.setattr(fetch, "BATCH", 6)


@pytest.fixture(scope="module", autouse=True)
def quick_client() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remember_fields(patch)
        yield


def fetched(api: Api, folder: Path, *ions: str) -> Imported:
    parts = parts_of(folder / "mp.parquet")
    with serving_api(api):
        result = fetch_source(ions or ["Mg"], parts, key=KEY, endpoint=api.url)
    parts.remove()
    return result


def equal(one: list[Electrode], other: list[Electrode]) -> bool:
    key = lambda e: (e.working_ion, e.id_charge)  # noqa: E731
    return len(one) == len(other) and all(
        same(a, b) for a, b in zip(sorted(one, key=key), sorted(other, key=key), strict=True)
    )


def test_every_fact_comes_through(tmp_path: Path) -> None:
    api = made_up(10)
    result = fetched(api, tmp_path)
    assert result.refused == result.incomplete == []
    assert [e.id_charge for e in result.data] == [f"mp-{1000 + i}" for i in range(10)]
    e, document = result.data[3], api.electrodes[3]
    assert e.battery_id == "mp-203_Mg"
    assert (e.working_ion, e.average_voltage, e.num_steps) == ("Mg", document["average_voltage"], 2)
    assert (e.capacity_grav, e.max_delta_volume) == (document["capacity_grav"], 0.0123)
    assert (e.stability_charge, e.stability_discharge) == (0.03, 0.0)
    assert (e.formula_charge, e.formula_discharge, e.framework) == ("NiO", "MgO", framework_of("NiO", "Mg"))
    assert (e.id_discharge, e.snapshot) == ("mp-5003", "mp2025.09.25")
    assert json.loads(e.steps or "") == document["adj_pairs"]
    assert e.host.lattice.tolist() == (np.eye(3) * 4.03).tolist()
    assert e.discharged is not None
    assert e.discharged.formula == "MgO"
    provenance = result.data.provenance
    assert (provenance["database"], provenance["snapshot"]) == ("2025.09.25", "mp2025.09.25")
    assert provenance["licence"] == "CC BY 4.0"
    assert [f["name"].rsplit("/", 1)[1] for f in provenance["files"]] == [
        "insertion_electrodes (10 documents)",
        "summary (20 documents)",
    ]


def test_small_polite_requests(tmp_path: Path) -> None:
    api = made_up(10)
    fetched(api, tmp_path)
    pages = [given for path, given in api.asked if path == "materials/insertion_electrodes"]
    assert [given.get("_page") for given in pages] == [None, "1", "2", "3"]
    assert pages[0]["_limit"] == "1"
    wanted = set(pages[1]["_fields"].split(","))
    assert {"id_charge", "id_discharge", "adj_pairs", "stability_charge"} <= wanted
    assert not {"host_structure", "electrode_object", "thermo_type"} & wanted
    assert [len(given["material_ids"].split(",")) for path, given in api.asked if path == "materials/summary"] == [
        6, 6, 6, 2
    ]  # fmt: skip
    assert len(api.asked) == 8
    assert all(agent.startswith("ionvolt/") and "mp-api/" in agent for agent in api.agents)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 9])
def test_nothing_is_lost_at_the_edge_of_a_page(n: int, tmp_path: Path) -> None:
    api = made_up(n)
    if n == 0:
        with pytest.raises(DataError, match="no electrodes of Mg"):
            fetched(api, tmp_path)
        return
    assert [e.id_charge for e in fetched(api, tmp_path).data] == [f"mp-{1000 + i}" for i in range(n)]


def test_ions_share_what_they_share(tmp_path: Path) -> None:
    api = made_up(5, ("Mg", "Ca", "Li"))
    result = fetched(api, tmp_path, "Ca", "mg2+")
    assert result.data.ions.tolist() == ["Ca"] * 5 + ["Mg"] * 5
    asked = [i for path, given in api.asked if path == "materials/summary" for i in given["material_ids"].split(",")]
    assert len(asked) == len(set(asked)) == 10


def test_pages_in_no_order_lose_nothing_in_silence(tmp_path: Path) -> None:
    api = made_up(11)
    api.shuffle = True
    result = fetched(api, tmp_path)
    ids = [e.id_charge for e in result.data]
    assert len(ids) == len(set(ids))
    assert len(ids) == 11 or f"counts 11 electrodes and gave {len(ids)} different ones" in result.refused[0]


def test_ids_in_letters_are_the_same_ids(tmp_path: Path) -> None:
    api = made_up(6)
    numbers = fetched(api, tmp_path)
    letters = fetched(spelled_in_letters(api), tmp_path)
    assert letters.refused == []
    assert equal(list(numbers.data), list(letters.data))
    mixed = spelled_in_letters(api)
    mixed.materials = api.materials
    assert equal(list(numbers.data), list(fetched(mixed, tmp_path).data))


def test_new_materials_are_known_by_letters_alone(tmp_path: Path) -> None:
    api = made_up(1)
    api.electrodes[0] |= {"id_charge": "mp-aaahilze", "material_ids": ["mp-aaahilze"], "adj_pairs": None}
    api.materials["mp-aaahilze"] = {"structure": structure()}
    api.electrodes[0] |= {"id_discharge": "mp-aaahimaa"}
    api.materials["mp-aaahimaa"] = {"structure": structure(4.2, "Mg", "O")}
    row = fetched(api, tmp_path).data[0]
    assert (row.battery_id, row.id_charge, row.id_discharge) == ("mp-aaahilze_Mg", "mp-aaahilze", "mp-aaahimaa")
    assert row.discharged is not None


def test_a_field_that_the_first_document_lacks_is_not_lost_for_the_others(tmp_path: Path) -> None:
    api = made_up(4)
    for name in ("capacity_grav", "stability_charge", "adj_pairs", "num_steps", "max_delta_volume"):
        del api.electrodes[0][name]
    first, *others = fetched(api, tmp_path).data
    assert (first.capacity_grav, first.stability_charge, first.steps, first.num_steps) == (None,) * 4
    assert all(e.capacity_grav and e.stability_charge and e.steps and e.num_steps == 2 for e in others)


def test_null_fields(tmp_path: Path) -> None:
    api = made_up(4)
    for name in set(api.electrodes[0]) - {"average_voltage", "id_charge", "working_ion"}:
        api.electrodes[0][name] = None
    del api.electrodes[1]["id_charge"]
    api.electrodes[1]["id_discharge"] = None
    api.electrodes[2] |= {"id_charge": None, "adj_pairs": []}
    api.electrodes[3]["average_voltage"] = None
    result = fetched(api, tmp_path)
    by_id = {e.id_charge: e for e in result.data}
    assert by_id.keys() == {"mp-1000", "mp-1001"}
    bare = by_id["mp-1000"]
    assert (bare.battery_id, bare.formula_charge, bare.discharged) == ("mp-1000_Mg", "NiO", None)
    assert by_id["mp-1001"].id_discharge == "mp-5001"
    assert sorted(line.split(":")[0] for line in result.refused) == ["mp-202_Mg", "mp-203_Mg"]
    assert any("no average_voltage" in line for line in result.refused)
    assert result.data.provenance["rows_refused"] == 2


def test_nonsense_is_refused_line_by_line(tmp_path: Path) -> None:
    api = made_up(6)
    api.electrodes[0]["average_voltage"] = {"value": 3}
    api.electrodes[1]["id_charge"] = "not an id\n"
    api.electrodes[2]["adj_pairs"] = "steps"
    api.electrodes[3]["material_ids"] = 7
    api.electrodes[4]["num_steps"] = -1
    api.electrodes[5]["adj_pairs"] = [None, 3, {"id_charge": []}]
    result = fetched(api, tmp_path)
    assert len(result.data) == 3
    assert len(result.refused) == 3
    assert all(line.isprintable() for line in result.refused)


def test_the_host_is_the_charged_entry_itself(tmp_path: Path) -> None:
    """``host_structure`` is the entry with the ion taken out; a charged entry may hold some of the ion."""
    api = made_up(1)
    api.materials["mp-1000"] = {"structure": structure(4.2, "Mg", "Ni")}
    api.electrodes[0]["formula_charge"] = "MgNi"
    row = fetched(api, tmp_path).data[0]
    assert row.host.formula == "MgNi"
    assert row.framework == "Ni"


def test_deprecated_and_vanished_materials(tmp_path: Path) -> None:
    api = made_up(5)
    api.materials["mp-1000"]["deprecated"] = True
    api.materials["mp-5001"]["deprecated"] = True
    del api.materials["mp-1002"], api.materials["mp-5003"]
    result = fetched(api, tmp_path)
    assert [e.id_charge for e in result.data] == ["mp-1000", "mp-1001", "mp-1003", "mp-1004"]
    assert result.notes == ["mp-200_Mg: mp-1000 is deprecated", "mp-201_Mg: mp-5001 is deprecated"]
    assert len(result.refused) == len(result.incomplete) == 1
    assert "mp-1002: the Materials Project has no such material" in result.refused[0]
    assert "mp-203_Mg: discharged structure: mp-5003" in result.incomplete[0]
    assert result.data.provenance["refused"] == result.refused
    assert result.data.provenance["incomplete"] == result.incomplete


def test_structures_are_held_against_every_rule(tmp_path: Path) -> None:
    api = made_up(7)
    broken = {f"mp-{1000 + i}": api.materials[f"mp-{1000 + i}"]["structure"] for i in range(6)}
    broken["mp-1000"]["sites"][1]["abc"] = [0.01, 0, 0]
    broken["mp-1001"]["sites"][1]["species"][0]["occu"] = 0.5
    broken["mp-1002"]["lattice"]["matrix"] = [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    broken["mp-1003"]["sites"][0]["species"][0]["element"] = "X"
    del broken["mp-1004"]["sites"][0]["abc"]
    api.materials["mp-1005"]["structure"] = None
    result = fetched(api, tmp_path)
    assert [e.id_charge for e in result.data] == ["mp-1006"]
    assert len(result.refused) == 6
    for line, words in zip(
        result.refused,
        ["apart", "disordered", "thick", "no element", "not laid out", "gives no structure"],
        strict=True,
    ):
        assert words in line
    assert result.data.provenance["rows_refused"] == 6


def test_no_module_that_a_document_names_is_imported(tmp_path: Path) -> None:
    api = made_up(1)
    bad = {"@module": "ionvolt.no.such.module", "@class": "X"}
    api.materials["mp-1000"]["structure"]["sites"][0]["properties"] = {"magmom": bad}
    api.materials["mp-1000"]["structure"] |= bad
    assert len(fetched(api, tmp_path).data) == 1


def test_repeated_documents_are_taken_once(tmp_path: Path) -> None:
    api = made_up(4)
    api.electrodes += copy.deepcopy(api.electrodes[1:3])
    newer = electrode(3, average_voltage=9.0, last_updated={"$date": "2025-06-01T00:00:00Z"})
    api.electrodes.insert(0, newer)
    result = fetched(api, tmp_path)
    assert sorted(e.id_charge for e in result.data) == ["mp-1000", "mp-1001", "mp-1002", "mp-1003"]
    assert next(e.average_voltage for e in result.data if e.id_charge == "mp-1003") == 9.0
    assert result.notes == ["mp-1003: several Mg electrodes have this charged end; the one updated last is kept"]


def test_a_shared_battery_id_costs_no_electrode(tmp_path: Path) -> None:
    api = made_up(3)
    for document in api.electrodes:
        document["battery_id"] = "mp-7_Mg"
        document["material_ids"] = ["mp-7"]
    result = fetched(api, tmp_path)
    assert [e.battery_id for e in result.data] == ["mp-7_Mg", "mp-1001_Mg", "mp-1002_Mg"]
    assert len(result.notes) == 2


def test_the_file_reads_back(tmp_path: Path) -> None:
    result = fetched(made_up(5), tmp_path)
    write_dataset(result.data, tmp_path / "mp.parquet")
    back = read_dataset(tmp_path / "mp.parquet")
    assert equal(list(back), list(result.data))
    assert back.provenance == result.data.provenance


def test_an_ion_that_is_none_asks_nobody(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such working ion"):
        fetch_source(["Fe"], parts_of(tmp_path / "x"), key=KEY, endpoint="http://127.0.0.1:9/")


@pytest.mark.parametrize("letters", [False, True])
def test_published_records_are_those_that_the_importer_takes(shared_data: Path, tmp_path: Path, letters: bool) -> None:
    rows = published_rows(shared_data, ("Mg", "Al", "Cs"), 15)
    ids = {row[end] for row in rows for end in ("id_charge", "id_discharge")}
    with gzip.open(shared_data / "structures.jsonl.gz", "rt") as file:
        records = (json.loads(line) for line in file)
        cifs = {record["id"]: record["cif"] for record in records if record["id"] in ids}
    (tmp_path / "table.csv").write_text(
        "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in _cells(rows)), encoding="utf-8"
    )
    (tmp_path / "structures.jsonl").write_text(
        "".join(json.dumps({"id": i, "cif": cif}) + "\n" for i, cif in cifs.items()), encoding="utf-8"
    )
    imported = import_source(tmp_path / "table.csv", structures=tmp_path / "structures.jsonl", snapshot="mp2025.09.25")
    api = published(rows, cifs)
    result = fetched(spelled_in_letters(api) if letters else api, tmp_path, "Mg", "Al", "Cs")
    assert result.refused == imported.refused == []
    assert len(result.data) == len(rows) == 45
    assert equal(list(result.data), list(imported.data))


def _cells(rows: list[dict[str, str]]) -> list[list[str]]:
    return [list(rows[0]), *([cell.replace('"', '""') for cell in row.values()] for row in rows)]
