"""Cleaning rules."""

import numpy as np
import pytest

from datasets.builders import electrode
from ionvolt.datasets import RULES, ElectrodeSet, clean
from ionvolt.errors import DataError


def with_voltages(**of_ion: list[float]) -> ElectrodeSet:
    return ElectrodeSet(
        [electrode(f"{ion}{i}", ion, v) for ion, values in of_ion.items() for i, v in enumerate(values)], {"kept": 1}
    )


# 20 times 0 and one x: mean x/21, standard deviation 0.213 x, so that x lies 4.5 deviations out.
SPIKE = [*([0.0] * 20), 5.0]
# -1 and 1 with a 1.9: 1.9 lies between 1.5 and 2 deviations out.
BETWEEN = [*([-1.0, 1.0] * 10), 1.9]


def test_two_deviations_of_each_ion():
    data = with_voltages(Li=SPIKE, Na=SPIKE, K=SPIKE, Mg=[5.0] * 3)
    left, removed = clean(data, ["2sigma"])
    assert removed == {"2sigma": 3}
    assert left.voltages.tolist() == [0.0] * 60 + [5.0] * 3


def test_as_in_the_paper():
    data = with_voltages(Li=SPIKE, Na=BETWEEN, K=SPIKE, Ca=BETWEEN)
    left, removed = clean(data, ["paper"])
    assert removed == {"paper": 2}
    assert [left.for_ion(ion).voltages.max() for ion in ("Li", "Na", "K", "Ca")] == [0.0, 1.0, 5.0, 1.9]


@pytest.mark.parametrize(("rule", "kept"), [("abs7", [-6.9, 0.0, 0.1, 6.9]), ("positive", [0.1, 6.9, 7.0, 12.0])])
def test_bounds(rule, kept):
    left, removed = clean(with_voltages(Li=[-7.0, -6.9, 0.0, 0.1, 6.9, 7.0, 12.0]), [rule])
    assert left.voltages.tolist() == kept
    assert removed == {rule: 3}


def test_once_for_each_host_and_ion():
    data = ElectrodeSet(
        [
            electrode("a", "Mg", 1.0, id_charge="x"),
            electrode("b", "Mg", 2.0, id_charge="x"),
            electrode("c", "Ca", 3.0, id_charge="x"),
            electrode("d", "Mg", 4.0, id_charge="x", snapshot="other"),
        ]
    )
    left, removed = clean(data, ["dedupe"])
    assert left.voltages.tolist() == [1.0, 3.0, 4.0]
    assert removed == {"dedupe": 1}


def test_one_after_another_and_on_record():
    data = with_voltages(Li=[-1.0, 3.0, 3.1, 9.0])
    left, removed = clean(data, ["positive", "abs7"])
    assert removed == {"positive": 1, "abs7": 1}
    twice, _ = clean(left, ["positive"])
    assert twice.provenance["cleaning"] == [
        {"rule": "positive", "removed": 1},
        {"rule": "abs7", "removed": 1},
        {"rule": "positive", "removed": 0},
    ]
    assert twice.provenance["kept"] == 1
    assert "cleaning" not in data.provenance


def test_the_same_rule_twice_is_counted_twice():
    data = with_voltages(Li=[*([0.0] * 50), 3.0, 20.0])
    left, removed = clean(data, ["2sigma", "2sigma"])
    assert removed == {"2sigma": 2}
    assert len(left) == 50


def test_no_rule_changes_nothing():
    data = with_voltages(Li=SPIKE)
    left, removed = clean(data, [])
    assert left is data
    assert removed == {}


def test_unknown_rule():
    with pytest.raises(DataError, match=r"3sigma: no such cleaning rule\. Choose from 2sigma, paper, abs7"):
        clean(with_voltages(Li=SPIKE), ["positive", "3sigma"])


def test_a_rule_that_leaves_nothing():
    with pytest.raises(DataError, match="positive: this cleaning rule leaves none of 2"):
        clean(with_voltages(Li=[-1.0, -2.0]), ["positive"])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_takes_one_row_and_no_row(rule):
    assert len(clean(with_voltages(Li=[1.0]), [rule])[0]) == 1
    assert len(clean(ElectrodeSet([]), [rule])[0]) == 0
    assert RULES[rule].words


def test_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    data = with_voltages(Li=rng.normal(3, 1, 200).tolist(), Na=rng.normal(2, 1, 100).tolist())
    shuffled = data[rng.permutation(len(data))]
    for rule in RULES:
        assert set(clean(data, [rule])[0].keys) == set(clean(shuffled, [rule])[0].keys)
