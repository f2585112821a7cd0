"""A crystal whose only disorder is the filling of the working ion's sites is answered emptied."""

import pytest

from ionvolt.errors import InputError
from ionvolt.models.interface import with_interval
from ionvolt.prediction import predict, predict_many
from ordering.cells import NMC811, P2_BRONZE


class Echo:
    """A model that answers 1 V and keeps what it was asked."""

    card = None
    ions = ("Li", "Na", "Mg")

    def __init__(self) -> None:
        self.asked = []

    def require(self, ions):
        pass

    def estimate(self, queries):
        self.asked += queries
        return [with_interval(1.0, 0.2, 0.05, (), "echo") for _ in queries]


def test_it_is_emptied_and_as_much_goes_in():
    model = Echo()
    answer = predict(P2_BRONZE, "Na", model=model)
    (query,) = model.asked
    assert query.discharged is None
    assert query.host.composition == {"Mn": 2, "O": 4}
    assert query.n_ions == pytest.approx(1.34)
    # 0.67 electrons for Na0.67MnO2.
    assert answer.capacity_grav == pytest.approx(0.67 * 96485.33 / 3.6 / (0.67 * 22.990 + 54.938 + 31.998), rel=1e-3)
    assert not answer.capacity_is_estimate
    assert any("Na fills 1.34 of 4 sites of a cell" in word for word in answer.warnings)


def test_many_answer_it_in_its_place():
    answers = predict_many([NMC811, P2_BRONZE], ["Na", "Mg"], model=Echo())
    assert [isinstance(one, InputError) for one in answers] == [True, True, False, True]
    assert "disordered" in answers[3].rule  # for Mg, the sodium is the host's own disorder


@pytest.mark.parametrize("more", [{"assume": "charged"}, {"discharged_formula": "NaMnO2"}, {"charged_formula": "0.5"}])
def test_options_that_ask_for_more_are_not_ignored(more):
    with pytest.raises(InputError, match="the structure is disordered"):
        predict(P2_BRONZE, "Na", model=Echo(), **more)
