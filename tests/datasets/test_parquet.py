"""A data set on disk."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets.builders import crystal, electrode, same
from ionvolt.datasets import ElectrodeSet, read_dataset, write_dataset
from ionvolt.datasets.parquet import SCHEMA
from ionvolt.errors import DataError


@pytest.fixture
def data() -> ElectrodeSet:
    full = electrode(
        "full", "Y", -0.25, host=crystal(7), discharged=crystal(9), formula_discharge="YNiO", id_discharge="d",
        num_steps=2, capacity_grav=101.5, max_delta_volume=0.02, stability_charge=0.0, stability_discharge=0.1,
        steps="[{}]",
    )  # fmt: skip
    rows = [electrode("bare", host=crystal(3)), full, electrode("öther", "Cs", 9.0, host=crystal(1))]
    return ElectrodeSet(rows, {"source": "tests", "refused": ["one: why"], "cleaning": []})


@pytest.fixture
def file(data, tmp_path):
    path = tmp_path / "new" / "data.parquet"
    write_dataset(data, path)
    return path


def test_round_trip(data, file):
    again = read_dataset(file)
    assert all(same(a, b) for a, b in zip(data, again, strict=True))
    assert again.provenance == data.provenance
    assert again[1].host.source == "full_Y"
    assert not file.with_name("data.parquet.part").exists()


def test_many_row_groups(data, file):
    pq.write_table(pq.read_table(file), file, row_group_size=1)
    assert all(same(a, b) for a, b in zip(data, read_dataset(str(file)), strict=True))


def test_empty_set(tmp_path):
    write_dataset(ElectrodeSet([]), tmp_path / "none.parquet")
    assert len(read_dataset(tmp_path / "none.parquet")) == 0


def test_the_same_set_gives_the_same_bytes(data, file):
    before = file.read_bytes()
    write_dataset(data, file)
    assert file.read_bytes() == before


def test_others_can_read_it(file):
    table = pq.read_table(file)
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist()[0]["structure_charge"]["numbers"] == crystal(3).numbers.tolist()
    assert json.loads(table.schema.metadata[b"ionvolt.provenance"])["source"] == "tests"


def test_cannot_be_written(data, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(DataError, match=r"taken: it cannot be written .* Choose another place"):
        write_dataset(data, tmp_path / "taken")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_dataset(data, tmp_path / "file" / "x.parquet")
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".part") == []


def edited(file, edit, **metadata):
    table = pq.read_table(file)
    kept = {k.decode(): v for k, v in table.schema.metadata.items()} | metadata
    pq.write_table(edit(table).replace_schema_metadata(kept), file)
    return file


def with_column(table, name, values, kind=None):
    column = pa.array(values, kind or SCHEMA.field(name).type)
    return table.set_column(table.schema.get_field_index(name), name, column)


def with_structure(table, **changed):
    structure = {"lattice": np.eye(3).ravel(), "numbers": [1], "frac_coords": [0.0, 0.0, 0.0]}
    return with_column(table, "structure_charge", [structure | changed] * 3)


@pytest.mark.parametrize(
    ("edit", "metadata", "words"),
    [
        (lambda t: t.drop_columns(["steps", "framework"]), {}, "without framework, steps"),
        (lambda t: t, {"ionvolt.format": "2"}, "format 2 is newer.*Upgrade"),
        (lambda t: t, {"ionvolt.format": ""}, "no format number"),
        (lambda t: t, {"ionvolt.format": b"\xff"}, "no format number"),
        (lambda t: t, {"ionvolt.provenance": b"\xff{"}, "make no sense"),
        (lambda t: t, {"ionvolt.provenance": "[]"}, "provenance is not an object"),
        (lambda t: with_column(t, "average_voltage", [1.0, None, 2.0]), {}, "1 rows have no average_voltage"),
        (lambda t: with_column(t, "average_voltage", [1.0, float("nan"), 2.0]), {}, "not a number"),
        (lambda t: with_column(t, "average_voltage", ["a", "b", "c"], pa.string()), {}, "make no sense"),
        (lambda t: with_column(t, "working_ion", ["Mg", "Fe", "Li"]), {}, "working ion 'Fe' is not known"),
        (lambda t: with_column(t, "structure_charge", [None] * 3), {}, "3 rows have no structure_charge"),
        (lambda t: with_structure(t, lattice=[1.0]), {}, "make no sense"),
        (lambda t: with_structure(t, lattice=None), {}, "make no sense"),
        (lambda t: with_structure(t, lattice=[np.nan] * 9), {}, "not a number"),
        (lambda t: with_structure(t, numbers=[0]), {}, "no element"),
        (lambda t: with_structure(t, numbers=[None]), {}, "empty places in numbers"),
        (lambda t: with_structure(t, numbers=[1, 2]), {}, "make no sense"),
        (lambda t: with_structure(t, frac_coords=[0.0]), {}, "make no sense"),
    ],
)
def test_refused(file, edit, metadata, words):
    with pytest.raises(DataError, match=words) as caught:
        read_dataset(edited(file, edit, **metadata))
    assert str(caught.value).startswith(str(file))


def test_more_columns_do_no_harm(data, file):
    edited(file, lambda t: t.append_column("note", pa.array(["x"] * 3)))
    assert len(read_dataset(file)) == 3


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,voltage\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_not_parquet(tmp_path, content):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not a Parquet file.*ionvolt data import"):
        read_dataset(path)


def test_cut_short(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a Parquet file"):
        read_dataset(file)


def test_not_there(tmp_path):
    for path in (tmp_path / "none.parquet", tmp_path):
        with pytest.raises(DataError, match="no such data set"):
            read_dataset(path)
