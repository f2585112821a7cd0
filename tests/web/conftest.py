"""One server for all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ionvolt.web.settings import Settings
from web.serving import Served, serving, stand_in


@pytest.fixture(scope="session")
def stand_in_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights: the tests of the server need no good one."""
    return stand_in(tmp_path_factory.mktemp("models") / "stand-in")


@pytest.fixture(scope="session")
def server(stand_in_model: Path) -> Iterator[Served]:
    settings = Settings(models={"stand-in": stand_in_model}, workers=2, body_seconds=2.0, task_seconds=5.0)
    with serving(settings) as served:
        yield served
