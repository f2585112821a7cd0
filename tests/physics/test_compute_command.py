"""``ionvolt compute`` as a user meets it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cli.conftest import run_command
from crystals import disulfide, layered
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.mlip.full_extraction import FullExtractionClassifier

pytestmark = pytest.mark.slow

KEYS = {
    "discharged", "charged", "working_ion", "voltage_potential", "voltage", "n_ions", "method", "volume_change",
    "converged", "seconds", "warnings",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compute")
    for name, crystal in (("full", layered()), ("sulfide", disulfide())):
        crystal.to_pymatgen().to(filename=str(path / f"{name}.cif"))
        empty = remove_ion(crystal, working_ion("Li"))
        # A cell of its own: an end that was made by deleting the ion would be relaxed.
        empty = replace(empty, lattice=1.01 * empty.lattice)
        empty.to_pymatgen().to(filename=str(path / f"{name}_empty.cif"))
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_one_electrode(folder: Path) -> None:
    result = run_command("compute", folder / "full.cif", "--charged", folder / "full_empty.cif", "-i", "Li", "--json")
    assert result.code == 0
    found = result.json
    assert found.keys() >= KEYS
    assert 3.3 < found["voltage_potential"] < 4.2
    assert found["converged"] is None
    assert found["n_ions"] == 1
    assert found["capacity_grav"] == pytest.approx(273.8, abs=0.1)  # of LiCoO2
    text = run_command("compute", folder / "full.cif", "--charged", folder / "full_empty.cif", "-i", "Li")
    assert f"average voltage  {found['voltage']:.2f} V" in text.out
    if found["voltage_lower"] is not None:
        assert found["voltage_lower"] < found["voltage"] < found["voltage_upper"]
        assert f"{found['voltage_lower']:.2f} to {found['voltage_upper']:.2f} V" in text.out
    text = run_command("compute", folder / "full.cif", "-i", "Li", "--no-relax")
    alone = re.search(r"the potential alone ([\d.]+) V", text.out)
    assert alone
    assert float(alone[1]) == pytest.approx(found["voltage_potential"], abs=0.1)  # the charged cell is another
    assert "charged host made by removing the ion, unrelaxed" in text.out


def test_an_electrode_whose_full_extraction_is_unlikely(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned answer is that of `predict`, the potential's own that of full extraction; a note says so."""
    asked = ("compute", folder / "full.cif", "-i", "Li", "--fmax", 1.0, "--json")
    full = run_command(*asked).json
    assert not any("full extraction is unlikely" in warning for warning in full["warnings"])
    monkeypatch.setattr(FullExtractionClassifier, "probability", lambda self, vectors, discharged, ion: 0.23)
    found = run_command(*asked).json
    alone = run_command("predict", folder / "full.cif", "-i", "Li", "--json").json[0]
    assert found["voltage"] == pytest.approx(alone["voltage"], abs=1e-4)
    assert found["voltage"] != pytest.approx(full["voltage"], abs=1e-4)
    assert found["voltage_potential"] == pytest.approx(full["voltage_potential"], abs=1e-4)
    assert any("full extraction is unlikely (probability 23 %)" in warning for warning in found["warnings"])
    assert found["method"].endswith(", relaxed")
    # As predict: what a cell shows is that of the part, too, and no energy is given.
    assert found["voltage_measured"] == pytest.approx(alone["voltage_measured"], abs=1e-4)
    assert (found["energy_grav"], found["energy_vol"], alone["energy_grav"]) == (None, None, None)
    assert full["energy_grav"] == pytest.approx(full["voltage"] * full["capacity_grav"])
    text = run_command(*asked[:-1]).out
    assert "Wh/kg" not in text
    both = run_command(*asked, "--charged", folder / "full_empty.cif").json
    assert not any("full extraction is unlikely" in warning for warning in both["warnings"])


