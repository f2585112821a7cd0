"""The default model answers and explains without PyTorch, whose import takes longer than the answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ionvolt
from ionvolt.physics.potentials.sevennet import load_sevennet

pytestmark = pytest.mark.slow

EXAMPLES = Path(ionvolt.__file__).parent / "examples"

CODE = """
import sys
from types import SimpleNamespace

import numpy as np
from ionvolt.physics.potentials.interface import Forces
from ionvolt.prediction import unrelaxed

# In the place of CHGNet, which is asked whether structures are relaxed.
still = SimpleNamespace(version="still", forces=lambda c: Forces(0.0, np.zeros((len(c), 3)), np.zeros((3, 3))))
unrelaxed.load_chgnet = lambda: still

from ionvolt.cli.main import main

try:
    main()
finally:
    heavy = ("torch", "e3nn", "chgnet", "pymatgen", "pandas", "sklearn", "matplotlib")
    print("imported:", *(name for name in heavy if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module", autouse=True)
def _kept() -> None:
    """The potential's network is kept for other processes, as after a first answer."""
    pytest.importorskip("numba")
    load_sevennet()


def answer(*arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = next(line for line in done.stderr.splitlines() if line.startswith("imported:"))
    assert imported == "imported:"
    found = json.loads(done.stdout)
    return found[0] if isinstance(found, list) else found


def test_a_host() -> None:
    found = answer("predict", str(EXAMPLES / "V2O5.cif"), "--ion", "Mg,Al", "--json")
    assert found["model"] == "foundation-mp2025"
    assert found["voltage"] == pytest.approx(2.32, abs=0.01)


def test_a_discharged_structure() -> None:
    found = answer("predict", str(EXAMPLES / "LiFePO4.cif"), "--ion", "Li", "--json")
    assert found["model"] == "delta-mp2025"
    assert found["end_members"] == "discharged"


def test_an_explanation() -> None:
    found = answer("explain", str(EXAMPLES / "V2O5.cif"), "--ion", "Mg", "--json")
    assert "sites" in found
