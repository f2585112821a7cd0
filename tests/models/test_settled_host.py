"""Hosts that are made by taking the ion out, as the models see them."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import bent, disulfide, olivine
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.mlip.settled_host import settled_ends
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
    found, plain = settled_ends(host, discharged)[1], settle(host, load_sevennet(), STEPS)
    assert found.lattice == pytest.approx(plain.lattice)
    assert found.frac_coords == pytest.approx(plain.frac_coords)
    assert gained(host, found) > 0.1


def test_what_was_not_at_rest_before_the_ion_left_gains_little() -> None:
    """The voltage would fall by as much as the energy of the charged end alone."""
    straight = remove_ion(olivine(), LI)
    own = gained(straight, settled_ends(straight, olivine())[1])
    discharged = bent(olivine(), 0.012)
    host = remove_ion(discharged, LI)
    plain = gained(host, settle(host, load_sevennet(), STEPS))
    assert abs(gained(host, settled_ends(host, discharged)[1]) - own) < 0.7 * (plain - own)


def test_what_is_not_relaxed_is_settled_before_the_ion_leaves() -> None:
    discharged = bent(olivine(), 0.15)
    full, left = settled_ends(remove_ion(discharged, LI), discharged)
    given, at_rest = (load_sevennet().evaluate([crystal])[0].energy for crystal in (discharged, olivine()))
    assert given > at_rest + 10
    assert load_sevennet().evaluate([full])[0].energy < at_rest + 1
    straight = load_sevennet().evaluate(settled_ends(remove_ion(olivine(), LI), olivine()))
    found = load_sevennet().evaluate([full, left])
    assert found[1].energy - found[0].energy == pytest.approx(straight[1].energy - straight[0].energy, abs=1.0)


def test_the_host_moves_without_a_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    discharged = bent(olivine(), 0.03)
    host = remove_ion(discharged, LI)
    largest = float(computed(discharged, load_sevennet())[0].max_force)
    for name, limits in (("AT_REST", (0.5, 1.0)), ("MAX_FORCE", (1.0, 1.5, 2.0))):
        for limit in limits:
            with monkeypatch.context() as patch:
                volumes = []
                for share in (0.999, 1.001):
                    patch.setattr(settling, name, limit * share * largest)
                    volumes.append(settled_ends(host, discharged)[1].volume)
            assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)


def test_some_ions_may_stay() -> None:
    discharged = olivine()
    places = np.flatnonzero(discharged.numbers == LI.number)[1:]
    keep = np.setdiff1d(np.arange(len(discharged)), places)
    host = replace(discharged, numbers=discharged.numbers[keep], frac_coords=discharged.frac_coords[keep])
    found = settled_ends(host, discharged)[1]
    assert (found.numbers == host.numbers).all()
    assert found.lattice != pytest.approx(host.lattice)


def test_another_crystals_host_is_refused() -> None:
    with pytest.raises(ValueError, match="not made of"):
        settled_ends(remove_ion(olivine(), LI), disulfide())
