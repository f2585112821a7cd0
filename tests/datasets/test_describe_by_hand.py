"""Numbers of a set small enough to count by hand."""

import json

import pytest

from crystals import rock_salt
from datasets.rows import HOST, electrode, electrode_set
from ionvolt.datasets.describe import describe
from ionvolt.structures.crystal import Crystal


@pytest.fixture
def facts():
    large = Crystal(HOST.lattice * 2, [12, 8, 12, 8], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0.5]])
    data = electrode_set(
        [
            electrode(0, "Li", 1.0, "MgO", id_charge="a", num_steps=1),
            electrode(1, "Li", -3.0, "MgO", id_charge="a", num_steps=2, discharged=rock_salt("Li")),
            electrode(2, "Li", 4.0, "V2O5", id_charge="b", host=large),
            electrode(3, "Mg", 2.0, "V2O5", id_charge="b"),
            electrode(4, "Mg", 3.0, "TiS2", id_charge="b", snapshot="t"),
        ]
    )
    data.provenance["snapshot"] = "s"
    return describe(data)


def test_whole(facts):
    assert facts["n"] == 5
    assert facts["snapshots"] == {"s": 4, "t": 1}
    assert facts["frameworks"] == 3
    assert facts["provenance"] == {"snapshot": "s"}
    assert list(facts["ions"]) == ["Li", "Mg"]


def test_lithium(facts):
    expected = {
        "n": 3,
        "min": -3.0,
        "median": 1.0,
        "mean": 0.6667,
        "max": 4.0,
        "std": 2.8674,
        "negative": 1,
        "multi_step": 1,
        "with_discharged": 1,
        "frameworks": 2,
        "same_formula": 1,
        "same_host": 1,
        "host_shared": 1,
        "framework_shared": 1,
        "atoms_median": 2,
        "atoms_max": 4,
    }
    assert facts["ions"]["Li"] == expected


def test_magnesium(facts):
    mg = facts["ions"]["Mg"]
    assert (mg["n"], mg["frameworks"], mg["negative"], mg["multi_step"]) == (2, 2, 0, 0)
    # The same id in another snapshot is another structure.
    assert (mg["same_host"], mg["host_shared"], mg["framework_shared"]) == (0, 1, 1)


def test_plain_json(facts):
    assert json.loads(json.dumps(facts)) == facts


def test_nothing_at_all():
    facts = describe(electrode_set([]))
    assert (facts["n"], facts["ions"], facts["frameworks"]) == (0, {}, 0)
