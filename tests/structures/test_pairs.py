"""vesin is imported without PyTorch here, and with it by whoever wants it so."""

import subprocess
import sys

CODE = """
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import find_pairs

salt = Crystal(3.0 * np.eye(3), np.array([11, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))
with ThreadPoolExecutor(4) as pool:
    found = list(pool.map(lambda _: len(find_pairs(salt, 2.7, both=True)), range(8)))
assert found == [16] * 8, found
assert "torch" not in sys.modules and "ase" not in sys.modules
assert not [finder for finder in sys.meta_path if type(finder).__module__.startswith("ionvolt")]

import torch
import vesin

points = torch.tensor([[0.0, 0, 0], [1.5, 1.5, 1.5]], dtype=torch.float64)
box = 3 * torch.eye(3, dtype=torch.float64)
(first,) = vesin.NeighborList(cutoff=2.7, full_list=True).compute(points, box, True, "i")
assert isinstance(first, torch.Tensor) and len(first) == 16
assert len(find_pairs(salt, 2.7, both=True)) == 16
"""


def test_pairs_are_found_without_pytorch_and_others_get_vesin_with_it() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
