"""The potential, loaded once, on one thread."""

from collections.abc import Iterator

import pytest
import torch

from ionvolt.physics import CHGNetPotential
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.pair import PotentialPair


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def potential() -> CHGNetPotential:
    return load_chgnet()


@pytest.fixture(scope="session")
def no_cache() -> Cache:
    return Cache(None)


@pytest.fixture
def potentials(potential: CHGNetPotential) -> PotentialPair:
    """CHGNet for both: quick enough for tests."""
    return PotentialPair(potential, potential)
