"""Exit codes are alike in all commands, and what can be answered at once is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FILE = "none.x"
COMMANDS = {
    "predict": ("predict", FILE, "--ion", "Li"),
    "predict of two": ("predict", FILE, "y/*.cif", "--ion", "Li"),
    "predict --order": ("predict", FILE, "--ion", "Li", "--order"),
    "explain": ("explain", FILE, "--ion", "Li"),
    "compute": ("compute", FILE, "--ion", "Li"),
    "compute --pairs": ("compute", "--pairs", FILE, "--ion", "Li"),
    "order": ("order", FILE),
    "design": ("design", FILE, "--ion", "Li"),
    "train": ("train", FILE, "--ion", "Li", "-o", "out"),
    "transfer": ("transfer", FILE, "--ion", "Li", "-o", "out", "--from", "cgcnn-mp2020"),
    "baseline": ("baseline", FILE, "--ion", "Li", "-o", "out"),
    "evaluate": ("evaluate", "mean", FILE),
    "explain-model": ("explain-model", "cgcnn-mp2020", FILE, "-o", "out"),
    "validate": ("validate", "--data", FILE, "--model", "cgcnn-mp2020"),
    "reproduce": ("reproduce", FILE, "-o", "out"),
    "recipe run": ("recipe", "run", "cgcnn", FILE, "-o", "out"),
    "recipe evaluate": ("recipe", "evaluate", "cgcnn", FILE, "-o", "out"),
    "recipe release": ("recipe", "release", "cgcnn", FILE, "-o", "out", "--to", "out"),
    "data describe": ("data", "describe", FILE),
    "data check": ("data", "check", FILE, "-o", "out.csv"),
    "data landscape": ("data", "landscape", FILE, "-o", "out.json"),
    "models import": ("models", "import", FILE, "--ion", "Li", "-o", "out"),
    # These read what they are given with numpy and gemmi, within a second.
    "data import": ("data", "import", FILE, "-o", "out.parquet"),
    "data crystals": ("data", "crystals", FILE, "-o", "out.parquet"),
    "screen": ("screen", FILE, "--ion", "Li", "-o", "out", "-j", "1"),
    "screen status": ("screen", "status", FILE),
    "screen top": ("screen", "top", FILE),
    "screen export": ("screen", "export", FILE, "-o", "out.csv"),
    "screen merge": ("screen", "merge", FILE),
    "screen query": ("screen", "query", FILE, "SELECT 1"),
    "models show": ("models", "show", FILE),
    "cite": ("cite", FILE),
    "examples": ("examples", "--model", FILE),
    "serve": ("serve", "--model", FILE, "--port", "0"),
}
"""What each command is given; ``FILE`` is what is not there."""

BEFORE_NUMPY = ("predict", "predict of two", "predict --order", "explain", "compute", "compute --pairs", "order")
"""The first ones asked for, and the quickest: what one process has loaded stays."""

ALL = """
import contextlib, io, json, sys
from ionvolt.cli.main import main

found = {}
for name, words in json.loads(sys.argv[1]).items():
    sys.argv = ["ionvolt", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    heavy = sorted({"torch", "pymatgen", "numba", "sklearn", "matplotlib", "numpy", "gemmi"} & sys.modules.keys())
    found[name] = [code, out.getvalue(), err.getvalue(), heavy]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """Code, standard output, standard error and heavy modules of commands that one process runs after each other."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "there.x").write_text("nothing")
    asked = {f"missing {name}": words for name, words in COMMANDS.items()}
    for name, words in COMMANDS.items():
        if "--ion" in words:
            before = dict(zip(words[1:], words, strict=False))
            asked[f"ion {name}"] = tuple(
                "Qq" if before.get(word) == "--ion" else "there.x" if word == FILE else word for word in words
            )
    for name in ("predict", "screen", "data import", "recipe run"):
        asked[f"option {name}"] = (*COMMANDS[name], "--nonsense")
    done = subprocess.run(
        [sys.executable, "-c", ALL, json.dumps(asked)], capture_output=True, text=True, timeout=300, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["there.x"]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("case", "said"),
    [("missing ", f"ionvolt: {FILE}: "), ("ion ", "ionvolt: Qq: no such working ion. Choose"), ("option ", "Usage: ")],
)
def test_what_cannot_be_done_is_code_two_at_once(answers: dict[str, list], case: str, said: str) -> None:
    found = {name: answer for name, answer in answers.items() if name.startswith(case)}
    assert len(found) >= 4
    for name, (code, out, err, heavy) in found.items():
        assert (code, out) == (2, ""), (name, err)
        assert set(heavy) <= ({"numpy", "gemmi"} if name.removeprefix("missing ") not in BEFORE_NUMPY else set()), name
        assert err.startswith(said), (name, err)
        assert case == "option " or err.count("\n") == (2 if name == "missing predict of two" else 1), (name, err)


@pytest.mark.parametrize("words", [("order",), ("predict", "--ion", "Li", "--order")], ids=" ".join)
def test_a_folder_without_structures_is_refused(ionvolt, tmp_path: Path, words: tuple[str, ...]) -> None:
    result = ionvolt(words[0], tmp_path, *words[1:])
    assert (result.code, result.out) == (2, "")
    assert "no structure file in the folder" in result.err
