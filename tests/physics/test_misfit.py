"""Ions in places that were made for others, and intervals that widen with strain."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import disulfide, layered, olivine, spinel
from ionvolt.models.interface import Estimate, widen
from ionvolt.physics.equilibrium import (
    MAX_ION_FORCE,
    MIN_PRESSURE,
    USUAL_STRAIN,
    WIDENING,
    Equilibrium,
    added_half_width,
)
from ionvolt.prediction import widened
from ionvolt.structures.bond_valence import USUAL, misfit, valence_sums
from ionvolt.structures.crystal import ATOMIC_NUMBERS, Crystal


def swapped(crystal: Crystal, one: str, other: str) -> Crystal:
    numbers = np.where(crystal.numbers == ATOMIC_NUMBERS[one], ATOMIC_NUMBERS[other], crystal.numbers)
    return replace(crystal, numbers=numbers)


HOMES = [(olivine(), "Li", 1), (layered(), "Li", 1), (disulfide(), "Li", 1), (spinel("Li", 8.25), "Li", 1)]


@pytest.mark.parametrize(("crystal", "ion", "charge"), HOMES)
def test_ions_at_home_fit_and_others_do_not(crystal: Crystal, ion: str, charge: int) -> None:
    assert misfit(crystal, ion, charge) is None
    for other in ("Na", "K"):
        found = misfit(swapped(crystal, ion, other), other, 1)
        assert found is not None
        assert "too little room" in found
    wide = Crystal(crystal.lattice * 1.25, crystal.numbers, crystal.frac_coords)
    assert "too much room" in (misfit(wide, ion, charge) or "")


def test_bond_valences_are_those_of_the_formula() -> None:
    """Rock salt MgO: six bonds of 2.106 Å; magnesium has a valence of about 2 (O'Keeffe and Brese)."""
    places = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystal = Crystal(np.eye(3) * 4.212, np.array([12] * 4 + [8] * 4), np.vstack([places, places + 0.5]))
    assert valence_sums(crystal, "Mg") == pytest.approx(np.full(4, 1.9), abs=0.3)
    doubled = Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell((2, 1, 1)))
    assert valence_sums(doubled, "Mg").mean() == pytest.approx(valence_sums(crystal, "Mg").mean())


def test_alloys_and_other_ions_are_not_judged() -> None:
    assert misfit(olivine(), "Mg", 2) is None
    alloy = Crystal(np.eye(3) * 3.5, np.array([3, 13]), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert misfit(alloy, "Li", 1) is None
    assert all(low < high for low, high in USUAL.values())


def state(force: float = 0.1, pressure: float = 1.0, ion_force: float = 0.05) -> Equilibrium:
    return Equilibrium(force, pressure, abs(pressure), ion_force)


def test_each_limit_leads_out_of_rest() -> None:
    assert state().relaxed
    for bent in (
        state(force=3.1),
        state(pressure=15.5),
        state(pressure=MIN_PRESSURE - 0.1),
        state(ion_force=MAX_ION_FORCE + 0.01),
        state(force=float("nan")),
    ):
        assert not bent.relaxed
        assert bent.strain > 1
    assert "mobile ions" in state(ion_force=0.9).doubt("x")
    assert "limit -5" in state(pressure=-9.0).doubt("x")


def test_intervals_grow_with_strain() -> None:
    assert added_half_width([USUAL_STRAIN], "discharged") == 0.0
    grown = [added_half_width([strain], "discharged") for strain in (0.5, 0.8, 1.0)]
    assert grown == sorted(grown)
    assert grown[-1] == pytest.approx(WIDENING["discharged"] * (1 - USUAL_STRAIN))
    both = added_half_width([0.8, 0.8], "both")
    assert both == pytest.approx(2**0.5 * added_half_width([0.8, 0.1], "both"))
    lower, upper, note = widen(3.0, 3.6, 0.4, 0.9)
    assert (lower, upper) == (pytest.approx(2.8), pytest.approx(3.8))
    assert note is not None
    assert "±0.50 V instead of ±0.30 V" in note


def test_an_answer_keeps_its_voltage_when_it_widens() -> None:
    answer = Estimate(3.3, 0.2, 3.0, 3.6, in_domain=True)
    same, words = widened(answer, (0.1,), "discharged")
    assert (same, words) == (answer, ())
    wider, words = widened(answer, (0.9,), "discharged")
    assert wider.voltage == answer.voltage
    assert wider.lower is not None
    assert wider.lower < 3.0
    assert wider.std == pytest.approx((3.3 - wider.lower) / 1.645)
    assert len(words) == 1
    assert widened(replace(answer, lower=None, upper=None), (0.9,), "both")[1] == ()
