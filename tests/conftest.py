"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the published data sets, which are not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("IONVOLT_SHARED_DATA", beside))
    if not path.is_dir():
        pytest.skip(f"the data sets are not in {path} (set IONVOLT_SHARED_DATA to use another folder)")
    return path
