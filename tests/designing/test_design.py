import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ionvolt
from cli.conftest import Result, run_command
from designing.builders import EXAMPLES, CountingJudge, example
from ionvolt.designing import DesignSettings, design_job
from ionvolt.designing.output import write_results
from ionvolt.designing.pareto import fronts
from ionvolt.errors import InputError
from ionvolt.physics.cache import Cache
from ionvolt.structures import read_file

pytestmark = pytest.mark.slow

SMALL = DesignSettings(guide="probability", candidates=8, budget=3, changes=1)


def run(folder=None, judge=None, settings=SMALL, hosts=None, **more):
    return design_job(
        hosts or [example("NaCoO2")], "Na", settings, folder=folder, cache=Cache(None), judge=judge or CountingJudge(),
        **more,
    )  # fmt: skip


@given(st.lists(st.lists(st.integers(-3, 3), min_size=2, max_size=2), min_size=1, max_size=30))
def test_fronts(values) -> None:
    found = fronts(values)
    for one, front in zip(values, found, strict=True):
        beaten_by = [
            other_front
            for other, other_front in zip(values, found, strict=True)
            if all(a >= b for a, b in zip(other, one, strict=True)) and other != one
        ]
        assert front == max(beaten_by, default=0) + 1


def test_no_points_have_no_fronts() -> None:
    assert fronts([]) == []


def test_the_budget_holds_and_the_host_comes_on_top() -> None:
    judge = CountingJudge()
    found = run(judge=judge)
    assert judge.asked[0] == "NaCoO2"
    assert len(judge.asked) == 4
    relaxed = [one for one in found.designs if one.stage == "relaxed"]
    assert len(relaxed) == 4
    assert [one.rank for one in found.designs] == list(range(1, len(found.designs) + 1))
    # What was relaxed comes first, and a front is not followed by an earlier one.
    assert [one.stage for one in found.designs] == ["relaxed"] * 4 + ["predicted"] * (len(found.designs) - 4)
    assert [one.front for one in relaxed] == sorted(one.front for one in relaxed)


def test_without_a_budget_nothing_is_relaxed() -> None:
    judge = CountingJudge()
    found = run(judge=judge, settings=replace(SMALL, budget=0))
    assert judge.asked == []
    assert {one.stage for one in found.designs} == {"predicted"}
    assert all(one.energy_grav == pytest.approx(one.voltage * one.capacity_grav) for one in found.designs)


def test_the_same_question_has_the_same_answer() -> None:
    assert run().to_dict() == run().to_dict()


def test_what_misses_a_target_comes_after_what_meets_it() -> None:
    found = run(settings=replace(SMALL, voltage=(3.02, 9.0)))
    relaxed = [one for one in found.designs if one.stage == "relaxed"]
    assert [bool(one.missed) for one in relaxed] == [False] * 3 + [True]
    assert relaxed[-1].missed == ("voltage",)
    tight = run(settings=replace(SMALL, max_volume_change=0.01))
    assert {one.missed for one in tight.designs if one.stage == "relaxed"} == {("volume",)}


def test_a_refusal_is_told_and_ends_nothing() -> None:
    found = run(judge=CountingJudge(refuse="NaFeO2"))
    assert ["NaFeO2" in line for line in found.refused] == [True]
    (iron,) = (one for one in found.designs if one.formula == "NaFeO2")
    assert iron.stage == "predicted"


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(folder, CountingJudge(stop_after=2))
    assert len(list((folder / "records").iterdir())) == 2
    judge = CountingJudge()
    found = run(folder, judge)
    assert len(judge.asked) == 2
    again = CountingJudge()
    assert run(folder, again).to_dict() == found.to_dict()
    assert again.asked == []


def test_a_torn_record_is_made_anew(tmp_path: Path) -> None:
    found = run(tmp_path / "run")
    torn = sorted((tmp_path / "run" / "records").iterdir())[0]
    torn.write_text(torn.read_text()[:40])
    judge = CountingJudge()
    assert len(run(tmp_path / "run", judge).designs) == len(found.designs)
    assert len(judge.asked) == 1


