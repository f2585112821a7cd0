import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionvolt.models.uncertainty.conformal import calibrate, conformal_quantile, fit_difficulty


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=200), st.sampled_from([0.5, 0.8, 0.9]))
def test_quantile_is_the_score_that_enough_others_stay_below(scores: list[float], level: float) -> None:
    found = conformal_quantile(np.array(scores), level)
    at_most = sum(score <= found for score in scores)
    assert found in scores
    assert at_most >= min(len(scores), np.ceil((len(scores) + 1) * level))
    assert sum(score < found for score in scores) < np.ceil((len(scores) + 1) * level)


def electrodes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors whose size grows with the first sign and differs between ions."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 3))
    ions = rng.choice([0, 1, 5], size=n, p=[0.7, 0.28, 0.02])
    return features, ions, rng.standard_t(3, n) * np.exp(0.8 * features[:, 0]) * np.where(ions == 1, 0.5, 0.2)


def test_coverage_holds_for_every_ion_and_widths_follow_the_difficulty() -> None:
    features, ions, errors = electrodes(4000, 1)
    conformal = calibrate(features, ions, errors)
    features, ions, errors = electrodes(20000, 2)
    widths = conformal.half_widths(features, ions)
    covered = np.abs(errors) <= widths
    assert covered.mean() == pytest.approx(0.9, abs=0.02)
    assert covered[ions == 0].mean() == pytest.approx(0.9, abs=0.03)
    assert covered[ions == 1].mean() == pytest.approx(0.9, abs=0.03)
    assert covered[ions == 5].mean() > 0.8, "some eighty calibration rows"
    assert np.corrcoef(np.log(widths[ions == 0]), features[ions == 0, 0])[0, 1] > 0.9
    plain = np.quantile(np.abs(errors), 0.9)
    assert widths.mean() < plain, "adapting makes intervals shorter on the whole"


def test_an_ion_that_was_never_seen_gets_the_common_quantile() -> None:
    features, ions, errors = electrodes(500, 3)
    conformal = calibrate(features, ions, errors)
    assert conformal.half_widths(features[:1], np.array([9]))[0] == pytest.approx(
        conformal.quantiles[-1] * conformal.difficulty(features[:1])[0]
    )


def test_difficulty_is_finite_far_outside() -> None:
    features, _, errors = electrodes(100, 4)
    difficulty = fit_difficulty(features, errors)
    assert np.isfinite(difficulty(np.full((1, 3), 1e9))).all()
    assert difficulty(np.full((1, 3), 1e9))[0] < 1e3
