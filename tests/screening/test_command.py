"""``ionvolt screen`` as people give it."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.conftest import run_command
from ionvolt.screening import slurm
from ionvolt.screening.plan import open_plan
from screening.conftest import expected, keys, sixty


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which tests read."""
    folder = tmp_path_factory.mktemp("screen") / "run"
    begun = run_command("screen", sixty(folder.parent), "-i", "Mg,Al", "-o", folder, "--stages", "rules", "-j", 2)
    assert begun.code == 1, begun.err  # every seventh input is refused
    assert "complete" in begun.out
    return folder


@pytest.mark.slow
def test_begin_look_and_take_away(run: Path, tmp_path: Path) -> None:
    lines = run.parent / "many.jsonl"
    plan = open_plan(run)
    assert keys(plan) == expected(plan)
    again = run_command("screen", lines, "-i", "Mg,Al", "-o", run, "--stages", "rules", "--json")
    assert again.json["complete"]
    assert again.json["stages"][0]["rows"] == {"dropped": 32, "kept": 72, "refused": 16}
    status = run_command("screen", "status", run)
    assert "16  lattice, numbers and frac_coords are not those of one crystal" in status.out
    refused = run_command("screen", lines, "-i", "Mg", "-o", run, "--stages", "rules").refused()
    assert "another folder" in refused

    table = run_command("screen", "export", run, "-o", tmp_path / "x.csv", "--all")
    assert table.out.strip().endswith("120 rows")
    with (tmp_path / "x.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    assert {row["status"] for row in rows} == {"kept", "dropped", "refused"}
    run_command("screen", "export", run, "-o", tmp_path / "x.parquet", "--ion", "Mg")
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 36
    run_command("screen", "export", run, "-o", tmp_path / "best", "-n", 3, "--by", "capacity_grav")
    assert len(list((tmp_path / "best").glob("*.cif"))) == 3
    run_command("screen", "export", run, "-o", tmp_path / "x.json", "-n", 2, "--by", "capacity_grav")
    assert json.loads((tmp_path / "x.json").read_text())[0]["structure"]["@class"] == "Structure"
    best = run_command("screen", "top", run, "--by", "capacity_grav", "-n", 2, "--json").json
    assert best[0]["capacity_grav"] > best[1]["capacity_grav"] > 300
    assert run_command("screen", "merge", run).out.strip() == str(run / "records.parquet")


@pytest.mark.slow
def test_questions_in_sql(run: Path) -> None:
    pytest.importorskip("duckdb", reason="DuckDB is not installed (extra screen)")
    question = "SELECT ion, count(*) AS n FROM records WHERE status = 'kept' GROUP BY ion ORDER BY ion"
    found = run_command("screen", "query", run, question, "--json").json
    assert found == [{"ion": "Al", "n": 36}, {"ion": "Mg", "n": 36}]
    run_command("screen", "merge", run)
    assert run_command("screen", "query", run, question, "--json").json[1] == {"ion": "Mg", "n": 36}
    assert "columns unit" in run_command("screen", "query", run, "SELECT volts FROM records").refused()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    for name in ("status", "top", "merge"):
        assert "no screen in it" in run_command("screen", name, tmp_path).refused()
    assert "no such file" in run_command("screen", tmp_path / "no.cif", "-i", "Mg", "-o", tmp_path / "run").refused()


@pytest.mark.slow
def test_crystals_are_written_as_a_table_that_a_screen_reads(lines: Path, tmp_path: Path) -> None:
    written = run_command("data", "crystals", lines, "-o", tmp_path / "many.parquet")
    assert written.code == 1
    assert len(written.lines) == 8
    assert written.out.strip().endswith("52 crystals")
    schema = pq.read_schema(tmp_path / "many.parquet")
    assert {"id", "formula", "n_atoms", "lattice", "numbers", "frac_coords"} == set(schema.names)
    given = ("-i", "Mg", "-o", tmp_path / "run", "--stages", "rules", "-j", 1, "--json")
    found = run_command("screen", tmp_path / "many.parquet", *given)
    assert found.code == 0
    assert found.json["stages"][0]["rows"] == {"dropped": 16, "kept": 36}


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A false ``sbatch`` that runs the script once, as one task of the array."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "sbatch"
    asked = 'grep "^#SBATCH" "$1" > "$(dirname "$0")/asked"'
    path.write_text(f'#!/bin/sh\n{asked}\nsh "$1" && echo "Submitted batch job 7"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "asked"


@pytest.mark.slow
def test_slurm_gets_an_array_of_workers(lines: Path, tmp_path: Path, sbatch: Path) -> None:
    folder = tmp_path / "a run"
    submitted = run_command(
        "screen", lines, "-i", "Mg", "-o", folder, "--stages", "rules", "--slurm", 40, "--slurm-option",
        "partition=short", "--slurm-option", "time=04:00:00",
    )  # fmt: skip
    assert submitted.code == 0, submitted.err
    assert "Submitted batch job 7" in submitted.out
    asked = sbatch.read_text()
    assert "--array=1-40" in asked
    assert "--partition=short" in asked
    assert "--cpus-per-task=1" in asked
    plan = open_plan(folder)
    assert keys(plan) == expected(plan)


def test_slurm_that_is_not_there_or_refuses(
    lines: Path, tmp_path: Path, sbatch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("screen", lines, "-i", "Mg", "-o", tmp_path / "run", "--stages", "rules", "--slurm", 2)
    sbatch.with_name("sbatch").write_text("#!/bin/sh\necho 'sbatch: error: no such partition' >&2\nexit 1\n")
    assert "no such partition" in run_command(*given).refused()
    assert "no option of sbatch" in run_command(*given, "--slurm-option", "time=1\nrm -rf /").refused()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no sbatch here" in run_command(*given).refused()
    assert (tmp_path / "run" / slurm.SCRIPT).is_file()
