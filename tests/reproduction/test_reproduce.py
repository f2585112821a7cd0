"""The report as people get it: every exhibit, one page that needs nothing else, and a run that goes on."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from cli.conftest import Result, run_command
from crystals import crystal
from datasets.builders import METALS
from ionvolt.datasets import Electrode, ElectrodeSet, framework_of, read_dataset, write_dataset
from ionvolt.evaluation.metrics import metrics
from ionvolt.experiment.cathodes import Cathode, usable_cathodes
from ionvolt.explain import figures
from ionvolt.reproduction import accuracy, measured, paper
from ionvolt.reproduction import held_out as tested
from ionvolt.reproduction import run as reproduction
from ionvolt.reproduction import settings as recipe
from ionvolt.reproduction.exhibits import Exhibit, read_table
from ionvolt.reproduction.page import write_page
from ionvolt.reproduction.run import ORDER, STAGES
from ionvolt.reproduction.stages import STAGE_FILE, Job, Stage, run_stage
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow

OTHERS = ("Na", "Mg")
TINY = replace(recipe.QUICK, epochs=2, n_trees=4)
NONE = dict.fromkeys(("yes", "in part", "no", "not tested"), 0)
LARGE = ("Sr", "K", "La", "Ca", "P", "Si")


def double(first: str, second: str, large: str, a: float) -> Crystal:
    """An ordered double perovskite of three kinds of cations, all of them among oxygen."""
    cell = a * np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 2]])
    sites = [[0, 0, 0], [0, 0, 0.5], [0.5, 0.5, 0.25], [0.5, 0.5, 0.75]]
    sites += [[0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, 0, 0.25], [0.5, 0, 0.75], [0, 0.5, 0.25], [0, 0.5, 0.75]]
    return crystal(cell, f"{large} {large} {first} {second} O O O O O O", sites)


def three_ions(n_li: int = 60, n_others: int = 32) -> ElectrodeSet:
    rng = np.random.default_rng(3)
    rows = []
    for number in range(n_li + 2 * n_others):
        ion = "Li" if number < n_li else OTHERS[number % 2]
        first, second = (METALS[k] for k in rng.integers(len(METALS), size=2))
        ideal = double(first, second, LARGE[rng.integers(len(LARGE))], 3.9)
        strain = np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))
        host = Crystal(ideal.lattice @ strain, ideal.numbers, ideal.frac_coords)
        voltage = 0.2 * (METALS.index(first) + METALS.index(second)) + {"Li": 1.5, "Na": 1.2, "Mg": 0.5}[ion]
        rows.append(
            Electrode(
                battery_id=f"m{number}", working_ion=ion, average_voltage=float(voltage + rng.normal(0, 0.05)),
                formula_charge=host.formula, host=host, framework=framework_of(host.formula, ion),
                snapshot="made-up", id_charge=f"h{number}",
            )
        )  # fmt: skip
    return ElectrodeSet(rows, {"attribution": "nobody's data"})


@pytest.fixture(scope="module")
def data_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "three.parquet"
    write_dataset(three_ions(), path)
    return path


def few_cathodes() -> tuple[Cathode, ...]:
    """Two measured ones of each ion: the potential looks at each, which takes as long as all networks."""
    asked = [c for c in usable_cathodes() if c.voltage is not None and c.structure]
    return tuple(c for ion in ("Li", *OTHERS) for c in [c for c in asked if c.ion == ion][:2])


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    """A quick run that is quicker still, its figures small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "QUICK", TINY)
        patch.setattr(figures, "DOTS_PER_INCH", 40)
        patch.setattr(measured, "usable_cathodes", few_cathodes)
        yield


