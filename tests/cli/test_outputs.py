"""What is there already is not replaced unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ionvolt.cli.outputs import CARD_FILE, free_stem, require_free
from ionvolt.errors import InputError


def test_files_of_another_polymorph_are_left_alone(tmp_path: Path) -> None:
    assert free_stem(tmp_path / "none", "TiS2-Li") == "TiS2-Li"
    assert free_stem(tmp_path, "TiS2-Li") == "TiS2-Li"
    for name in ("TiS2-Li.png", "TiS2-Li-2.json", "TiS2-Lithium.png"):
        (tmp_path / name).write_text("mine")
    assert free_stem(tmp_path, "TiS2-Li") == "TiS2-Li-3"
    assert free_stem(tmp_path, "TiS2-Mg") == "TiS2-Mg"


def test_a_finished_model_is_left_alone(tmp_path: Path) -> None:
    require_free(tmp_path, replace=False)
    (tmp_path / CARD_FILE).write_text("{}")
    with pytest.raises(InputError, match="--replace"):
        require_free(tmp_path, replace=False)
    require_free(tmp_path, replace=True)


def test_figures_of_explanations_are_left_alone(ionvolt, tmp_path: Path) -> None:
    for option, name in (("--png", "why.png"), ("--cif", "why.cif")):
        (tmp_path / "x.cif").write_text("any")
        (tmp_path / name).write_text("mine")
        result = ionvolt("explain", tmp_path / "x.cif", "--ion", "Li", option, tmp_path / name)
        assert "--replace" in result.refused()
        assert (tmp_path / name).read_text() == "mine"
