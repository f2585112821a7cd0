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


HERE = Path(__file__).parent
LONGEST_FIRST = (
    "web/page/test_jobs.py", "web/page/test_result.py", "web/page/test_looks.py", "web/page/test_crystal.py",
    "reproduction/test_reproduce.py", "cli/test_interrupt.py", "physics/test_potential_contract.py",
    "cli/test_shipped.py", "cli/test_predict.py", "models/test_contract.py", "web/test_jobs.py",
    "screening/test_faults.py", "experiment/test_validate.py", "docs/test_blocks.py", "physics/test_equivariant.py",
    "web/test_schema.py", "designing/test_design.py", "screening/test_command.py", "web/test_api.py",
    "models/test_published.py", "datasets/test_import_any_input.py", "cli/test_training.py",
    "web/test_materials_project.py", "physics/test_lean_import.py", "cli/test_exit_codes.py",
    "physics/test_electrodes.py", "cli/test_order.py", "cli/test_explain.py", "models/test_classical.py",
    "physics/test_user_potentials.py", "cli/test_terminal.py", "models/test_potential_models.py",
)  # fmt: skip
"""Files of the tests that take ten seconds and more."""


def pytest_configure(config: pytest.Config) -> None:
    # Without this, xdist hands out files with few tests last, and those take longest.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, so that no process is left with one while the others have nothing to do."""
    places = {HERE / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
