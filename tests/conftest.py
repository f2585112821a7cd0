"""Fixtures for all tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Processes of xdist have it, others not: commands would print narrower tables there.
os.environ.pop("COLUMNS", None)
# Where it is set, each command that a test starts would compile the whole package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


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
