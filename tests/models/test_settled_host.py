"""Hosts that are made by taking the ion out, as the models see them."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import bent, disulfide, olivine
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.settled_host import settled_host
from ionvolt.physics import settling
from ionvolt.physics.optimisers import computed
from ionvolt.physics.potentials.sevennet import load_sevennet
from ionvolt.physics.settling import STEPS, settle
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow

LI = WORKING_IONS["Li"]


def gained(host: Crystal, settled: Crystal) -> float:
    """By how much the energy has fallen, eV."""
    before, after = load_sevennet().evaluate([host, settled])
    return before.energy - after.energy


def test_a_relaxed_crystal_gives_a_host_that_takes_all_steps() -> None:
    discharged = settle(olivine(), load_sevennet(), 12)
    host = remove_ion(discharged, LI)
    found, plain = settled_host(host, discharged), settle(host, load_sevennet(), STEPS)
    assert found.lattice == pytest.approx(plain.lattice)
    assert found.frac_coords == pytest.approx(plain.frac_coords)
    assert gained(host, found) > 0.1


def test_what_was_not_at_rest_before_the_ion_left_gains_little() -> None:
    """The voltage would fall by as much as the energy of the charged end alone."""
    straight = remove_ion(olivine(), LI)
    own = gained(straight, settled_host(straight, olivine()))
    discharged = bent(olivine(), 0.02)
    host = remove_ion(discharged, LI)
    plain = gained(host, settle(host, load_sevennet(), STEPS))
    assert abs(gained(host, settled_host(host, discharged)) - own) < 0.5 * (plain - own)
    discharged = bent(olivine(), 0.15)
    host = remove_ion(discharged, LI)
    assert gained(host, settle(host, load_sevennet(), STEPS)) > 10
    assert settled_host(host, discharged) is host


def test_the_host_moves_without_a_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    discharged = bent(olivine(), 0.03)
    host = remove_ion(discharged, LI)
    largest = float(computed(discharged, load_sevennet())[0].max_force)
    for name, limits in (("AT_REST", (0.5, 1.0)), ("MAX_FORCE", (1.0, 2.0))):
        for limit in limits:
            with monkeypatch.context() as patch:
                volumes = []
                for share in (0.999, 1.001):
                    patch.setattr(settling, name, limit * share * largest)
                    volumes.append(settled_host(host, discharged).volume)
            assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)
    monkeypatch.setattr(settling, "MAX_FORCE", 0.49 * largest)
    assert settled_host(host, discharged) is host


def test_some_ions_may_stay() -> None:
    discharged = olivine()
    places = np.flatnonzero(discharged.numbers == LI.number)[1:]
    keep = np.setdiff1d(np.arange(len(discharged)), places)
    host = replace(discharged, numbers=discharged.numbers[keep], frac_coords=discharged.frac_coords[keep])
    found = settled_host(host, discharged)
    assert (found.numbers == host.numbers).all()
    assert found.lattice != pytest.approx(host.lattice)


def test_another_crystals_host_is_refused() -> None:
    with pytest.raises(ValueError, match="not made of"):
        settled_host(remove_ion(olivine(), LI), disulfide())
