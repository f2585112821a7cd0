"""Tables that fit the screen, and text that a terminal must not obey."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystals import cif, fluorite, perovskite, rock_salt
from ionvolt.cli.compute_output import print_one, print_profile, print_records
from ionvolt.cli.terminal import Column, fitting_tables, folded, json_text, print_table
from ionvolt.computation import VoltageResult
from ionvolt.models.card import ModelCard, write_card
from ionvolt.physics.profile import Profile, Step

pytestmark = pytest.mark.slow

NUMBERS = st.lists(st.lists(st.integers(0, 10**6).map(str), min_size=5, max_size=5), min_size=1, max_size=6)


@given(NUMBERS, st.integers(20, 130))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_numbers_are_never_cut(rows: list[list[str]], width: int) -> None:
    head = ["ion", "n", "with\ndischarged", "same\nformula", "max"]
    lines = fitting_tables(head, rows, width)
    assert max(len(line) for line in lines) <= max(width, 20)
    words = [word for line in lines for word in line.split()]
    for row in rows:
        for cell in row[1:]:
            assert cell in words


def test_one_table_where_it_fits() -> None:
    lines = fitting_tables(["ion", "a", "long\nname"], [["Li", "1", "23"], ["Mg", "4", "5"]], 80)
    assert lines == ["        long", "ion  a  name", "Li   1    23", "Mg   4     5"]


def test_several_where_it_does_not() -> None:
    lines = fitting_tables(["ion", "aaaa", "bbbb"], [["Li", "1", "2"]], 12)
    assert lines == ["ion  aaaa", "Li      1", "", "ion  bbbb", "Li      2"]


def test_describe_on_a_narrow_screen(ionvolt, data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ionvolt.cli.data.screen_width", lambda: 80)
    shown = ionvolt("data", "describe", data).out
    assert max(len(line) for line in shown.splitlines()[1:-5]) <= 80
    assert "…" not in shown.split("sha256")[0]


@given(st.dictionaries(st.text(), st.text()))
def test_json_for_the_screen_is_the_same_json(content: dict[str, str]) -> None:
    text = json_text(content)
    assert json.loads(text) == content
    assert all(c.isprintable() or c == "\n" for c in text)


def test_a_card_does_not_reach_the_terminal_raw(ionvolt, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    write_card(ModelCard("m", description="a\x1b]0;title\x07\x9b31m\u202eb"), tmp_path / "m" / "card.json")
    shown = ionvolt("models", "show", tmp_path / "m")
    assert shown.code == 0
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(shown.out)
    assert shown.json["description"] == "a\x1b]0;title\x07\x9b31m\u202eb"


def test_a_name_does_not_reach_the_terminal_raw(ionvolt) -> None:
    error = ionvolt("data", "describe", "a\x1b[31m.parquet").refused()
    assert "\x1b" not in error


def test_show_auto_and_list(ionvolt) -> None:
    assert ionvolt("models", "show", "auto").json["name"] == "auto"
    shown = ionvolt("models", "list").out
    assert "Mg 0.24" in shown
    assert "error in V" in shown


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_no_pipes_and_devices(ionvolt, tmp_path: Path, name: str) -> None:
    path = Path(name) if name.startswith("/") else tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    assert "regular file" in ionvolt("models", "import", path, "-i", "Na", "-o", tmp_path / "out").refused()
    assert "regular file" in ionvolt("compute", "--pairs", path, "-i", "Li").refused()


def test_a_card_of_brackets(ionvolt, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "card.json").write_text("[" * 200_000)
    assert "cannot be read" in ionvolt("models", "show", tmp_path / "m").refused()


# -- tables that fit --


@pytest.fixture(params=[80, 120])
def width(request, monkeypatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


LONG = "a-rather-long-folder-name/of-structures/with_a_name_that_goes_on_and_on_LiNi0.33Mn0.33Co0.33O2.cif"


def test_texts_are_folded_and_numbers_never_are(width, capsys):
    columns = [Column("structure", True), *(Column(f"number {k}\n(V)") for k in range(4)), Column("note", True)]
    rows = [
        [LONG, "1893.123", "-0.12", "3.45 to 3.67", "7", "words and more words " * 5],
        ["x", "1", "2", "3", "4", ""],
    ]
    print_table(columns, rows)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    for cell in rows[0][1:5]:
        assert cell in out
    assert LONG in "".join(line[:30].split(" ")[0] for line in out.splitlines()[2:-1]) or width == 120


def test_many_numbers_stand_in_several_tables(width, capsys):
    columns = [Column("row", True), *(Column(f"a number {k}") for k in range(30))]
    print_table(columns, [["x", *(f"{k}.123456" for k in range(30))]])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert all(f"{k}.123456" in out.split() for k in range(30))


def test_a_note_is_folded_and_escaped(width):
    words = folded("note: " + "some words \x1b[31m " * 30)
    assert "\x1b" not in words
    assert max(map(len, words.splitlines())) <= width


def test_a_number_and_its_unit_stay_on_one_line(width):
    for shift in range(width):
        lines = folded("x" * shift + " mean 1.90 V, in a 90 % interval of 12.5 mAh/g, 0.2 s").splitlines()
        assert not [line for line in lines if line.strip().startswith(("V", "%", "mAh", "s"))]


def test_the_output_of_every_command_fits(ionvolt, data, li_model, tmp_path, width):
    folder = tmp_path / "a_folder_with_a_rather_long_name" / "and_one_below"
    folder.mkdir(parents=True)
    for k, host in enumerate((rock_salt("Ni"), perovskite("Ti"), fluorite("Ti"))):
        (folder / f"structure_number_{k}_of_a_long_list.cif").write_text(cif(host))
    for command in (
        ("predict", folder, "--ion", "Li", "--model", li_model),
        ("explain", folder, "--ion", "Li", "--model", "cgcnn-mp2020"),
        ("examples", "--model", "cgcnn-mp2020"),
        ("data", "describe", data),
        ("evaluate", "mean", data, "--split", "random", "--folds", 2),
        ("models", "list"),
        ("recipe", "list"),
        ("cite", "auto"),
    ):
        result = ionvolt(*command)
        assert result.code in (0, 1), result.err
        # A path stands as it is, to be copied.
        lines = [line for line in result.out.splitlines() if str(tmp_path.parent) not in line]
        assert max(map(len, lines)) <= width, command


def test_computed_electrodes_fit(width, capsys):
    result = computed("Li2Fe0.5Mn0.5(PO4)3 with a long formula", profile=True)
    print_one(result)
    print_profile(result)
    print_records([{"discharged": "x", "charged": None} | computed(f"LiFe{n}PO4").to_dict() for n in range(9)])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_one_story_of_a_profile(capsys):
    print_profile(computed("LiFePO4", profile=True))
    out = capsys.readouterr().out
    assert "average of the steps 3.50 V by the potential alone" in out
    assert "3.10 to 4.10" in out
    assert "the correction, which holds for the average alone, gives 3.45 V" in out


def computed(formula: str, profile: bool = False) -> VoltageResult:
    host = rock_salt("Ni")
    steps = (
        Step(3.6, "FePO4", "Li1Fe2P2O8", 0.0, 0.5, 0.03, host, host, 3.1, 4.1),
        Step(3.4, "Li1Fe2P2O8", "LiFePO4", 0.5, 1.0, 0.03, host, host),
    )
    return VoltageResult(
        source="x.cif", working_ion="Li", formula_discharged=formula, formula_charged=formula,
        end_members="discharged", voltage=3.45, voltage_lower=3.2, voltage_upper=3.7, voltage_potential=3.5,
        in_domain=True, model="delta-mp2025", n_ions=4, capacity_grav=170.0, capacity_vol=600.0, energy_grav=586.0,
        energy_vol=2000.0, method="both made and relaxed, in a number of words that goes on for more than a line does",
        volume_change=0.06, converged=False, steps=100, seconds=0.1, warnings=("a long reservation " * 8,),
        profile=Profile(steps, 3.5, 4, 3, True) if profile else None, discharged=host, charged=host,
    )  # fmt: skip
