"""Fixtures for all tests."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

# Processes of xdist have it, others not: commands would print narrower tables there.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the published data sets, which are not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("IONVOLT_SHARED_DATA", beside))
    if not path.is_dir():
        pytest.skip(f"the data sets are not in {path} (set IONVOLT_SHARED_DATA to use another folder)")
    return path


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small gain nothing from threads, and lose much where the cores are shared."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def states_once() -> Iterator[None]:
    """Whether a structure is relaxed is computed once in a process: many tests ask about the same crystals."""
    prediction = sys.modules.get("ionvolt.prediction")
    if prediction is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "equilibrium", partial(_remembered, prediction.equilibrium))
        yield


_STATES: dict[bytes, Any] = {}


def _remembered(compute: Callable[..., Any], crystal: Any, potential: Any) -> Any:
    arrays = (crystal.lattice, crystal.numbers, crystal.frac_coords)
    key = b"".join(array.tobytes() for array in arrays) + potential.version.encode()
    if key not in _STATES:
        _STATES[key] = compute(crystal, potential)
    return _STATES[key]
