"""Tables and folders as data sets: what can be used is taken, what cannot is named and counted."""

import csv
import gzip
import hashlib
import json
import os
import time
import tracemalloc

import numpy as np
import pytest

from crystals import caesium_chloride, cif, rock_salt
from datasets.rows import lines, same_crystal
from ionvolt.datasets import framework_of, read_dataset, write_dataset
from ionvolt.datasets.importers import Imported, import_source
from ionvolt.errors import DataError, InputError

pytestmark = pytest.mark.slow

HEADER = "battery_id,working_ion,average_voltage,formula_charge,id_charge,id_discharge,framework,num_steps\n"
POSCAR = """CsCl
1.0
4.1 0 0
0 4.1 0
0 0 4.1
Cs Cl
1 1
Direct
0 0 0
0.5 0.5 0.5
"""


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def structures(write):
    full, small = caesium_chloride(), caesium_chloride("Mg", "O", 2.7)
    return write("s.jsonl", lines(a=cif(full), b=cif(small), half=cif(full, occupancy=0.5), junk="no crystal"))


def one_line(message: object) -> str:
    text = str(message)
    assert "\n" not in text
    assert "\r" not in text
    return text


def fails(*args, **options) -> str:
    with pytest.raises(DataError) as caught:
        import_source(*args, **options)
    return one_line(caught.value)


# -- a table and lines of structures --


def test_table_with_lines(write, structures):
    table = write(
        "t.csv",
        HEADER + "a_Li,Li,1.5,CsCl,a,b,Cl,2.0\n" + "b_Mg,Mg,-0.5,,b,,,\n",
    )
    seen = []
    result = import_source(
        table, structures=structures, snapshot="x", progress=lambda done, total, _: seen.append((done, total))
    )
    assert result.refused == []
    first, second = result.data
    assert (first.battery_id, first.working_ion, first.average_voltage) == ("a_Li", "Li", 1.5)
    assert (first.formula_charge, first.framework, first.num_steps) == ("CsCl", "Cl", 2)
    assert (first.id_charge, first.id_discharge, first.snapshot) == ("a", "b", "x")
    assert first.host.symbols == ["Cs", "Cl"]
    assert first.discharged is not None
    assert first.discharged.symbols == ["Mg", "O"]
    # What the table leaves out follows from the structure.
    assert (second.formula_charge, second.framework) == ("MgO", framework_of("MgO", "Mg"))
    assert (second.num_steps, second.id_discharge, second.discharged, second.capacity_grav) == (None, None, None, None)
    assert seen == [(1, 2), (2, 2)]


def test_order_and_names_of_columns_are_free(write, structures):
    table = write("t.csv", "note,id_charge,average_voltage,working_ion\n,b,1,Mg\nx,a,2,Li\n")
    result = import_source(table, structures=structures)
    assert [(e.working_ion, e.average_voltage) for e in result.data] == [("Mg", 1.0), ("Li", 2.0)]
    assert len(set(result.data.keys)) == 2


def test_byte_order_mark_and_windows_line_ends(write, structures):
    table = write("t.csv", ("\ufeff" + HEADER + "a_Li,Li,1.5,,a,,,\n").replace("\n", "\r\n"))
    assert len(import_source(table, structures=structures).data) == 1


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz"])
def test_lines_plain_or_packed(write, name):
    text = lines(a=cif(caesium_chloride())).encode()
    path = write(name, gzip.compress(text) if name.endswith("gz") else text)
    table = write("t.csv", HEADER + "a_Li,Li,1.5,,a,,,\n")
    assert len(import_source(table, structures=path).data) == 1


def test_the_ion_may_come_from_the_caller(write, structures):
    table = write("t.csv", "average_voltage,id_charge\n1,a\n")
    assert import_source(table, structures=structures, ion="mg").data[0].working_ion == "Mg"
    with pytest.raises(InputError, match="Fe"):
        import_source(table, structures=structures, ion="Fe")
    assert "--ion" in fails(table, structures=structures)