@pytest.fixture(scope="module")
def report(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """One run of the command."""
    folder = tmp_path_factory.mktemp("report")
    result = run_command("reproduce", data_file, "-o", folder, "--quick", "--json")
    assert (result.code, result.err) == (0, "")
    return result, folder


class Page(HTMLParser):
    """What a page links to and says."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


# -- what is written --


def test_every_exhibit_is_there(report: tuple[Result, Path]) -> None:
    result, folder = report
    found = result.json
    assert [e["name"] for e in found["exhibits"]] == list(ORDER)
    left_out = set(found["left_out"])
    assert left_out == {"fig-2b", "fig-2d", "fig-2e"}, "no Ca, Zn and Al in the data"
    for exhibit in found["exhibits"]:
        if exhibit["name"] in left_out:
            assert not exhibit["figures"] + exhibit["tables"] + exhibit["claims"]
            continue
        assert exhibit["claims"], exhibit["name"]
        assert all(claim["sentence"] and claim["holds"] in NONE for claim in exhibit["claims"])
        assert exhibit["figures"] or exhibit["name"].startswith("table"), exhibit["name"]
        for name in exhibit["figures"]:
            assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            assert ElementTree.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
        for name in exhibit["tables"]:
            with (folder / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                assert list(csv.DictReader(file)), name
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) | {"page": found["page"]} == found


def test_the_page_needs_nothing_else(report: tuple[Result, Path]) -> None:
    result, folder = report
    page = Page(folder / "index.html")
    names = [tag for tag, _ in page.tags]
    assert "script" not in names
    assert "link" not in names
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data", "style"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:image/png;base64,", "#")) or not value, value[:80]
    css = (folder / "index.html").read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import", css)
    assert "prefers-color-scheme: dark" in css
    n_figures = sum(len(e["figures"]) for e in result.json["exhibits"])
    assert names.count("img") == n_figures
    targets = {a["id"] for _, a in page.tags if a.get("id")}
    links = {a["href"].removeprefix("#") for _, a in page.tags if a.get("href")}
    assert links <= targets
    assert set(ORDER) <= links, "the table of contents"


def test_a_quick_run_says_so(report: tuple[Result, Path]) -> None:
    result, folder = report
    assert result.json["quick"] is True
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "Quick run." in text
    assert "nobody's data" in text.replace("&#x27;", "'")
    assert "no electrodes" not in text


def test_numbers_on_the_page_are_those_of_the_tables(report: tuple[Result, Path]) -> None:
    result, folder = report
    voltages = [r for r in read_table(folder / "tables", "test-voltages") if r["model"] == "cgcnn-transfer"]
    errors = {r["model"]: r for r in read_table(folder / "tables", "fig-2c-errors")}
    of_mg = [r for r in voltages if r["ion"] == "Mg"]
    mae = np.mean([abs(float(r["predicted"]) - float(r["target"])) for r in of_mg])
    assert float(errors["transfer model"]["mae"]) == pytest.approx(mae, abs=2e-4)
    claims = {e["name"]: e["claims"] for e in result.json["exhibits"]}
    (claim,) = [c for c in claims["fig-2c"] if "absolute error" in c["words"]]
    assert claim["here"] == f"{mae:.2f} V"
    assert claim["holds"] == ("yes" if mae <= paper.TRANSFER["Mg"].value else claim["holds"])


def test_parts_of_a_parity_plot(report: tuple[Result, Path]) -> None:
    _, folder = report
    rows = read_table(folder / "tables", "fig-2c")
    parts = [r["part"] for r in rows]
    assert len(rows) > 26
    assert {"training", "validation", "test"} == set(parts)
    assert parts.count("test") == len(
        {r["electrode"] for r in read_table(folder / "tables", "test-voltages") if r["ion"] == "Mg"}
    )


# -- going on --


def test_the_same_again_does_nothing(report: tuple[Result, Path], data_file: Path) -> None:
    result, folder = report
    stages = {p: p.stat().st_mtime_ns for p in folder.rglob(".stages/**/*") if p.is_file()}
    again = run_command("reproduce", data_file, "-o", folder, "--quick", "--json")
    assert again.json == result.json
    assert {p: p.stat().st_mtime_ns for p in folder.rglob(".stages/**/*") if p.is_file()} == stages


KILLED = """
import sys
from dataclasses import replace
from ionvolt.reproduction import settings as recipe
recipe.QUICK = replace(recipe.QUICK, epochs=2, n_trees=4)
from ionvolt.cli.main import main
main()
"""


def test_a_killed_run_goes_on(
    data_file: Path, report: tuple[Result, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as soon as the networks are there, then run again: they are not trained twice."""
    command = [sys.executable, "-c", KILLED, "reproduce", str(data_file), "-o", str(tmp_path), "--quick"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(tmp_path.glob(".stages/*/networks-0/card.json")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "index.html").exists()
    (networks,) = tmp_path.glob(".stages/*/networks-0/weights.safetensors")
    before = networks.stat().st_mtime_ns
    shown = [name for name in ORDER if name.startswith("fig-2")]
    monkeypatch.setattr(reproduction, "STAGES", reproduction.STAGES[:2])
    monkeypatch.setattr(reproduction, "ORDER", shown)
    result = run_command("reproduce", data_file, "-o", tmp_path, "--quick", "--json")
    assert result.code == 0, result.err
    assert networks.stat().st_mtime_ns == before
    assert result.json["seconds"]["accuracy"] > 0
    assert result.json["exhibits"] == [e for e in report[0].json["exhibits"] if e["name"] in shown]
    assert (tmp_path / "index.html").exists()


def test_a_stage_that_was_cut_off_is_made_again(data_file: Path, tmp_path: Path) -> None:
    job = Job.open(read_dataset(data_file), TINY, tmp_path, "x")
    calls = []

    def make(_: Job, folder: Path) -> list[Exhibit]:
        calls.append(folder)
        (folder / "left.txt").write_text("half")
        if len(calls) == 1:
            raise KeyboardInterrupt
        return [Exhibit("fig-2a", "title")]

    stage = Stage("try", "trying", make)
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, job)
    assert not (job.folder / "try").exists()
    assert run_stage(stage, job) == run_stage(stage, job) == [Exhibit("fig-2a", "title")]
    assert len(calls) == 2
    assert (job.folder / "try" / STAGE_FILE).is_file()


def test_other_settings_and_other_data_have_other_stages(data_file: Path, tmp_path: Path) -> None:
    data = read_dataset(data_file)
    folders = [
        Job.open(data, TINY, tmp_path, "x").folder,
        Job.open(data, replace(TINY, epochs=3), tmp_path, "x").folder,
        Job.open(data[np.arange(len(data) - 1)], recipe.QUICK, tmp_path, "x").folder,
    ]
    assert len(set(folders)) == 3
    assert len({stage.name for stage in STAGES}) == len(STAGES)


# -- data that do not suffice --


def test_without_data(tmp_path: Path) -> None:
    for arguments in ((), (tmp_path / "none.parquet",)):
        message = run_command("reproduce", *arguments, "-o", tmp_path / "out").refused()
        assert "ionvolt data fetch" in message
        assert "ionvolt data import" in message
    assert not (tmp_path / "out").exists()


def test_too_little_data(tmp_path: Path) -> None:
    path = tmp_path / "few.parquet"
    write_dataset(three_ions(8, 4), path)
    assert "no ion has 20 electrodes" in run_command("reproduce", path, "-o", tmp_path / "out", "--quick").refused()


def test_without_li(data_file: Path, tmp_path: Path) -> None:
    """No Li model: what needs it is left out with the reason, the rest is made."""
    data = read_dataset(data_file)
    path = tmp_path / "no-li.parquet"
    write_dataset(data[data.ions != "Li"], path)
    result = run_command("reproduce", path, "-o", tmp_path / "out", "--quick")
    assert (result.code, result.err) == (0, "")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    made = {e["name"] for e in summary["exhibits"] if not e["missing"]}
    assert made == {"table-s1", "table-s2", "fig-s1", "fig-s4"}
    assert "too few Li electrodes" in summary["left_out"]["fig-3a"]
    assert "Fig. 3a: left out" in result.out


# -- verdicts --


def by_hand(errors: dict[str, list[float]]) -> tested.HeldOutPredictions:
    """Models with given errors on the same electrodes."""
    n = len(next(iter(errors.values())))
    names = np.repeat(list(errors), n)
    off = np.concatenate([np.array(e) for e in errors.values()])
    keys = np.tile([f"s:{k}" for k in range(n)], len(errors))
    seeds, target = np.zeros(names.size, dtype=np.int64), np.full(names.size, 2.0)
    return tested.HeldOutPredictions(names, np.full(names.size, "Zn"), seeds, keys, target, target + off)


@pytest.mark.parametrize(
    ("own", "other", "holds"),
    [([0.1] * 30, [0.5] * 30, "yes"), ([0.5] * 30, [0.1] * 30, "no"), ([0.5, 0.1] * 15, [0.1, 0.56] * 15, "in part")],
)
def test_one_model_better_than_another(own: list[float], other: list[float], holds: str) -> None:
    claim = accuracy.better(by_hand({"cgcnn-transfer": own, "li-model": other}), "Zn", "li-model", "better")
    assert claim is not None
    assert claim.holds == holds
    assert claim.here == f"{np.mean(own):.2f} V against {np.mean(other):.2f} V"
    assert accuracy.better(by_hand({"mean": [1.0]}), "Zn", "li-model", "better") is None


def test_an_error_against_the_papers() -> None:
    here = metrics(np.zeros(40), np.tile([0.2, 0.8], 20))
    for stated, holds in ((0.6, "yes"), (0.45, "in part"), (0.1, "no")):
        found, sentence = accuracy.against(here, paper.Number(stated, "x"), 2)
        assert found == holds
        assert f"{stated:.2f} V" in sentence
        assert "2 splits" in sentence


def test_words_are_escaped(tmp_path: Path) -> None:
    for kind in ("figures", "tables"):
        (tmp_path / kind).mkdir()
    summary = {
        "seconds": {}, "claims": NONE, "added": NONE, "snapshots": ["<s>"],
        "data": "<script>x</script>", "electrodes": 1, "kept": 1, "in_words": "", "ionvolt_version": "0",
        "quick": False, "attribution": "<b>",
    }  # fmt: skip
    write_page([Exhibit("fig-4", "<i>", missing="<u>")], summary, tmp_path)
    assert not {"script", "s", "i", "u", "b"} & {tag for tag, _ in Page(tmp_path / "index.html").tags}
