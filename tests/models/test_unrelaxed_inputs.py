"""Structures that are not relaxed leave the domain, and what no electrode shows leaves no number."""

from types import SimpleNamespace

import numpy as np
import pytest

from crystals import layered, olivine
from ionvolt.computation import compute
from ionvolt.computation.correction import expected
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.registry import load_model
from ionvolt.physics.average import compute as average_of
from ionvolt.physics.cache import Cache
from ionvolt.physics.equilibrium import MAX_FORCE, equilibrium
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.prediction import Prediction, predict, predict_checked, predict_many
from ionvolt.structures.crystal import Crystal
from ionvolt.web.predictions import _checked
from ionvolt.web.worker import relaxation

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


@pytest.mark.parametrize("given", ["charged", "discharged", "both", "both, out of the domain"])
def test_what_a_cell_will_show_is_less_sure_by_as_much_as_the_calculated_voltage(given: str) -> None:
    squeezed, lithium = scaled(olivine(), 0.99), WORKING_IONS["Li"]
    outside = "out" in given
    asked = {"charged": remove_ion(squeezed, lithium), "discharged": squeezed, "both": olivine()}.get(given)
    asked = scaled(olivine(), 0.98) if asked is None else asked
    options = {"charged": remove_ion(olivine() if outside else squeezed, lithium)} if "both" in given else {}
    model = load_model("auto")
    before, after = (
        predict_checked([asked], "Li", model=model, check_relaxation=checked, **options)[0] for checked in (False, True)
    )
    assert before.end_members == given.partition(",")[0]
    assert before.in_domain is not outside
    assert before.voltage_lower is not None
    extra = half_width(after)[0] ** 2 - half_width(before)[0] ** 2
    assert extra > 0.01
    assert half_width(after)[1] ** 2 - half_width(before)[1] ** 2 == pytest.approx(extra, rel=1e-6)
    assert after.voltage_measured == before.voltage_measured
    # The page asks for both apart, and comes to the same.
    workshop = SimpleNamespace(crystal=lambda task: asked, charged=lambda task: options.get("charged"))
    found = relaxation({}, workshop)
    page = _checked(before.to_dict(), found["doubts"], found["added"])
    for name in ("voltage_lower", "voltage_upper", "voltage_measured_lower", "voltage_measured_upper", "in_domain"):
        assert page[name] == pytest.approx(getattr(after, name))


def half_width(found: Prediction) -> tuple[float, float]:
    """Of the calculated voltage's interval, and of that of a cell, V."""
    return (
        (found.voltage_upper - found.voltage_lower) / 2,
        (found.voltage_measured_upper - found.voltage_measured_lower) / 2,
    )


def test_computed_from_given_ends_a_cell_is_as_unsure_too() -> None:
    squeezed = remove_ion(scaled(olivine(), 0.99), WORKING_IONS["Li"])
    found = compute(olivine(), "Li", charged=squeezed)
    average = average_of(olivine(), squeezed, WORKING_IONS["Li"], load_potentials(), Cache(None))
    without = expected(average, "both", Cache(None))
    assert without is not None
    assert found.voltage_measured == pytest.approx(without.voltage, abs=1e-5)
    assert half_width(found)[1] > (without.upper - without.lower) / 2 + 0.05


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