def test_where_it_came_from(write, structures):
    table = write("t.csv", HEADER + "a_Li,Li,1.5,,a,,,\nx_Li,Li,1.5,,none,,,\n")
    provenance = import_source(table, structures=structures, snapshot="mp2020").data.provenance
    for path in (table, structures):
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        assert {"name": path.name, "sha256": checksum} in provenance["files"]
    assert (provenance["rows_read"], provenance["rows_refused"], provenance["snapshot"]) == (2, 1, "mp2020")
    assert provenance["refused"][0].startswith("x_Li")
    assert "CC BY 4.0" in json.dumps(provenance)
    assert str(table.parent) not in json.dumps(provenance)


# -- rows that cannot be used --

BAD_ROWS = {
    "text for a voltage": ("bad,Li,high,,a,,,", "voltage"),
    "no voltage": ("bad,Li,,,a,,,", "voltage"),
    "nan": ("bad,Li,nan,,a,,,", "voltage"),
    "infinite": ("bad,Li,inf,,a,,,", "voltage"),
    "unknown ion": ("bad,Fe,1,,a,,,", "Fe"),
    "no ion": ("bad,,1,,a,,,", "ion"),
    "no such structure": ("bad,Li,1,,none,,,", "none"),
    "no structure named": ("bad,Li,1,,,,,", "id"),
    "short row": ("bad,Li", "voltage"),
    "partial occupancy": ("bad,Li,1,,half,,,", "disordered"),
    "no crystal": ("bad,Li,1,,junk,,,", "structure"),
    "steps": ("bad,Li,1,,a,,,inf", "num_steps"),
    "many steps": ("bad,Li,1,,a,,,1e15", "num_steps"),
    "step text": ("bad,Li,1,,a,,,two", "num_steps"),
    "formula": ("bad,Li,1,Fe)(,a,,,", "formula"),
    "negative formula": ("bad,Li,1,Fe-2O3,a,,,", "formula"),
    "endless formula": ("bad,Li,1,Fe1e400,a,,,", "formula"),
    "long formula": ("bad,Li,1," + "(" * 5000 + ",a,,,", "formula"),
}


@pytest.mark.parametrize(("row", "word"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_named_and_the_others_are_taken(write, structures, row, word):
    table = write("t.csv", f"{HEADER}one,Li,1,,a,,,\n{row}\ntwo,Mg,2,,b,,,\n")
    result = import_source(table, structures=structures)
    assert [e.battery_id for e in result.data] == ["one", "two"]
    assert len(result.refused) == 1
    line = one_line(result.refused[0])
    assert line.startswith("bad: ")
    assert word in line
    assert not line.startswith("bad: bad")
    assert "Error" not in line
    assert result.data.provenance["rows_refused"] == 1


def test_bad_rows_are_counted_one_by_one(write, structures):
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n" + "".join(f"{row}\n" for row, _ in BAD_ROWS.values()))
    result = import_source(table, structures=structures)
    assert (len(result.data), len(result.refused)) == (1, len(BAD_ROWS))


def test_names_with_line_breaks_stay_on_one_line(write, structures):
    table = write("t.csv", HEADER + 'one,Li,1,,a,,,\n"ba\nd\x1b[31m",Li,1,,"no\nne",,,\n')
    (line,) = import_source(table, structures=structures).refused
    one_line(line)
    assert "\x1b" not in line


def test_not_one_usable_row(write, structures):
    message = fails(write("t.csv", HEADER + "x,Li,nan,,a,,,\n"), structures=structures)
    assert "not one usable row" in message
    assert "x" in message
    assert "no rows" in fails(write("t.csv", HEADER), structures=structures)


def test_a_discharged_end_that_is_not_there_is_no_reason_to_drop_the_label(write, structures):
    table = write("t.csv", HEADER + "one,Li,1,,a,gone,,\ntwo,Li,1,,b,half,,\n")
    result = import_source(table, structures=structures)
    assert [(e.id_discharge, e.discharged) for e in result.data] == [("gone", None), ("half", None)]
    assert len(result.incomplete) == 2
    assert all("discharged" in line for line in result.incomplete)


# -- tables and files that cannot be read at all --


def test_missing_column(write, structures):
    message = fails(write("t.csv", "battery_id,voltage\nx,1\n"), structures=structures)
    assert "t.csv" in message
    assert "average_voltage" in message
    assert "voltage" in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        "average_voltage,note\n1,Größe\n".encode("latin-1"),
        "average_voltage\n1\n".encode("utf-16"),
        b"average_voltage,x\n1,\x00\n",
        bytes(range(256)),
        b'average_voltage,x\n1,"' + b"x" * 200_000 + b'"\n',
    ],
    ids=["empty", "blank", "latin-1", "utf-16", "null byte", "binary", "huge cell"],
)
def test_tables_that_are_none(write, structures, content):
    assert "t.csv" in fails(write("t.csv", content), structures=structures)


