"""Damage and odd versions end in one line that names the file and the remedy, never in another error."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crystals import rock_salt
from datasets.rows import electrode, electrode_set
from ionvolt.datasets import read_dataset, write_dataset
from ionvolt.datasets.parquet import FORMAT, SCHEMA
from ionvolt.errors import DataError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "set.parquet"
    write_dataset(
        electrode_set([electrode(n, "Mg", n / 3, discharged=rock_salt() if n else None) for n in range(3)]), path
    )
    return path


def refused(path) -> str:
    with pytest.raises(DataError) as caught:
        read_dataset(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_random_damage(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        one = bytearray(content)
        for place in rng.integers(4, len(content) - 8, 4):
            one[place] = rng.integers(256)
        path.write_bytes(one)
        try:
            read_dataset(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("version", [b"", b"one", b"-1", b"1.5", "²".encode(), b"\xff", None])
def test_no_format_number(path, version):
    table = pq.read_table(path)
    metadata = dict(table.schema.metadata) | {b"ionvolt.format": version}
    pq.write_table(table.replace_schema_metadata({k: v for k, v in metadata.items() if v is not None}), path)
    assert "data import" in refused(path)


def test_newer_format_with_other_columns(path):
    table = pq.read_table(path)
    newer = table.replace_schema_metadata({**table.schema.metadata, b"ionvolt.format": str(FORMAT + 1).encode()})
    pq.write_table(newer.append_column("extra", pa.array([1, 2, 3])), path)
    assert "Upgrade" in refused(path)


def changed(path, column, values):
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.names.index(column), column, values), path)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("working_ion", ["Mg", "Xx", "Y"]),
        ("working_ion", ["Mg", None, "Y"]),
        ("average_voltage", [1.0, float("nan"), 2.0]),
        ("average_voltage", [1.0, None, 2.0]),
        ("average_voltage", ["1", "two", "3"]),
        ("framework", ["MgO", None, "MgO"]),
        ("battery_id", ["a", None, "c"]),
        ("num_steps", [1.5, None, 2.5]),
    ],
)
def test_rows_that_make_no_sense(path, column, values):
    changed(path, column, pa.array(values))
    assert "data import" in refused(path)


GOOD = {"lattice": [4.0, 0, 0, 0, 4.0, 0, 0, 0, 4.0], "numbers": [12, 8], "frac_coords": [0.0, 0, 0, 0.5, 0.5, 0.5]}
WRONG = {
    "none": None,
    "8 numbers": GOOD | {"lattice": [1.0] * 8},
    "5 coordinates": GOOD | {"frac_coords": [0.0] * 5},
    "1 site": GOOD | {"frac_coords": [0.0] * 3},
    "1 element": GOOD | {"numbers": [12]},
    "element 0": GOOD | {"numbers": [12, 0]},
    "element 200": GOOD | {"numbers": [12, 200]},
    "nan": GOOD | {"lattice": [4.0, 0, 0, 0, float("nan"), 0, 0, 0, 4.0]},
    "inf": GOOD | {"frac_coords": [0.0, 0, 0, 0.5, 0.5, float("inf")]},
    "no coordinate": GOOD | {"frac_coords": [0.0, 0, 0, 0.5, 0.5, None]},
    "no element": GOOD | {"numbers": [12, None]},
    "no lattice": GOOD | {"lattice": None},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("column", ["structure_charge", "structure_discharge"])
def test_structures_that_make_no_sense(path, column, wrong):
    changed(path, column, pa.array([GOOD, wrong, GOOD], SCHEMA.field(column).type))
    if wrong is None and column == "structure_discharge":
        assert [e.discharged is None for e in read_dataset(path)] == [False, True, False]
    else:
        assert "data import" in refused(path)


@pytest.mark.parametrize("text", [b"[]", b"{", b"1", b"\xff"])
def test_provenance_that_is_none(path, text):
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"ionvolt.provenance": text}), path)
    assert "data import" in refused(path)