def test_a_refusal_is_remembered(tmp_path: Path) -> None:
    run(tmp_path / "run", CountingJudge(refuse="NaFeO2"))
    judge = CountingJudge()
    assert len(run(tmp_path / "run", judge).refused) == 1
    assert judge.asked == []


def test_other_settings_on_the_same_folder_are_refused(tmp_path: Path) -> None:
    run(tmp_path / "run")
    with pytest.raises(InputError, match=r"begun with another budget \(3, now 4\)\. Name another folder"):
        run(tmp_path / "run", settings=replace(SMALL, budget=4))
    with pytest.raises(InputError, match="begun with another host"):
        run(tmp_path / "run", hosts=[example("NaCrO2")])
    with pytest.raises(InputError, match="begun with another exclude"):
        run(tmp_path / "run", settings=replace(SMALL, exclude=("Fe",)))


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="it holds other files"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_nothing_to_find_is_said() -> None:
    with pytest.raises(InputError, match="charges balance"):
        run(settings=replace(SMALL, elements=("Zr",), exclude=("Co",)))


def test_what_is_written(tmp_path: Path) -> None:
    found = run(tmp_path / "run")
    write_results(found, tmp_path / "run")
    write_results(found, tmp_path / "run")  # a second time in the place of the first
    with (tmp_path / "run" / "candidates.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["formula"] for row in rows] == [one.formula for one in found.designs]
    assert float(rows[0]["energy_grav"]) == pytest.approx(found.designs[0].energy_grav)
    content = json.loads((tmp_path / "run" / "design.json").read_text())
    assert content == json.loads(json.dumps(found.to_dict()))
    assert (tmp_path / "run" / "front.png").read_bytes().startswith(b"\x89PNG")
    cifs = sorted(path.name for path in (tmp_path / "run" / "structures").iterdir())
    assert len(cifs) == len(found.designs) + 4
    first = found.designs[0]
    read = read_file(tmp_path / "run" / "structures" / f"001-{first.formula}-discharged.cif")
    assert read.composition == first.discharged.composition
    assert read.volume == pytest.approx(first.discharged.volume, rel=1e-4)
    assert (tmp_path / "run" / "vasp" / f"001-{first.formula}" / "charged" / "POSCAR").is_file()
    assert not list((tmp_path / "run").glob("*.part"))


def test_python_says_what_it_needs() -> None:
    with pytest.raises(InputError, match="give a host or --from"):
        ionvolt.design(None, "Li")
    with pytest.raises(InputError, match="settings were given"):
        ionvolt.design(example("NaCoO2"), "Na", settings=SMALL, budget=1)
    found = ionvolt.design(example("NaCoO2"), "Na", budget=0, candidates=5, guide="probability", cache=Cache(None))
    assert found.designs[0].parent.endswith("NaCoO2.cif")
    assert "<table>" in found._repr_html_()


def command(*arguments: str) -> Result:
    return run_command("design", *arguments)


def test_mistakes_are_one_line() -> None:
    host = str(EXAMPLES / "NaCoO2.cif")
    for arguments, words in (
        ((), "give a host or --from"),
        ((host,), "no working ion given"),
        ((host, "--ion", "Na", "--voltage", "3"), "Write it as 2.5:3.5"),
        ((host, "--ion", "Na", "--exclude", "Unobtainium"), "not an element"),
    ):
        assert words in command(*arguments).refused()


def test_the_command_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arguments = [
        str(EXAMPLES / "LiCoO2.cif"), "--ion", "Na", "--candidates", "4", "--budget", "1", "--changes", "1",
        "--elements", "Fe,Mn,Cr", "--max-steps", "3", "-o", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"),
    ]  # fmt: skip
    found = command(*arguments)
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("written to")) <= 80
    assert "2 relaxed" in lines[0]
    again = command(*arguments, "--json")
    assert again.code == 0, again.err
    content = again.json
    relaxed = [one for one in content["designs"] if one["stage"] == "relaxed"]
    assert len(relaxed) == 2
    for one in relaxed:
        assert one["voltage_lower"] < one["voltage"] < one["voltage_upper"]
        assert one["distance"] > 0
        assert abs(one["volume_change"]) < 1
    refused = command(*arguments[:-4], "--seed", "1", "-o", str(tmp_path / "run"))
    assert "begun with another seed (0, now 1)" in refused.refused()