def test_nothing_there(tmp_path, write, structures):
    assert "no such file" in fails(tmp_path / "none.csv")
    assert "--structures" in fails(write("t.csv", HEADER + "x,Li,1,,a,,,\n"))
    assert "none.jsonl" in fails(tmp_path / "t.csv", structures=tmp_path / "none.jsonl")
    assert "CSV" in fails(write("folder/a.cif", cif(caesium_chloride())).parent)


def broken(name, content, said):
    return pytest.param(name, content, said, id=said.replace(" ", "-"))


GOOD = lines(a=cif(caesium_chloride())).encode()
PACKED = gzip.compress(lines(a=cif(caesium_chloride()), b="".join(map(str, range(20_000)))).encode())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        broken("s.jsonl", GOOD + b"[1, 2]\n", "line 2"),
        broken("s.jsonl", GOOD + b'"text"\n', "line 2 is"),
        broken("s.jsonl", GOOD + b'{"id": 1, "cif": "x"}\n', "line 2 is not"),
        broken("s.jsonl", GOOD + b'{"id": "x"}\n', "line 2 is not {"),
        broken("s.jsonl", GOOD + b"{not json\n", "s.jsonl"),
        broken("s.jsonl", b"\xff\xfe" + GOOD, "s.jsonl:"),
        broken("s.jsonl", b"[" * 100_000, "s.jsonl: "),
        broken("s.jsonl.gz", PACKED[: len(PACKED) // 2], "s.jsonl.gz"),
        broken("s.jsonl.gz", PACKED[:-4], "s.jsonl.gz:"),
        broken("s.jsonl.gz", PACKED[:2000] + os.urandom(200) + PACKED[2200:], "s.jsonl.gz: "),
        broken("s.jsonl.gz", GOOD, ".gz"),
    ],
)
def test_structures_that_cannot_be_read(write, name, content, said):
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n")
    assert said in fails(table, structures=write(name, content))


def test_blank_lines_do_no_harm(write):
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n")
    assert len(import_source(table, structures=write("s.jsonl", b"\n" + GOOD + b"\n  \n")).data) == 1


def test_two_structures_of_one_id(write):
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n")
    twice = lines(a=cif(caesium_chloride())) + lines(a=cif(caesium_chloride(a=4.3)))
    assert "a" in fails(table, structures=write("s.jsonl", twice))
    assert len(import_source(table, structures=write("s.jsonl", lines(a=cif(caesium_chloride())) * 2)).data) == 1


