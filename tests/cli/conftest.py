"""A command run inside this process, a small data set and models trained on it by the command itself."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datasets.builders import small_set
from ionvolt.cli.main import main
from ionvolt.datasets import write_dataset


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    @property
    def lines(self) -> list[str]:
        """What was told on standard error."""
        return self.err.splitlines()

    def refused(self, code: int = 2) -> str:
        """The one line of an error that ends a command."""
        assert self.code == code, (self.out, self.err)
        assert self.out == ""
        assert len(self.lines) == 1, self.err
        assert self.err.startswith("ionvolt: ")
        return self.err


Run = Callable[..., Result]


def run_command(*args: object, stdin: bytes = b"") -> Result:
    """What the console command does with these arguments."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ionvolt", *map(str, args)])
        patch.setattr("ionvolt.cli.progress.LINE_EVERY_S", float("inf"))
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    result = Result(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]
    assert "Traceback" not in result.out + result.err
    return result


@pytest.fixture(scope="session")
def ionvolt() -> Run:
    return run_command


@pytest.fixture(scope="session")
def console() -> str:
    """The installed console command."""
    path = Path(sys.executable).with_name("ionvolt")
    if not path.exists():
        pytest.skip(f"the console command is not installed beside {sys.executable}")
    return str(path)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.parquet"
    write_dataset(small_set(), path)
    return path


@pytest.fixture(scope="session")
def li_model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "li"
    result = run_command(
        "train", data, "--ion", "Li", "-o", folder, "--members", 2, "--epochs", 2, "--hold-out-frameworks-of", "Mg"
    )
    assert result.code == 0, result.err
    return folder


@pytest.fixture(scope="session")
def mg_model(data: Path, li_model: Path) -> Path:
    folder = li_model.with_name("mg")
    result = run_command("transfer", data, "--from", li_model, "--ion", "Mg", "-o", folder, "--epochs", 2)
    assert result.code == 0, result.err
    return folder


@pytest.fixture(scope="session")
def ions_model(li_model: Path, mg_model: Path) -> Path:
    """Heads for Li and Mg on one trunk."""
    from ionvolt.models.cgcnn.ensemble import load_ensemble, save_ensemble

    li, mg = load_ensemble(li_model), load_ensemble(mg_model)
    li.card.add_ion("Mg", mg.card.elements["Mg"], mg.card.ion_training("Mg"))
    li.card.name = "two ions"
    folder = li_model.with_name("ions")
    heads = {name: array for name, array in mg.arrays.items() if name.startswith("head.")}
    save_ensemble(li.with_arrays(heads), folder)
    return folder
