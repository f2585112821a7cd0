"""``ionvolt data import`` and ``ionvolt data describe``."""

import pytest

from crystals import cif, fluorite, rock_salt
from ionvolt.datasets import read_dataset


@pytest.fixture
def folder(tmp_path):
    """Twenty rows that can be used and, on demand, some that cannot."""
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "NiO.cif").write_text(cif(rock_salt("Ni")))
    (folder / "TiO2.cif").write_text(cif(fluorite("Ti")))
    (folder / "junk.cif").write_text("nothing")
    rows = [f"b{n},{('NiO', 'TiO2')[n % 2]}.cif,{3.0 if n else 30.0},{'Li' if n < 12 else 'Mg'}" for n in range(20)]
    (folder / "t.csv").write_text("battery_id,file,average_voltage,working_ion\n" + "\n".join(rows) + "\n")
    return folder


BAD = "bad1,none.cif,1,Li\nbad2,NiO.cif,high,Li\nbad3,NiO.cif,1,Fe\nbad4,junk.cif,1,Li\nbad5,../secret.cif,1,Li\n"


def add(folder, text):
    with (folder / "t.csv").open("a") as file:
        file.write(text)


def test_import(ionvolt, folder, tmp_path):
    target = tmp_path / "new" / "set.parquet"
    result = ionvolt("data", "import", folder, "-o", target, "--snapshot", "lab")
    assert (result.code, result.err) == (0, "")
    assert "20 electrodes" in result.out
    data = read_dataset(target)
    assert len(data) == 20
    assert {e.snapshot for e in data} == {"lab"}


def test_every_refused_row_is_one_line(ionvolt, folder, tmp_path):
    add(folder, BAD)
    result = ionvolt("data", "import", folder, "-o", tmp_path / "x.parquet")
    assert result.code == 1
    assert len(result.lines) == 5
    for number, line in enumerate(result.lines, start=1):
        assert line.startswith("ionvolt: ")
        assert f"bad{number}: " in line
    assert len(read_dataset(tmp_path / "x.parquet")) == 20


def test_json(ionvolt, folder, tmp_path):
    add(folder, BAD)
    target = tmp_path / "x.parquet"
    result = ionvolt("data", "import", folder, "-o", target, "--json", "--clean", "abs7", "--trim", "2sigma")
    assert result.code == 1
    summary = result.json
    assert (summary["file"], summary["electrodes"], summary["refused"]) == (str(target), 19, 5)
    assert summary["removed"] == {"abs7": 1, "2sigma": 0}
    assert len(summary["refused_rows"]) == 5
    assert len(result.lines) == 5


def test_cleaning_is_told(ionvolt, folder, tmp_path):
    result = ionvolt("data", "import", folder, "-o", tmp_path / "x.parquet", "--clean", "abs7")
    assert result.code == 0
    assert "abs7: 1 removed" in result.out
    shown = ionvolt("data", "describe", tmp_path / "x.parquet").out
    assert "abs7 removed 1" in shown


def test_nothing_is_written_when_nothing_can_be_used(ionvolt, folder, tmp_path):
    target = tmp_path / "x.parquet"
    (folder / "t.csv").write_text("battery_id,file,average_voltage,working_ion\n" + BAD)
    assert "bad1" in ionvolt("data", "import", folder, "-o", target).refused()
    assert not target.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["none.csv"], "none.csv"),
        (["{folder}/t.csv"], "--structures"),
        (["{folder}", "--ion", "Fe"], "Fe"),
        (["{folder}", "--clean", "3sigma"], "3sigma"),
        (["{folder}/t.csv", "--structures", "none.jsonl"], "none.jsonl"),
        (["{folder}/NiO.cif", "--structures", "{folder}"], "average_voltage"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_what_cannot_be_imported(ionvolt, folder, tmp_path, args, said):
    target = tmp_path / "x.parquet"
    args = [arg.format(folder=folder) for arg in args]
    assert said in ionvolt("data", "import", *args, "-o", target).refused()
    assert not target.exists()


def test_nowhere_to_write(ionvolt, folder, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in ionvolt("data", "import", folder, "-o", tmp_path / "file" / "x.parquet").refused()
    assert str(tmp_path) in ionvolt("data", "import", folder, "-o", tmp_path).refused()


def test_describe(ionvolt, data):
    result = ionvolt("data", "describe", data)
    assert (result.code, result.err) == (0, "")
    assert "56 electrodes" in result.out
    assert "made-up 56" in result.out
    for ion, n in (("Li", "34"), ("Mg", "22")):
        (line,) = [line for line in result.out.splitlines() if line.startswith(f"{ion} ")]
        assert n in line.split()


def test_describe_json(ionvolt, data):
    facts = ionvolt("data", "describe", data, "--json").json
    assert facts["n"] == 56
    assert {ion: values["n"] for ion, values in facts["ions"].items()} == {"Li": 34, "Mg": 22}


def test_describe_what_is_none(ionvolt, tmp_path):
    assert "none.parquet" in ionvolt("data", "describe", tmp_path / "none.parquet").refused()
    (tmp_path / "x.parquet").write_text("text")
    assert "data import" in ionvolt("data", "describe", tmp_path / "x.parquet").refused()


def test_published_table(ionvolt, shared_data, tmp_path):
    target = tmp_path / "na.parquet"
    result = ionvolt("data", "import", shared_data / "na_cgcnn", "--ion", "Na", "-o", target, "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["electrodes"] == 255
    assert ionvolt("data", "describe", target, "--json").json["ions"]["Na"]["n"] == 255
