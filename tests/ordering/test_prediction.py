"""One voltage of many orderings."""

import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.models.interface import NORMAL_90, with_interval
from ionvolt.ordered_prediction import ordering_spread, predict_orderings
from ionvolt.ordering import Ordering, Orderings
from ionvolt.structures import Crystal

pytestmark = pytest.mark.slow


class Stub:
    """A model that answers with the length of the cell's first vector, in V, ± 0.2."""

    card = None
    ions = ("Li", "Na")

    def require(self, ions):
        pass

    def estimate(self, queries):
        answers = []
        for query in queries:
            volts = float(query.host.lattice[0, 0])
            if volts > 9:
                raise InputError(query.host.source, "too long", "Shorten it")
            answers.append(with_interval(volts, 0.2, 0.05, ("far",) if volts > 5 else (), "stub", volts + 0.1))
        return answers


def orderings(*volts_and_weights: tuple[float, float], charges=None) -> Orderings:
    found = tuple(
        Ordering(
            Crystal(np.diag([v, 4.0, 4.0]), np.array([3, 27, 8, 8]), np.eye(4)[:, :3] / 2, "x.cif", ("rounded",)),
            -1.0, 0.0, weight, 1,
        )
        for v, weight in volts_and_weights
    )  # fmt: skip
    return Orderings("x.cif", found, 1000.0, 4, 17, True, {"Li": 1.0} if charges is None else charges, ("rounded",))


@pytest.fixture(autouse=True)
def as_if_relaxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells here stand for orderings; whether they are relaxed is tested elsewhere."""
    monkeypatch.setattr("ionvolt.prediction.answers.relaxation_doubts", lambda crystals, states: ())
    monkeypatch.setattr("ionvolt.prediction.answers.strains", lambda crystals, states: (0.0,))
    monkeypatch.setattr("ionvolt.reading._misfit", lambda crystal, ion: ())


def test_the_mean_is_weighted_and_the_spread_widens_the_interval():
    (answer,) = predict_orderings(orderings((3.0, 0.75), (4.0, 0.25)), ["Li"], model=Stub())
    assert answer.voltage == pytest.approx(3.25)
    assert answer.voltage_potential == pytest.approx(3.35)
    assert answer.spread == pytest.approx(0.5)  # all alike, more than weighted
    assert (answer.voltage_upper - answer.voltage_lower) / 2 == pytest.approx(np.hypot(0.2, NORMAL_90 * 0.5))
    assert answer.voltage_std == pytest.approx(np.hypot(0.2 / NORMAL_90, 0.5))
    assert answer.energy_grav == pytest.approx(3.25 * answer.capacity_grav)
    assert (answer.formula, answer.working_ion, answer.source) == ("LiCoO2", "Li", "x.cif")
    assert answer.in_domain is True
    assert "rounded" in answer.warnings
    assert any("the mean of 2 orderings, which spread by 0.50 V (of 17 distinct, all" in w for w in answer.warnings)
    assert answer.to_dict()["weights"] == [0.75, 0.25]


def test_one_ordering_is_answered_as_it_is():
    (answer,) = predict_orderings(orderings((3.0, 1.0), charges={}), ["Li"], model=Stub())
    assert answer.voltage == 3.0
    assert answer.spread == 0.0
    assert answer.voltage_upper == pytest.approx(3.2)
    assert not any("disordered" in word for word in answer.warnings)


def test_every_ion_has_an_answer():
    answers = predict_orderings(orderings((3.0, 1.0)), "Li,Na", model=Stub())
    assert [one.working_ion for one in answers] == ["Li", "Na"]


def test_what_cannot_be_answered_is_left_out_and_told():
    (answer,) = predict_orderings(orderings((9.5, 0.5), (3.0, 0.3), (4.0, 0.2)), ["Li"], model=Stub())
    assert answer.voltage == pytest.approx(3.4)
    assert answer.weights == pytest.approx((0.6, 0.4))
    assert "1 orderings could not be answered and are left out" in answer.warnings
    with pytest.raises(InputError, match="too long"):
        predict_orderings(orderings((9.5, 1.0)), ["Li"], model=Stub())


def test_an_ordering_of_little_weight_does_not_leave_the_domain():
    def in_domain(weight: float) -> bool | None:
        return predict_orderings(orderings((3.0, 1 - weight), (6.0, weight)), ["Li"], model=Stub())[0].in_domain

    assert in_domain(0.01) is True
    assert in_domain(0.2) is False


def test_spread():
    assert ordering_spread(np.array([1.0, 1.0]), np.array([0.5, 0.5])) == 0
    assert ordering_spread(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 0.5
    assert ordering_spread(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.25, 0.0, 0.25, 0.5])) == 0.5
