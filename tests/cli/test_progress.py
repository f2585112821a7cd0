"""Progress as a log shows it."""

from __future__ import annotations

import pytest

from ionvolt.cli import progress


def test_neither_getting_ready_nor_an_earlier_run_is_part_of_the_speed(monkeypatch, capsys) -> None:
    now = 0.0
    monkeypatch.setattr("ionvolt.cli.progress.time.monotonic", lambda: now)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with progress.Bar("looking") as bar:
        bar.to(100, 200, "predicting")
        now = 40.0  # models were loaded
        bar.to(101, 200)
        now = 50.0
        bar.to(106, 200)
    assert capsys.readouterr().err.splitlines()[-1] == ("ionvolt: predicting: 106 of 200, 2.0 s each, 3 min left")


@pytest.mark.parametrize("every", [10.0, 30.0])
def test_what_is_quick_tells_nothing(monkeypatch, capsys, every: float) -> None:
    now = 0.0
    monkeypatch.setattr("ionvolt.cli.progress.time.monotonic", lambda: now)
    monkeypatch.setattr(progress, "LINE_EVERY_S", every)
    with progress.Bar("predicting", 100) as bar:
        for second in range(100):
            now = float(second)
            bar.advance()
    assert len(capsys.readouterr().err.splitlines()) == 99 // every
