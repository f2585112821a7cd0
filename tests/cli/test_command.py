"""The command itself: help, version, mistakes, what it imports, and how it starts."""

import json
import subprocess
import sys

import pytest

from ionvolt import __version__

pytestmark = pytest.mark.slow

COMMANDS = (
    (),
    ("predict",),
    ("explain",),
    ("train",),
    ("transfer",),
    ("data",),
    ("data", "import"),
    ("data", "describe"),
    ("models",),
    ("models", "list"),
    ("models", "show"),
    ("models", "import"),
)

HELP = """
import json, sys
sys.argv = ["ionvolt", *{args}]
from ionvolt.cli.main import main
try:
    main()
except SystemExit as stop:
    print("\\n" + json.dumps([stop.code, sorted(sys.modules)]))
"""


def test_help_loads_nothing_heavy():
    code = HELP.format(args=["--help"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    heavy = (
        "torch",
        "pymatgen",
        "pyarrow",
        "numpy",
        "scipy",
        "pandas",
        "numba",
        "ase",
        "vesin",
        "gemmi",
        "safetensors",
    )
    assert set(heavy) & set(modules) == set()
    assert [m for m in modules if m.startswith(("rich.progress", "ionvolt.models", "ionvolt.structures"))] == []
    assert "ionvolt.cli.predict" not in modules


def test_installed_command(console):
    done = subprocess.run([console, "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("predict", "train", "transfer", "data", "models"):
        assert f"  {command} " in done.stdout
    done = subprocess.run([console, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"ionvolt {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(ionvolt, command):
    for flag in ("--help", "-h"):
        result = ionvolt(*command, flag)
        assert result.code == 0
        assert result.out.startswith("Usage: ")
        assert " ".join(command) in result.out.splitlines()[0]
        assert result.err == ""


@pytest.mark.parametrize("command", [(), ("data",), ("models",)], ids=" ".join)
def test_no_command_shows_help(ionvolt, command):
    result = ionvolt(*command)
    assert "Usage: " in result.out + result.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["predcit", "x.cif"], "predcit"),
        (["data", "imprt"], "imprt"),
        (["--unknown"], "--unknown"),
        (["predict"], "FILE"),
        (["predict", "x.cif"], "--ion"),
        (["predict", "x.cif", "--ion", "Li", "--assume", "full"], "full"),
        (["train", "x.parquet", "--ion", "Li"], "--output"),
        (["train", "x.parquet", "--ion", "Li", "-o", "m", "--members", "0"], "members"),
        (["train", "x.parquet", "--ion", "Li", "-o", "m", "--epochs", "many"], "epochs"),
        (["transfer", "x.parquet", "--ion", "Li", "-o", "m"], "--from"),
        (["transfer", "x.parquet", "--ion", "Li", "-o", "m", "--from", "x", "--layers", "half"], "half"),
    ],
    ids=" ".join,
)
def test_mistakes_in_the_command_line(ionvolt, args, said):
    result = ionvolt(*args)
    assert result.code == 2
    assert result.out == ""
    assert said in result.err


def test_mistyped_command_is_answered_with_the_nearest(ionvolt):
    assert "'predict'" in ionvolt("predcit").err
