"""What a command loads before it answers."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

V2O5 = Path(__file__).parents[2] / "src/ionvolt/examples/V2O5.cif"

CODE = """
import sys
import numpy as np
from ionvolt.models.interface import Query
from ionvolt.models.registry import load_model
from ionvolt.physics.potentials.interface import Forces
from ionvolt.prediction import unrelaxed
from ionvolt.structures import read_file

class AtRest:
    def forces(self, crystal):
        return Forces(0.0, np.zeros((len(crystal), 3)), np.zeros((3, 3)))

unrelaxed.load_chgnet = AtRest
from ionvolt.cli.main import main
sys.argv[1:] = ["predict", {file!r}, "--ion", "Mg", "--model", "cgcnn-mp2020"]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
load_model("cgcnn-mp2020").attribute([Query("Mg", read_file({file!r}))])
heavy = ("torch", "pymatgen", "ase", "scipy.linalg", "pandas", "matplotlib", "rich", "safetensors.torch")
print(sorted(name for name in heavy if name in sys.modules))
import torch
import vesin._neighbors
assert vesin._neighbors.HAS_TORCH, "vesin takes no tensors of others"
"""


def test_the_papers_model_answers_and_explains_without_pytorch() -> None:
    """CHGNet's word on whether the structure is relaxed is left out: it has a start of its own."""
    code = CODE.replace("{file!r}", repr(str(V2O5)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2.62 ± 0.44" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
