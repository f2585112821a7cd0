"""Loading potentials leaves out what they do not use, takes it from nobody, and is silent on PyTorch's plans."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = """
import sys
import warnings
import torch
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.sevennet import load_sevennet

before = torch.compiler.disable
load_sevennet()
assert torch.compiler.disable is before
assert "torch._dynamo" not in sys.modules
assert load_chgnet().network is not None
warnings.resetwarnings()
print("loaded", file=sys.stderr)
heavy = ("pandas", "sympy", "matplotlib", "scipy.signal", "chgnet.model.dynamics")
assert not [name for name in heavy if name in sys.modules], sorted(name for name in heavy if name in sys.modules)

import chgnet.model.dynamics as dynamics
from chgnet.model import CHGNetCalculator, model
from chgnet.utils import solve_charge_by_mag

assert dynamics.CHGNetCalculator is CHGNetCalculator
assert dynamics.CHGNet is model.CHGNet
assert solve_charge_by_mag.__module__ == "chgnet.utils.vasp_utils"

import pandas
import sevenn.checkpoint

assert sevenn.checkpoint.pd.DataFrame is pandas.DataFrame

from e3nn import o3
from e3nn.math import _normalize_activation

alpha, beta = torch.tensor(0.3), torch.tensor(0.7)
by_angles = o3.spherical_harmonics_alpha_beta([0, 1, 2], alpha, beta)
by_vector = o3.spherical_harmonics([0, 1, 2], o3.angles_to_xyz(alpha, beta), normalize=True, normalization="integral")
assert torch.allclose(by_angles, by_vector, atol=1e-6)
assert _normalize_activation.moment.__module__ == "e3nn.math._normalize_activation"
"""


def test_what_is_left_out_comes_when_it_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error:`torch.jit", "-c", CODE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "torch.jit" not in done.stderr.partition("loaded")[0]
