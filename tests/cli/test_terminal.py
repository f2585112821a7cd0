"""Tables that fit the screen, and text that a terminal must not obey."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionvolt.cli.terminal import fitting_tables, json_text
from ionvolt.models.card import ModelCard, write_card

NUMBERS = st.lists(st.lists(st.integers(0, 10**6).map(str), min_size=5, max_size=5), min_size=1, max_size=6)


@given(NUMBERS, st.integers(20, 130))
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
    assert "Mg 0.25" in shown
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


@pytest.mark.parametrize(
    "words",
    [
        ("train", "none.parquet", "--ion", "Li", "-o", "x"),
        ("transfer", "none.parquet", "--ion", "Li", "-o", "x", "--from", "y"),
        ("baseline", "none.parquet", "--ion", "Li", "-o", "x"),
        ("evaluate", "mean", "none.parquet"),
        ("explain-model", "cgcnn-mp2020", "none.parquet", "-o", "x"),
        ("reproduce", "none.parquet", "-o", "x"),
        ("data", "describe", "none.parquet"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_missing_data_set_is_two_everywhere(ionvolt, words: tuple[str, ...]) -> None:
    assert "none.parquet" in ionvolt(*words).refused(2)
