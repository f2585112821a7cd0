"""``ionvolt data import`` and ``ionvolt data describe``, as a script sees them."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from crystals import cif, rock_salt
from datasets.builders import write_lines
from ionvolt.cli.data import data_app
from ionvolt.datasets import read_dataset
from ionvolt.errors import DataError, InputError

TABLE = """battery_id,working_ion,average_voltage,formula_charge,id_charge,id_discharge
a_Mg,Mg,1.5,NiO,ni,
b_Mg,mg2+,2.5,CoO,co,
c_Ca,Ca,-0.5,NiO,ni,{discharged}
"""
CIFS = {metal.lower(): cif(rock_salt(metal)) for metal in ("Ni", "Co", "Fe")}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE.format(discharged="fe"))
    write_lines(tmp_path / "structures.jsonl.gz", CIFS)
    return tmp_path


def call(*arguments):
    """Exit code, standard output and standard error; an error of IonVolt is left to the root command."""
    result = CliRunner().invoke(data_app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def import_table(folder, *more):
    structures = folder / "structures.jsonl.gz"
    return call("import", folder / "table.csv", "-s", structures, "-o", folder / "out.parquet", *more)


def test_import(folder):
    code, out, err = import_table(folder, "--snapshot", "mp2020")
    assert (code, err) == (0, "")
    assert "out.parquet: 3 electrodes; 0 rows refused" in out
    data = read_dataset(folder / "out.parquet")
    assert data.voltages.tolist() == [1.5, 2.5, -0.5]
    assert data.ions.tolist() == ["Mg", "Mg", "Ca"]
    assert [e.host.formula for e in data] == ["NiO", "CoO", "NiO"]
    assert [e.discharged and e.discharged.formula for e in data] == [None, None, "FeO"]
    assert data.provenance["licence"] == "CC BY 4.0"
    assert "Materials Project" in data.provenance["attribution"]
    assert [f["name"] for f in data.provenance["files"]] == ["table.csv", "structures.jsonl.gz"]


def test_rights_are_those_that_are_stated(folder):
    import_table(folder)
    assert read_dataset(folder / "out.parquet").provenance["licence"] == ""
    import_table(folder, "--snapshot", "mp2020", "--licence", "CC0", "--attribution", "nobody")
    provenance = read_dataset(folder / "out.parquet").provenance
    assert (provenance["licence"], provenance["attribution"]) == ("CC0", "nobody")


def test_refused_rows_are_listed_and_the_file_is_written(folder):
    with (folder / "table.csv").open("a") as file:
        file.write("d_Al,Al,1.0,CuO,cu,\ne_Li,Li,much,NiO,ni,\na_Mg,Mg,9.0,NiO,ni,\n")
    code, out, err = import_table(folder, "--json")
    summary = json.loads(out)
    assert (code, summary["electrodes"], summary["refused"]) == (1, 3, 3)
    assert [line.split(":")[0] for line in summary["refused_rows"]] == ["d_Al", "e_Li", "a_Mg"]
    assert "no structure of that id" in summary["refused_rows"][0]
    assert "not a number" in summary["refused_rows"][1]
    assert "row 1 has the same battery_id" in summary["refused_rows"][2]
    assert err.count("ionvolt: refused: ") == 3
    assert read_dataset(folder / "out.parquet").provenance["refused"] == summary["refused_rows"]


def test_a_discharged_structure_that_is_refused_is_listed(folder):
    (folder / "table.csv").write_text(TABLE.format(discharged="gone"))
    code, out, err = import_table(folder, "--json")
    summary = json.loads(out)
    assert (code, summary["electrodes"], summary["refused"], summary["incomplete"]) == (1, 3, 0, 1)
    assert "c_Ca: discharged structure: gone: no structure of that id" in summary["incomplete_rows"][0]
    assert summary["incomplete_rows"][0] in err


def test_a_structure_of_another_formula_is_noted(folder):
    text = (folder / "table.csv").read_text().replace("CoO", "MnO")
    (folder / "table.csv").write_text(text)
    code, out, err = import_table(folder, "--json")
    assert code == 0
    assert json.loads(out)["notes"] == ["b_Mg: formula_charge is MnO, its structure co is CoO"]
    assert "ionvolt: note: b_Mg" in err


def test_many_notes_do_not_flood_the_screen(folder):
    rows = "".join(f"n{i},Mg,1.0,MnO,co,\n" for i in range(50))
    (folder / "table.csv").write_text(TABLE.splitlines()[0] + "\n" + rows)
    code, out, err = import_table(folder, "--json")
    assert (code, len(json.loads(out)["notes"])) == (0, 50)
    assert len(err.splitlines()) == 21
    assert "30 more notes" in err


@pytest.mark.parametrize("option", ["--clean", "--trim"])
def test_rules_are_counted(folder, option):
    code, out, _ = import_table(folder, option, "positive", "--clean", "dedupe", "--json")
    assert (code, json.loads(out)["removed"]) == (0, {"positive": 1, "dedupe": 0})
    assert read_dataset(folder / "out.parquet").provenance["cleaning"] == [
        {"rule": "positive", "removed": 1},
        {"rule": "dedupe", "removed": 0},
    ]


def test_cgcnn_folder(tmp_path):
    (tmp_path / "id_prop.csv").write_text("ni,3.5\nco,2.5\n")
    for name in ("ni", "co"):
        (tmp_path / f"{name}.cif").write_text(CIFS[name])
    code, out, _ = call("import", tmp_path, "--ion", "Na", "-o", tmp_path / "na.parquet", "--json")
    assert (code, json.loads(out)["electrodes"]) == (0, 2)
    assert read_dataset(tmp_path / "na.parquet")[1].battery_id == "co_Na"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{0}/table.csv"], "Add --structures"),
        (["{0}/none.csv"], "no such file or folder"),
        (["{0}/table.csv", "-s", "{0}/none.jsonl"], "no such file or folder of structures"),
        (["{0}/table.csv", "-s", "{0}/structures.jsonl.gz", "--ion", "Fe"], "no such working ion"),
        (["{0}/table.csv", "-s", "{0}/structures.jsonl.gz", "--clean", "3sigma"], "no such cleaning rule"),
        (["{0}"], "not one usable row|column file|no structure"),
    ],
)
def test_nothing_is_written(folder, arguments, words):
    target = folder / "out.parquet"
    with pytest.raises((DataError, InputError), match=words):
        call("import", *(a.format(folder) for a in arguments), "-o", target)
    assert not target.exists()


def test_describe(folder):
    import_table(folder, "--snapshot", "mp2020", "--clean", "abs7")
    code, out, _ = call("describe", folder / "out.parquet")
    assert code == 0
    for words in ("3 electrodes, 2 frameworks (1 of them for more than one ion)", "mp2020 3", "CC BY 4.0"):
        assert words in out
    assert "cleaned: abs7 removed 0" in out
    code, out, _ = call("describe", folder / "out.parquet", "--json")
    facts = json.loads(out)
    assert (facts["n"], facts["shared_frameworks"]) == (3, 1)
    assert facts["ions"]["Mg"] | {"n": 2, "min": 1.5, "median": 2.0, "max": 2.5} == facts["ions"]["Mg"]
    assert facts["ions"]["Ca"]["negative"] == facts["ions"]["Ca"]["with_discharged"] == 1


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, ionvolt.cli.data; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "pyarrow", "pymatgen", "gemmi", "torch", "rich"} & set(loaded)
