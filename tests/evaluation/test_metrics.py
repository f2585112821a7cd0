import numpy as np
import pytest

from ionvolt.evaluation.metrics import metrics


def test_by_hand() -> None:
    found = metrics([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.0, 5.0])
    assert found.n == 4
    assert found.mae == pytest.approx((0.5 + 0 + 1 + 1) / 4)
    assert found.rmse == pytest.approx(((0.25 + 0 + 1 + 1) / 4) ** 0.5)
    assert found.bias == pytest.approx((0.5 + 0 - 1 + 1) / 4)
    assert found.r2 == pytest.approx(1 - 2.25 / 5)


def test_median_and_shares() -> None:
    found = metrics([1.0, 2.0, 3.0, 4.0, 5.0], [1.05, 2.1, 2.7, 4.31, 7.0])
    assert found.median == pytest.approx(0.3)
    assert (found.within_01, found.within_03) == (2 / 5, 3 / 5)


def test_sign_of_the_bias() -> None:
    assert metrics([1, 2], [2, 3]).bias == 1
    assert metrics([1, 2], [0, 1]).bias == -1


def test_without_error() -> None:
    found = metrics([1, 2, 3], [1, 2, 3])
    assert (found.mae, found.mae_low, found.mae_high, found.rmse, found.bias, found.r2) == (0, 0, 0, 0, 0, 1)


def test_the_mean_predictor_has_no_r2_and_equal_targets_have_none() -> None:
    assert metrics([1, 2, 3], [2, 2, 2]).r2 == 0
    assert np.isnan(metrics([2, 2], [1, 3]).r2)


def test_one_row() -> None:
    found = metrics([1.0], [1.3])
    assert found.n == 1
    assert found.mae == found.mae_low == found.mae_high == pytest.approx(0.3)


def some(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.normal(3, 1, n)
    return target, target + rng.normal(0, 0.4, n)


def test_interval_contains_the_error_and_shrinks_with_n() -> None:
    widths = []
    for n in (20, 80, 320, 1280):
        found = metrics(*some(n))
        assert found.mae_low < found.mae < found.mae_high
        widths.append(found.mae_high - found.mae_low)
    assert widths == sorted(widths, reverse=True)
    assert widths[3] == pytest.approx(widths[1] / 4, rel=0.35)


def test_interval_is_that_of_the_normal_approximation() -> None:
    target, predicted = some(400)
    error = np.abs(predicted - target)
    found = metrics(target, predicted, n_bootstrap=4000)
    half = 1.96 * error.std() / 400**0.5
    assert found.mae_low == pytest.approx(error.mean() - half, abs=0.1 * half)
    assert found.mae_high == pytest.approx(error.mean() + half, abs=0.1 * half)


def test_interval_covers_the_truth_some_95_times_in_100() -> None:
    true = 0.4 * (2 / np.pi) ** 0.5
    covered = [m.mae_low < true < m.mae_high for m in (metrics(*some(60, s), n_bootstrap=300) for s in range(200))]
    assert 0.87 <= np.mean(covered) <= 0.99


def test_one_seed_one_interval() -> None:
    assert metrics(*some(30)) == metrics(*some(30))
    assert metrics(*some(30), seed=1).mae_low != metrics(*some(30)).mae_low
    assert metrics(*some(30), seed=1).mae == metrics(*some(30)).mae


def test_an_electrode_of_several_splits_counts_once() -> None:
    target, predicted = some(25)
    alone = metrics(target, predicted)
    names = np.array([f"mp-{i}" for i in range(25)])
    repeated = metrics(np.tile(target, 4), np.tile(predicted, 4), np.tile(names, 4), n_bootstrap=4000)
    assert repeated.n == 25
    assert repeated.mae == pytest.approx(alone.mae)
    assert repeated.rmse == pytest.approx(alone.rmse)
    # Said four times, it is no surer; taken for 100 rows, it would seem twice as sure.
    width = repeated.mae_high - repeated.mae_low
    assert width == pytest.approx(alone.mae_high - alone.mae_low, rel=0.15)
    ungrouped = metrics(np.tile(target, 4), np.tile(predicted, 4))
    assert ungrouped.mae_high - ungrouped.mae_low < 0.65 * width


def test_groups_of_unequal_size_keep_their_weight() -> None:
    target, predicted = np.zeros(5), np.array([1.0, 1.0, 1.0, 1.0, 6.0])
    found = metrics(target, predicted, ["a", "a", "a", "a", "b"])
    assert found.n == 2
    assert found.mae == pytest.approx(2.0)
    assert found.mae_low == pytest.approx(1.0)
    assert found.mae_high == pytest.approx(6.0)


def test_one_group_for_each_row_is_no_group_at_all() -> None:
    target, predicted = some(12)
    assert metrics(target, predicted, np.arange(12)) == metrics(target, predicted)
    assert metrics(target, predicted, range(100, 112)) == metrics(target, predicted)


@pytest.mark.parametrize(
    ("target", "predicted"), [([], []), ([1, 2], [1]), (1.0, 1.0), ([[1, 2]], [[1, 2]]), ([1, 2], [[1, 2]])]
)
def test_what_is_not_two_equal_vectors_is_refused(target: object, predicted: object) -> None:
    with pytest.raises(ValueError, match="equal, non-empty vectors"):
        metrics(target, predicted)  # type: ignore[arg-type]


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        metrics([1, 2, 3], [1, 2, 3], ["a", "b"])
