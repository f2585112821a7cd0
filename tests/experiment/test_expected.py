"""Leave-one-framework-out of the measured-voltage models, and the calculated voltages that they rest on."""

import numpy as np
import pytest

from ionvolt.experiment import expected
from ionvolt.experiment.cathodes import all_cathodes, host_structures
from ionvolt.experiment.expected import (
    CALCULATED,
    EXPECTED,
    expected_estimates,
    fit_measured,
    leave_one_framework_out,
    points,
    training_points,
)
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.measured.chemistry import chemistry_of
from ionvolt.models.measured.estimate import FOLDERS, load_measured

pytestmark = pytest.mark.slow


def test_calculated_voltages_belong_to_rows_of_the_table():
    names = [(p.cathode.name, p.part) for p in points()]
    assert len(set(names)) == len(names)
    for way in FOLDERS:
        for point in points(way):
            assert (point.electrode.gap is None) == (way != "ends with r2SCAN")
            assert (point.electrode.std == 0) == way.startswith("ends")
            assert -0.5 < point.electrode.calculated < 6


@pytest.mark.parametrize(
    "point", [p for p in points() if p.cathode.structure and not p.part], ids=lambda p: p.cathode.name
)
def test_classes_are_those_of_the_typed_structures(point):
    cathode = point.cathode
    host = host_structures()[cathode.structure].crystal(primitive=True)
    if not cathode.charged:
        host = remove_ion(host, working_ion(cathode.ion))
    found = chemistry_of(host, cathode.ion)
    kept = point.electrode.chemistry
    assert (found.anion, found.layered, found.fully_extracted) == (kept.anion, kept.layered, kept.fully_extracted)
    assert found.centres == pytest.approx(kept.centres, abs=1e-3)


def test_rows_that_were_kept_back_train_nothing():
    for way in FOLDERS:
        assert not any(p.cathode.kept_back for p in training_points(way))
        names = load_measured(way).card.training["cathodes"]
        assert not {c.name for c in all_cathodes() if c.kept_back} & set(names)
        assert set(names) == {p.cathode.name for p in training_points(way) if not p.part}


@pytest.mark.parametrize("way", list(FOLDERS))
def test_the_shipped_model_is_the_fit_of_the_table(way):
    model, chosen = fit_measured(training_points(way))
    shipped = load_measured(way)
    assert chosen == shipped.card.training["chosen"]
    np.testing.assert_allclose(model.regression.weights, shipped.regression.weights, atol=1e-6)
    assert (model.quantile, model.far) == pytest.approx((shipped.quantile, shipped.far))


def test_no_model_has_seen_the_framework_that_it_is_judged_on(monkeypatch):
    seen = []
    real = fit_measured

    def watched(training):
        seen.append(training)
        return real(training)

    monkeypatch.setattr(expected, "fit_measured", watched)
    judged = [p for p in training_points() if p.framework in ("TiS2", "FePO4")]
    leave_one_framework_out(judged, training_points())
    left = [{p.framework for p in training_points()} - {p.framework for p in training} for training in seen]
    assert sorted(map(sorted, left)) == [["FePO4"], ["TiS2"]]


def test_a_wrong_measurement_does_not_move_its_own_answer():
    training = training_points()
    olivine = next(p for p in training if p.cathode.name == "Li in FePO4 (olivine)")
    others = [p for p in training if p.framework != olivine.framework]
    assert leave_one_framework_out([olivine], training) == leave_one_framework_out([olivine], others)


def test_what_validate_shows():
    rows = [c for c in all_cathodes() if c.name in ("Li in FePO4 (olivine)", "Mg in Ti2S4 (thiospinel)")]
    found = {(e.model, e.cathode): e for e in expected_estimates(rows)}
    assert {model for model, _ in found} == {CALCULATED, *(name for name, _ in EXPECTED.values())}
    for row in rows:
        widths = []
        for name, _ in EXPECTED.values():
            answer = found[name, row.name]
            assert answer.lower < answer.voltage < answer.upper
            assert abs(answer.voltage - row.voltage) < 0.6
            widths.append(answer.upper - answer.lower)
        assert widths[-1] == max(widths)  # the host alone says least
