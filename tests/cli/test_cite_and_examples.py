"""What to cite, and the known electrodes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ionvolt
from ionvolt.cli.cite import ANSWERS, REFERENCES
from ionvolt.cli.examples import KNOWN, crystal_of, measured
from ionvolt.cli.main import app
from ionvolt.models.registry import shipped_models

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_what_is_cited_stands_in_the_citation_file() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert {reference.doi for reference in REFERENCES} == set(re.findall(r"^    doi: (\S+)$", text, re.M))


def test_version_is_the_same_in_all_places() -> None:
    version = ionvolt.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    recipe = (ROOT / "deploy/conda/recipe.yaml").read_text(encoding="utf-8")
    assert f"\n  version: {version}\n" in recipe
    head = re.search(r"^## (\S+) – (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert head is not None
    assert head[1] == version.removesuffix(".dev0")
    assert (head[2] == "unreleased") == version.endswith(".dev0")


@pytest.mark.parametrize("answer", ["compute", "explain", "auto", *sorted(shipped_models())])
def test_every_answer_has_its_sources(answer: str) -> None:
    found = json.loads(run("cite", answer, "--json"))
    assert {entry["key"] for entry in found} <= {reference.key for reference in REFERENCES}
    assert "jain2013" in {entry["key"] for entry in found}


def test_the_potentials_are_credited_where_they_answer() -> None:
    for kind in ("foundation", "delta", "auto", "compute"):
        assert {"park2024", "deng2023"} <= set(ANSWERS[kind])
    assert "park2024" not in ANSWERS["cgcnn"]


def test_bibtex_has_an_entry_for_each_reference() -> None:
    text = run("cite", "--bibtex")
    assert text.count("@article{") == len(REFERENCES)
    assert text.count("{") == text.count("}")


def test_unknown_answer_is_refused() -> None:
    done = CliRunner().invoke(app, ["cite", "nothing"])
    assert done.exit_code != 0
    assert "neither a model nor a command" in str(done.exception)


def test_known_electrodes_are_measured_ones_that_count() -> None:
    assert len(KNOWN) == 8
    for known in KNOWN:
        row = measured(known)
        assert row.voltage is not None
        assert row.uncertainty is not None
        framework = {symbol for symbol in crystal_of(known).symbols if symbol != known.ion}
        assert framework == set(re.findall(r"[A-Z][a-z]?", known.host))


def test_example_files_are_written_and_never_replace_others(tmp_path: Path) -> None:
    assert "LiFePO4.cif" in run("examples", "-o", str(tmp_path / "cells"))
    assert run("examples", "-o", str(tmp_path / "cells"))  # the same once more
    (tmp_path / "cells" / "TiS2.cif").write_text("mine")
    done = CliRunner().invoke(app, ["examples", "-o", str(tmp_path / "cells")])
    assert "another file of that name" in str(done.exception)
    assert (tmp_path / "cells" / "TiS2.cif").read_text() == "mine"


@pytest.mark.slow
def test_known_electrodes_fit_a_screen_of_eighty_columns() -> None:
    lines = run("examples", "-m", "cgcnn-mp2020").splitlines()
    assert len(lines) <= 15
    assert max(len(line) for line in lines) <= 80