def test_host_alone_profile_and_vasp(folder: Path, tmp_path: Path) -> None:
    result = run_command(
        "compute", folder / "sulfide_empty.cif", "-i", "Li", "--profile", "--fmax", 0.3, "--json", "--vasp",
        tmp_path / "v",
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    found = result.json
    assert found["method"] == "discharged electrode made by inserting the ion, relaxed"
    assert found["converged"] is True
    assert 1.5 < found["voltage"] < 2.4
    steps = found["profile"]["steps"]
    total = sum(step["voltage"] * (step["filling_discharged"] - step["filling_charged"]) for step in steps)
    assert total == pytest.approx(found["profile"]["average"])
    assert total == pytest.approx(found["voltage_potential"], abs=0.05)
    for told in (found, *steps):  # r2SCAN lies above PBE+U in sulfides, and so do measurements
        assert told["measured_basis"] == "corrected"
        assert told["voltage_measured_lower"] < told["voltage_measured"] < told["voltage_measured_upper"]
        assert told["voltage_measured"] > told.get("voltage_potential", told["voltage"])
        assert told["voltage_lower"] < told["voltage"] < told["voltage_upper"]
        # What is unsure of the calculated voltage is unsure of a cell's, too: ions were put in, steps are guesses.
        calculated = told["voltage_upper"] - told["voltage_lower"]
        assert told["voltage_measured_upper"] - told["voltage_measured_lower"] > 0.85 * calculated
    for end in ("discharged", "charged"):
        assert (tmp_path / "v" / end / "INCAR").exists()


def test_a_table_in_order_with_its_errors(folder: Path, own_cache: Path) -> None:
    table = folder / "table.csv"
    table.write_text(
        "\ufeffdischarged, charged ,working_ion\n"
        "full.cif,full_empty.cif,Li\n"
        "missing.cif,,Li\n"
        f"{folder / 'sulfide.cif'},,Li\n\n"
        "full_empty.cif,full_empty.cif,Li\n"
        "full.cif,sulfide_empty.cif,Li\n"
        "full.cif,full_empty.cif,Fe\n",
        encoding="utf-8",
    )
    result = run_command("compute", "--pairs", table, "--json", "--fmax", 0.3)
    assert result.code == 1
    records = result.json
    assert [record["discharged"] for record in records] == [
        "full.cif", "missing.cif", str(folder / "sulfide.cif"), "full_empty.cif", "full.cif", "full.cif",
    ]  # fmt: skip
    assert ["error" in record for record in records] == [False, True, False, True, True, True]
    assert records[0].keys() >= KEYS
    assert (records[0]["charged"], records[2]["charged"]) == ("full_empty.cif", None)
    assert records[2]["method"] == "charged host made by removing the ion, relaxed"
    assert len(result.lines) == 4
    assert all(line.startswith("ionvolt: row ") for line in result.lines)
    assert list(own_cache.rglob("*.npz"))
    plain = run_command("compute", "--pairs", table, "--fmax", 0.3)
    assert plain.code == 1
    assert "LiCoO2" in plain.out
    assert f"{records[2]['voltage']:.2f}" in plain.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a structure or --pairs"),
        (("full.cif",), "no working ion given"),
        (("full.cif", "-i", "Fe"), "no such working ion"),
        (("nowhere.cif", "-i", "Li"), "no such file"),
        (("full.cif", "-i", "Li", "--charged", "sulfide_empty.cif"), "differ by more than Li"),
        (("full_empty.cif", "-i", "Li", "--charged", "full_empty.cif"), "holds no more Li"),
        (("full.cif", "-i", "Li", "--potential", "1.0"), "no such potential"),
        (("--pairs", "full.cif"), "no column"),
        (("--pairs", "nowhere.csv"), "no such file"),
        (("--pairs", "t.csv", "--profile"), "are for one structure"),
        (("sulfide_empty.cif", "-i", "Li", "--insert", "40", "--no-relax"), "do not hold 40 Li"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(folder)
    assert words in run_command("compute", *arguments).refused()


def test_nothing_is_remembered_where_nothing_should_be(folder: Path, own_cache: Path) -> None:
    assert run_command("compute", folder / "full.cif", "-i", "Li", "--no-relax", "--no-cache").code == 0
    assert not list(own_cache.rglob("*.npz"))
    other = own_cache / "other"
    assert run_command("compute", folder / "full.cif", "-i", "Li", "--no-relax", "--cache", other).code == 0
    assert len(list(other.rglob("*.npz"))) == 2
