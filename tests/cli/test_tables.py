"""Tables of screens, designs, orderings and cathodes fit 80 and 120 columns; every command stands in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from crystals import rock_salt
from ionvolt.cli import design, label_check, order, screen
from ionvolt.cli.main import app
from ionvolt.cli.predict_output import print_predictions
from ionvolt.designing import Design, DesignResult
from ionvolt.designing.settings import DesignSettings
from ionvolt.ordering.records import Ordering, Orderings
from ionvolt.prediction import LabelCheck, Prediction
from ionvolt.screening.selection import IonSelection
from ionvolt.screening.status import StageState, Status

ROOT = Path(__file__).resolve().parents[2]
LONG = "a_folder_with_a_rather_long_name/of_structures/with_a_name_that_goes_on_and_on_LiNi0.33Mn0.33Co0.33O2.cif"
EVIL = "a\x1b[31m[red]\u202e.cif"


@pytest.fixture(params=[80, 120])
def shown(request, monkeypatch, capsys):
    """What has been printed, which must fit the screen and hold nothing that a terminal obeys."""
    monkeypatch.setenv("COLUMNS", str(request.param))

    def read() -> str:
        out = capsys.readouterr().out.replace(f"written to {LONG}\n", "")  # a path stands as it is, to be copied
        assert max(map(len, out.splitlines())) <= request.param, out
        assert not {"\x1b", "\u202e"} & set(out)
        return out

    return read


def rows() -> list[dict]:
    known = {"voltage": -12.345, "capacity_grav": 1893.2, "energy_grav": 1200.4, "energy_vol": 10234.6}
    found = {"formula": "Li12Fe11.5Mn0.5(PO4)12", "ion": "Li", "model": "foundation-mp2025, delta-mp2025", **known}
    interval = {"voltage_lower": -14.25, "voltage_upper": 10.75, "voltage_std": 0.3, "volume_change": 0.1234}
    return [found | interval | {"id": LONG}, found | {"id": EVIL}, {"id": "x", "ion": "Mg", "stage": "rules"}]


def test_predictions_are_one_table(shown) -> None:
    def one(name: str, formula: str, voltage: float) -> Prediction:
        return Prediction(
            f"cells/{name}", formula, "Mg", voltage, 0.3, "delta-mp2025", "charged", 1893.2, 1200.4, ("x" * 9,),
            voltage - 0.4, voltage + 0.4, voltage_measured=voltage, voltage_measured_lower=voltage - 0.44,
            voltage_measured_upper=voltage + 0.44, measured_basis="calculated: no measured electrode is near",
        )  # fmt: skip

    print_predictions([one("LiFePO4.cif", "LiFePO4", 3.42), one(LONG, "Li12Fe11.5Mn0.5(PO4)12", 2.5)])
    lines = shown().splitlines()
    (row,) = [line for line in lines if "3.02 to 3.82  3.42 ± 0.44*" in line]
    assert {"LiFePO4", "1893", "1200"} <= set(row.split())
    assert sum("charged" in line for line in lines) >= 1


def test_the_best_of_a_screen(shown) -> None:
    screen._print_rows(rows())
    out = shown()
    for number in ("-12.35", "-14.25 to 10.75", "1893", "1200", "10235", "+12.3 %"):
        assert number in out
    screen._print_rows([row for row in rows() if "voltage_lower" not in row])
    assert "90 %" not in shown()
    screen._print_rows([])
    shown()


def test_the_state_of_a_screen(shown) -> None:
    stage = StageState(
        "rules", 1_234_567, 12_345_678, dict.fromkeys(("kept", "dropped", "refused", "failed"), 123_456_789),
        {"a reason in many words " * 8: 12, EVIL: 3}, {"Mg": IonSelection(10**9, 10**9, 0.1, (1, 0), 1e8, 1e6, 1e5)},
        10**8, 1e6, 12.3, 1e6, (100.0, 350.0),
    )  # fmt: skip
    screen._print_status(Status(LONG, False, False, 10**9, ("Mg",) * 10, (stage,), {".txt": 3}), as_json=False)
    assert "123,456,789 refused" in " ".join(shown().split())


def test_designed_electrodes(shown) -> None:
    def one(rank: int, formula: str, missed: tuple[str, ...]) -> Design:
        return Design(
            rank, 1, formula, "FePO4", "LiFePO4", ("Fe to Mn",), "whole", "relaxed", -12.34, -14.25, 10.75, 3.4, 3.5,
            "delta-mp2025", 170.0, 600.0, 1586.4, 12000.6, -0.1234, True, 0.52, missed, (), discharged=rock_salt("Ni"),
        )  # fmt: skip

    designs = (one(1, "Li12Fe11.5Mn0.5(PO4)12 of many letters, to be folded", ("voltage", "volume")), one(2, "x", ()))
    design._print(DesignResult("Li", DesignSettings(), ("LiFePO4",), 214, 13, designs, ()), 15, Path(LONG))
    out = shown()
    for number in ("-12.34", "-14.25 to 10.75", "1586", "12001", "-12.3", "0.52"):
        assert number in out


def test_suspect_labels(shown) -> None:
    def one(name: str, end: str, label: float) -> LabelCheck:
        return LabelCheck(
            name, "Li", "Li0.5Fe11.5Mn0.5(PO4)12", "Li12Fe11.5Mn0.5(PO4)12", end, LONG, label, -1.25, None, -2.5, -1.05,
            label + 1.25, True, True,
        )  # fmt: skip

    label_check._print(
        label_check._summary(Path(EVIL), None, [one(LONG, EVIL, 10.5), one(EVIL, "mp-1", 2.5)] * 11, 0.3)
    )
    out = " ".join(shown().split())
    for words in ("10.50", "+11.75", "-2.50 to -1.05", "and 2 more", "22 suspect", "above the answers"):
        assert words in out


def test_orderings(shown) -> None:
    orderings = tuple(Ordering(rock_salt("Ni", 4.2), 0.5, 12345, -1234.5, -98765.4) for _ in range(2))
    order._print(Orderings(EVIL, orderings, 1000.0, 12, 12345, True, {"Ni": 2.0, "O": -2.0}), [f"out/{LONG}"] * 2)
    assert "12345" in shown()


def names(group: typer.core.TyperGroup, before: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        full = f"{before}{name}"
        found += names(command, f"{full} ") if hasattr(command, "commands") else [full]
    return found


def test_every_command_has_its_line_in_the_docs() -> None:
    page = (ROOT / "docs/first-hour.md").read_text(encoding="utf-8")
    table = page.partition("## Every command at 80 columns")[2]
    listed = set(re.findall(r"`([a-z-]+(?: [a-z]+)?)[^`]*`", table))
    every = names(typer.main.get_command(app))
    assert len(every) > 30
    assert [name for name in every if name not in listed] == []
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    tops = {name.split()[0] for name in every}
    assert [name for name in sorted(tops) if f"`ionvolt {name}`" not in page and f"`{name}`" not in page] == []


def test_the_list_of_commands_is_one_line_each(ionvolt, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = ionvolt("--help").out.partition("Commands:")[2].splitlines()
    assert len([line for line in lines if line.strip()]) == len(
        {name.split()[0] for name in names(typer.main.get_command(app))}
    )
    assert not any("..." in line for line in lines)