def test_a_compressed_bomb_fills_no_memory(write):
    """One line of 400 MB out of a file of 400 kB."""
    part = gzip.compress(b"x" * 100_000_000, 1)
    bomb = write("s.jsonl.gz", gzip.compress(GOOD) + gzip.compress(b'{"id": "x", "cif": "') + part * 4)
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n")
    begin = time.perf_counter()
    tracemalloc.start()
    try:
        message = fails(table, structures=bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "line 2" in message
    assert "MB" in message
    assert peak < 100e6
    assert time.perf_counter() - begin < 10


def test_only_structures_that_a_row_names_stay_in_memory(write):
    """150 MB of lines of which none is asked for."""
    one = gzip.compress(lines(other="y" * 5_000_000).encode(), 1)
    path = write("s.jsonl.gz", one * 30 + gzip.compress(GOOD))
    table = write("t.csv", HEADER + "one,Li,1,,a,,,\n")
    tracemalloc.start()
    try:
        result = import_source(table, structures=path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(result.data) == 1
    assert peak < 60e6


# -- folders --


@pytest.fixture
def folder(write, tmp_path):
    write("set/CsCl.cif", cif(caesium_chloride()))
    write("set/MgO.vasp", POSCAR)
    write("set/below/third.cif", cif(caesium_chloride("Mg", "O", 2.7)))
    write("secret.cif", cif(caesium_chloride()))
    return tmp_path / "set"


def with_table(folder, text, name="labels.csv") -> Imported:
    (folder / name).write_text(text)
    return import_source(folder)


def test_folder_of_files_with_a_table(folder):
    result = with_table(
        folder,
        "file,average_voltage,working_ion\nCsCl.cif,1.5,Li\nMgO.vasp,2,Mg\nbelow/third.cif,3,Ca\nCsCl,4,Na\n",
    )
    assert result.refused == []
    assert [e.working_ion for e in result.data] == ["Li", "Mg", "Ca", "Na"]
    assert result.data.voltages.tolist() == [1.5, 2.0, 3.0, 4.0]
    assert [e.formula_charge for e in result.data] == ["CsCl", "CsCl", "MgO", "CsCl"]
    assert len(set(result.data.keys)) == 4
    assert result.data[0].id_charge == "CsCl"


@pytest.mark.parametrize(
    "name", ["../secret.cif", "below/../../secret.cif", "link.cif", "gone.cif", "below", "", "x" * 5000, "n\0.cif"]
)
def test_no_file_outside_the_folder_is_read(folder, tmp_path, name):
    (folder / "link.cif").symlink_to(tmp_path / "secret.cif")
    (folder / "labels.csv").write_text("")
    table = folder / "labels.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["battery_id", "file", "average_voltage", "working_ion"])
        rows.writerow(["good", "CsCl.cif", 1, "Li"])
        rows.writerow(["bad", name, 1, "Li"])
    result = import_source(folder)
    assert [e.battery_id for e in result.data] == ["good"]
    assert len(result.refused) == 1
    assert result.refused[0].startswith("bad: ")
    assert len(result.refused[0]) < 400


def test_absolute_paths_are_outside_too(folder, tmp_path):
    result = with_table(folder, f"file,average_voltage,working_ion\nCsCl.cif,1,Li\n{tmp_path}/secret.cif,1,Li\n")
    assert len(result.refused) == 1


def test_a_table_with_a_folder_of_structures(folder, write):
    table = write("t.csv", HEADER + "one,Li,1,,CsCl,MgO,,\n")
    result = import_source(table, structures=folder)
    assert result.data[0].discharged is not None


def test_several_tables(folder):
    (folder / "a.csv").write_text("average_voltage\n")
    (folder / "b.csv").write_text("average_voltage\n")
    assert "2 CSV files" in fails(folder)


def test_cgcnn_folder(folder):
    (folder / "id_prop.csv").write_text("CsCl,1.5\nMgO,2.5\nnone,1\nCsCl2,\n\n")
    (folder / "CsCl.cif").write_text(cif(caesium_chloride()))
    (folder / "MgO.cif").write_text(cif(caesium_chloride("Mg", "O", 2.7)))
    result = import_source(folder, ion="Na", snapshot="y")
    assert [(e.battery_id, e.id_charge, e.working_ion) for e in result.data] == [
        ("CsCl_Na", "CsCl", "Na"),
        ("MgO_Na", "MgO", "Na"),
    ]
    assert result.data.voltages.tolist() == [1.5, 2.5]
    assert len(result.refused) == 2
    assert "--ion" in fails(folder)


@pytest.mark.parametrize("content", [b"a,\xff\n", b"a,\x00\n", b""])
def test_cgcnn_tables_that_are_none(folder, content):
    (folder / "id_prop.csv").write_bytes(content)
    assert one_line(fails(folder, ion="Na"))


# -- the published data --


@pytest.fixture(scope="module")
def mp2020(shared_data) -> Imported:
    return import_source(
        shared_data / "electrodes_mp2020.csv", structures=shared_data / "structures.jsonl.gz", snapshot="mp2020"
    )


@pytest.fixture(scope="module")
def mp2025(shared_data) -> Imported:
    return import_source(
        shared_data / "electrodes_mp2025.csv", structures=shared_data / "structures.jsonl.gz", snapshot="mp2025"
    )


def counts(result: Imported) -> dict[str, int]:
    names, numbers = np.unique(result.data.ions, return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True))


def test_mp2020(mp2020):
    assert mp2020.refused == []
    assert counts(mp2020) == {
        "Li": 1893, "Na": 282, "K": 94, "Rb": 38, "Cs": 31, "Mg": 355, "Ca": 430, "Zn": 345, "Al": 124, "Y": 137,
    }  # fmt: skip
    assert {e.snapshot for e in mp2020.data} == {"mp2020"}
    assert len(set(mp2020.data.keys)) == len(mp2020.data)


def test_mp2025_has_both_ends(mp2025):
    assert mp2025.refused == []
    assert counts(mp2025) == {
        "Li": 2107, "Na": 275, "K": 84, "Rb": 38, "Cs": 27, "Mg": 377, "Ca": 394, "Zn": 333, "Al": 81, "Y": 84,
    }  # fmt: skip
    for e in mp2025.data:
        assert e.discharged is not None
        assert e.working_ion in e.discharged.symbols
        assert e.id_discharge
        assert e.formula_discharge
        assert e.num_steps == len(json.loads(e.steps))
        assert e.capacity_grav is not None


def test_frameworks_are_those_of_the_published_tables(mp2020, mp2025):
    for result in (mp2020, mp2025):
        wrong = [e for e in result.data if framework_of(e.formula_charge, e.working_ion) != e.framework]
        assert wrong == []


def test_labels_are_those_of_the_table(mp2020, shared_data):
    with (shared_data / "electrodes_mp2020.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert mp2020.data.voltages.tolist() == [float(row["average_voltage"]) for row in rows]
    assert [e.battery_id for e in mp2020.data] == [row["battery_id"] for row in rows]
    assert [e.formula_charge for e in mp2020.data] == [row["formula_charge"] for row in rows]


def test_round_trip_of_real_electrodes(mp2025, tmp_path):
    part = mp2025.data[np.arange(0, len(mp2025.data), 10)]
    write_dataset(part, tmp_path / "x.parquet")
    found = read_dataset(tmp_path / "x.parquet")
    assert found.provenance == json.loads(json.dumps(part.provenance))
    for one, other in zip(found, part, strict=True):
        assert same_crystal(one.host, other.host)
        assert same_crystal(one.discharged, other.discharged)
        assert (one.steps, one.stability_charge) == (other.steps, other.stability_charge)
    assert found.keys == part.keys


def test_na_cgcnn(shared_data):
    result = import_source(shared_data / "na_cgcnn", ion="Na")
    assert (len(result.data), result.refused) == (255, [])
    assert set(result.data.ions) == {"Na"}
    assert all(e.framework == framework_of(e.host.formula, "Na") for e in result.data)


def test_helper():
    assert same_crystal(rock_salt(), rock_salt())
    assert not same_crystal(rock_salt(), rock_salt(a=5))
    assert not same_crystal(rock_salt(), None)
