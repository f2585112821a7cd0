"""Structures that are not relaxed leave the domain, and what no electrode shows leaves no number."""

import numpy as np
import pytest

from crystals import layered, olivine
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.physics.equilibrium import MAX_FORCE, equilibrium
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.prediction import predict, predict_many
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow


def scaled(crystal: Crystal, factor: float) -> Crystal:
    return Crystal(crystal.lattice * factor, crystal.numbers, crystal.frac_coords, f"x {factor}")


def test_pressure_and_force_have_their_signs() -> None:
    potential = load_chgnet()
    rest, small, large = (equilibrium(scaled(layered(), f), potential) for f in (1.0, 0.95, 1.05))
    assert rest.relaxed
    assert small.pressure > rest.pressure + 10, "a squeezed cell wants to grow"
    assert large.pressure < rest.pressure - 5
    moved = layered().frac_coords.copy()
    moved[0] += 0.08
    crystal = layered()
    assert equilibrium(Crystal(crystal.lattice, crystal.numbers, moved), potential).max_force > MAX_FORCE


def test_the_limits_hold_for_another_cell_and_orientation() -> None:
    potential, one = load_chgnet(), scaled(layered(), 0.95)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = Crystal(one.lattice @ turn, one.numbers, one.frac_coords)
    doubled = Crystal.from_pymatgen(one.to_pymatgen().make_supercell((2, 1, 1)))
    expected = equilibrium(one, potential)
    for other in (turned, doubled):
        found = equilibrium(other, potential)
        assert found.pressure == pytest.approx(expected.pressure, abs=0.1)
        assert found.max_force == pytest.approx(expected.max_force, abs=0.01)


def test_an_unrelaxed_structure_is_not_in_the_domain() -> None:
    assert predict(olivine(), "Li").in_domain
    for wrong in (exchanged(olivine(), WORKING_IONS["K"]), scaled(olivine(), 0.95)):
        found = predict(wrong, "K" if "K" in wrong.composition else "Li")
        assert found.in_domain is False
        assert any("not relaxed" in warning for warning in found.warnings)


def test_what_no_electrode_shows_gives_no_number() -> None:
    with pytest.raises(InputError):
        predict(scaled(olivine(), 0.6), "Li")


def test_relaxing_or_exchanging_first_mends_it() -> None:
    """NaFePO4 was measured at 2.8 V."""
    found = predict(olivine(), "Na", exchange=True)
    assert found.in_domain
    assert found.voltage == pytest.approx(2.8, abs=0.35)


def test_one_bad_structure_does_not_end_a_list() -> None:
    found = predict_many([olivine(), "no/such/file.cif", layered()], "Li")
    assert [isinstance(one, InputError) for one in found] == [False, True, False]
    assert len(found.answered) == 2
    assert [row.get("error") is None for row in found.to_dicts()] == [True, False, True]
    frame = found.to_frame()
    assert list(frame["voltage"].notna()) == [True, False, True]
    assert "<script" not in found._repr_html_()


def test_full_extraction_is_told_and_energy_given_for_what_comes_out() -> None:
    found = predict(olivine(), "Li")
    assert found.full_extraction is not None
    assert found.energy_grav == pytest.approx(found.voltage * found.capacity_grav)
    assert found.energy_vol == pytest.approx(found.voltage * found.capacity_vol)
    assert 3.0 < found.capacity_vol / found.capacity_grav < 4.0, "the density of LiFePO4 is 3.6 g/cm³"
    half = predict(olivine(), "Li", charged_formula="0.5")
    assert half.capacity_grav == pytest.approx(found.capacity_grav / 2)
