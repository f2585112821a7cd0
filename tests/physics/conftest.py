"""The potential, loaded once, on one thread."""

import pytest

from ionvolt.physics import CHGNetPotential
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.pair import PotentialPair


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
