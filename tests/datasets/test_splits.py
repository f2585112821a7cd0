"""Splits: whole frameworks, no overlap, the same on every machine and in every order of the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.builders import electrode, of_frameworks
from ionvolt.datasets import (
    ElectrodeSet,
    Split,
    chemical_system_folds,
    excluding_frameworks,
    framework_folds,
    framework_split,
    random_folds,
    random_split,
    validation_folds,
)
from ionvolt.errors import DataError

IONS = ["Li", "Na", "Mg", "Al"]

sets = st.lists(st.tuples(st.integers(0, 25).map("F{}".format), st.sampled_from(IONS)), min_size=1, max_size=60).map(
    lambda rows: of_frameworks([f for f, _ in rows], [i for _, i in rows])
)
seeds = st.integers(0, 2**31)
fractions = st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(1, 10)).map(
    lambda parts: tuple(p / sum(parts) for p in parts)
)
SPLITTERS = [random_split, framework_split]
FOLDERS = [random_folds, framework_folds, chemical_system_folds]
quick = settings(max_examples=30, deadline=None)


def parts_of(split: Split):
    return [split.train, split.validation, split.test]


def named(data: ElectrodeSet, parts):
    return [{data.keys[i] for i in part} for part in parts]


def frameworks_apart(data: ElectrodeSet, parts) -> bool:
    names = [set(data.frameworks[part]) for part in parts]
    return sum(map(len, names)) == len(set().union(*names))


@pytest.mark.parametrize("splitter", SPLITTERS)
@given(data=sets, seed=seeds, asked=fractions)
@quick
def test_every_row_in_one_part(splitter, data, seed, asked):
    split = splitter(data, seed, asked)
    assert sorted(np.concatenate(parts_of(split)).tolist()) == list(range(len(data)))
    assert all(np.all(np.diff(part) > 0) and part.dtype == np.int64 for part in parts_of(split))
    assert (split.seed, split.fractions) == (seed, asked)


@given(data=sets, seed=seeds, asked=fractions)
@quick
def test_a_framework_is_in_one_part(data, seed, asked):
    assert frameworks_apart(data, parts_of(framework_split(data, seed, asked)))


@pytest.mark.parametrize("splitter", SPLITTERS)
@given(data=sets, seed=seeds, shuffle=st.randoms(use_true_random=False))
@quick
def test_the_order_of_the_rows_does_not_matter(splitter, data, seed, shuffle):
    order = list(range(len(data)))
    shuffle.shuffle(order)
    shuffled = data[order]
    assert named(data, parts_of(splitter(data, seed))) == named(shuffled, parts_of(splitter(shuffled, seed)))


@given(data=sets, seed=seeds, asked=fractions)
@quick
def test_parts_miss_their_share_by_less_than_the_largest_framework(data, seed, asked):
    largest = np.unique(data.frameworks, return_counts=True)[1].max()
    for part, share in zip(parts_of(framework_split(data, seed, asked)), asked, strict=True):
        assert abs(len(part) - share * len(data)) <= largest + 1e-6


@given(data=sets, seed=seeds, asked=fractions)
@quick
def test_random_parts_miss_their_share_by_one_at_most(data, seed, asked):
    for part, share in zip(parts_of(random_split(data, seed, asked)), asked, strict=True):
        assert abs(len(part) - share * len(data)) <= 1 + 1e-6


@given(data=sets, seed=seeds)
@quick
def test_the_voltages_do_not_matter(data, seed):
    other = ElectrodeSet([electrode(e.id_charge, e.working_ion, 9.0, framework=e.framework) for e in data])
    for splitter in SPLITTERS:
        for a, b in zip(parts_of(splitter(data, seed)), parts_of(splitter(other, seed)), strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("folder", FOLDERS)
@given(data=sets, seed=seeds, n_folds=st.integers(2, 6), shuffle=st.randoms(use_true_random=False))
@quick
def test_folds(folder, data, seed, n_folds, shuffle):
    labels = {
        random_folds: data.keys,
        framework_folds: data.frameworks,
        chemical_system_folds: data.chemical_systems,
    }[folder]
    groups = len(set(labels))
    if groups < n_folds:
        with pytest.raises(DataError, match=f"{n_folds} folds cannot be made of {groups} "):
            folder(data, n_folds, seed)
        return
    folds = folder(data, n_folds, seed)
    assert len(folds) == n_folds
    assert all(len(fold) for fold in folds)
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(data)))
    if folder is not random_folds:
        names = [set(np.asarray(labels)[fold]) for fold in folds]
        assert sum(map(len, names)) == len(set().union(*names))
    order = list(range(len(data)))
    shuffle.shuffle(order)
    assert named(data, folds) == named(data[order], folder(data[order], n_folds, seed))


@pytest.mark.parametrize("sizes", [[100, 1, 1], [1, 100, 1], [1, 1, 1], [50, 50, 1], [1, 1, 1, 1, 1, 100]])
@pytest.mark.parametrize("seed", range(5))
def test_no_fold_is_empty_beside_a_huge_framework(sizes, seed):
    data = of_frameworks([f"F{i}" for i, n in enumerate(sizes) for _ in range(n)])
    assert all(len(fold) for fold in framework_folds(data, 3, seed))


@pytest.mark.parametrize("kind", ["random", "framework"])
def test_validation_parts_of_members(kind):
    data = of_frameworks([f"F{i % 40}" for i in range(200)])
    pool = np.arange(0, 200, 2)
    members = validation_folds(data, pool, 12, kind=kind, seed=3)
    assert len(members) == 12
    for train, validation in members:
        assert sorted([*train, *validation]) == pool.tolist()
        assert 5 <= len(validation) <= 17
        if kind == "framework":
            assert frameworks_apart(data, [train, validation])
    assert sorted(i for _, validation in members[:9] for i in validation) == pool.tolist()
    assert np.array_equal(members[0][1], members[9][1])


def test_rows_of_other_frameworks():
    data = of_frameworks(["A", "B", "A", "C", "B"])
    rows = np.array([4, 0, 3])
    assert excluding_frameworks(data, rows, {"B"}).tolist() == [0, 3]
    assert excluding_frameworks(data, rows, set()).tolist() == [4, 0, 3]
    assert excluding_frameworks(data, rows, {"A", "B", "C"}).tolist() == []


def test_known_by_heart():
    """The very split of version 1: a change here breaks the comparison with every published error."""
    data = of_frameworks([f"F{i}" for i in range(20)])
    assert random_split(data, 0).test.tolist() == [5, 14]
    assert framework_split(data, 0).test.tolist() == [10, 19]


def test_seeds_and_kinds_differ():
    data = of_frameworks([f"F{i}" for i in range(100)])
    tests = [tuple(splitter(data, seed).test) for splitter in SPLITTERS for seed in range(5)]
    assert len(set(tests)) == 10
    assert random_split(data, 0).kind == "random"
    assert framework_split(data, 0).kind == "framework"


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_rows_of_one_name_stay_together(splitter):
    row = electrode("same", framework="F")
    data = ElectrodeSet([row] * 3 + [electrode(f"{i}", framework=f"G{i}") for i in range(10)])
    for seed in range(10):
        assert sum({0, 1, 2} <= set(part.tolist()) for part in parts_of(splitter(data, seed))) == 1


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_no_rows(splitter):
    assert [len(part) for part in parts_of(splitter(ElectrodeSet([]), 0))] == [0, 0, 0]


@pytest.mark.parametrize("wrong", [(0.5, 0.1, 0.1), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5), (float("inf"), 0, 0)])
@pytest.mark.parametrize("splitter", SPLITTERS)
def test_fractions_that_make_no_sense(splitter, wrong):
    with pytest.raises(ValueError, match="fractions must not be negative and add up to 1"):
        splitter(of_frameworks(["A"]), 0, wrong)
