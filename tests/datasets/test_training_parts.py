"""Which rows a training gets to see: splits that never change, and frameworks that are kept out of it."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.rows import electrode, electrode_set
from ionvolt.datasets import excluding_frameworks, framework_folds, framework_split, random_folds, random_split
from ionvolt.errors import DataError
from ionvolt.training.cgcnn.runs import frameworks_of_tests, prepare, split_for_ion

# -- The rule itself. Splits of published models must come out the same for ever. --

GOLDEN = electrode_set([electrode(n, "Mg" if n % 3 else "Li", 0.0, f"F{n % 7}") for n in range(20)])


def test_golden_random_split():
    split = random_split(GOLDEN, 0)
    assert split.test.tolist() == [14, 19]
    assert split.validation.tolist() == [8, 18]
    assert random_split(GOLDEN, 1).test.tolist() == [5, 9]


def test_golden_framework_split():
    split = framework_split(GOLDEN, 0, (0.5, 0.25, 0.25))
    assert split.test.tolist() == [1, 5, 8, 12, 15, 19]
    assert split.validation.tolist() == [4, 11, 18]


def test_golden_folds():
    assert [fold.tolist() for fold in random_folds(GOLDEN, 4, 0)] == [
        [2, 13, 14, 15, 17],
        [4, 7, 9, 18, 19],
        [5, 6, 8, 10, 11],
        [0, 1, 3, 12, 16],
    ]
    assert [fold.tolist() for fold in framework_folds(GOLDEN, 3, 0)] == [
        [1, 3, 8, 10, 15, 17],
        [4, 5, 11, 12, 18, 19],
        [0, 2, 6, 7, 9, 13, 14, 16],
    ]


def test_the_rule_by_hand():
    """Rows ranked by the SHA-256 of seed and name: first the test part, then the validation part."""
    ranked = sorted(range(20), key=lambda n: hashlib.sha256(f"random:5:{GOLDEN.keys[n]}".encode()).digest())
    split = random_split(GOLDEN, 5)
    assert sorted(ranked[:2]) == split.test.tolist()
    assert sorted(ranked[2:4]) == split.validation.tolist()


@given(
    n=st.integers(1, 80),
    seed=st.integers(0, 1000),
    forbidden=st.sets(st.sampled_from([f"F{n}" for n in range(9)])),
)
@settings(max_examples=30, deadline=None)
def test_excluding_frameworks(n, seed, forbidden):
    data = electrode_set([electrode(k, framework=f"F{k % 9}") for k in range(n)])
    rows = random_split(data, seed).train
    left = excluding_frameworks(data, rows, forbidden)
    assert left.tolist() == [row for row in rows if data.frameworks[row] not in forbidden]


# -- What training gets --


@pytest.fixture(scope="module")
def several():
    """Three ions that share most of their frameworks."""
    rng = np.random.default_rng(0)
    return electrode_set(
        [
            electrode(k, ion, float(rng.normal()), f"F{rng.integers(70)}", battery_id=f"{ion}{k}")
            for ion, n in (("Li", 120), ("Mg", 60), ("Al", 40))
            for k in range(n)
        ]
    )


def names(data, rows) -> set[str]:
    return {data.keys[int(row)] for row in rows}


@pytest.mark.parametrize("kind", ["random", "framework"])
@pytest.mark.parametrize("seed", [0, 1])
def test_forbidden_frameworks_are_never_trained_or_chosen_on(several, kind, seed):
    forbidden = frameworks_of_tests(several, ["Mg", "Al"], kind, seed)
    parts = prepare(several, "Li", kind=kind, seed=seed, n_members=9, forbidden=forbidden)
    for ion in ("Mg", "Al"):
        rows, split = split_for_ion(several, ion, kind, seed)
        assert len(split.test)
        assert set(rows.frameworks[split.test]) <= forbidden
    assert len(parts.members) == 9
    for train, validation in parts.members:
        assert len(train)
        assert len(validation)
        assert not set(parts.rows.frameworks[train]) & forbidden
        assert not set(parts.rows.frameworks[validation]) & forbidden
        assert not set(parts.split.test) & (set(train) | set(validation))
    assert set(parts.rows.ions) == {"Li"}
    # The test part itself stays whole: it is never learnt from.
    assert len(parts.split.test) == len(split_for_ion(several, "Li", kind, seed)[1].test)


def test_a_framework_split_is_one_for_all_ions(several):
    sides: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for ion in ("Li", "Mg", "Al"):
        rows, split = split_for_ion(several, ion, "framework", 0)
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(len(rows)))
        for name, found in sides.items():
            found |= set(rows.frameworks[getattr(split, name)])
    assert not sides["train"] & sides["test"]
    assert not sides["train"] & sides["validation"]
    assert not sides["validation"] & sides["test"]


def test_an_ions_random_split_does_not_depend_on_the_other_ions(several):
    rows, split = split_for_ion(several, "Mg", "random", 3)
    other_rows, other = split_for_ion(several.for_ion("Mg"), "Mg", "random", 3)
    assert names(rows, split.test) == names(other_rows, other.test)


def test_the_order_of_the_rows_does_not_change_what_members_see(several):
    other = several[np.random.default_rng(1).permutation(len(several))]
    for kind in ("random", "framework"):
        one = prepare(several, "Li", kind=kind, seed=2, n_members=3)
        two = prepare(other, "Li", kind=kind, seed=2, n_members=3)
        for (train, validation), (train_two, validation_two) in zip(one.members, two.members, strict=True):
            assert names(one.rows, train) == names(two.rows, train_two)
            assert names(one.rows, validation) == names(two.rows, validation_two)


def test_a_final_model_gets_the_test_part_too(several):
    parts = prepare(several, "Mg", n_members=2, keep_test=False)
    assert len(parts.split.test) == 0
    for train, validation in parts.members:
        assert len(train) + len(validation) == 60


@pytest.mark.parametrize(("ion", "n"), [("Li", 0), ("Li", 5), ("Y", 9)])
@pytest.mark.parametrize("kind", ["random", "framework"])
def test_too_few_rows(ion, n, kind):
    data = electrode_set([electrode(k, ion, framework=f"F{k}") for k in range(n)])
    with pytest.raises(DataError, match=ion):
        prepare(data, ion, kind=kind)


def test_no_row_of_that_ion(several):
    with pytest.raises(DataError, match="Cs"):
        prepare(several, "Cs")


def test_all_frameworks_forbidden(several):
    with pytest.raises(DataError, match="Li"):
        prepare(several, "Li", forbidden=set(several.frameworks))


def test_too_few_frameworks_for_the_folds():
    data = electrode_set([electrode(k, framework=f"F{k % 3}") for k in range(60)])
    with pytest.raises(DataError, match="frameworks"):
        prepare(data, "Li", kind="framework", n_members=3)
