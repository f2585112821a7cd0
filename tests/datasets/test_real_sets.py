"""Rules and splits on the published electrodes."""

import time

import numpy as np
import pytest

from ionvolt.datasets import clean, framework_folds, framework_split, random_split, read_dataset, write_dataset
from ionvolt.datasets.describe import describe
from ionvolt.datasets.importers import import_source

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(shared_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "mp2020.parquet"
    imported = import_source(
        shared_data / "electrodes_mp2020.csv", structures=shared_data / "structures.jsonl.gz", snapshot="mp2020"
    )
    assert imported.refused == imported.incomplete == []
    write_dataset(imported.data, path)
    return path


@pytest.fixture(scope="module")
def data(file):
    return read_dataset(file)


def test_is_read_in_no_time(file):
    start = time.perf_counter()
    assert len(read_dataset(file)) == 3729
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(("rule", "removed"), [("2sigma", 134), ("paper", 153), ("abs7", 6), ("dedupe", 0)])
def test_rules(data, rule, removed):
    assert clean(data, [rule])[1] == {rule: removed}


def test_paper_trims_sodium_more_and_potassium_not_at_all(data):
    plain, paper = clean(data, ["2sigma"])[0], clean(data, ["paper"])[0]
    assert len(paper.for_ion("K")) == 94 > len(plain.for_ion("K"))
    assert len(paper.for_ion("Na")) < len(plain.for_ion("Na"))
    assert len(paper.for_ion("Ca")) == len(plain.for_ion("Ca"))


@pytest.mark.parametrize("seed", range(5))
def test_no_framework_on_both_sides(data, seed):
    split = framework_split(data, seed)
    train, validation, test = (set(data.frameworks[p]) for p in (split.train, split.validation, split.test))
    assert not train & validation
    assert not train & test
    assert not validation & test
    folds = [set(data.frameworks[fold]) for fold in framework_folds(data, 5, seed)]
    assert sum(map(len, folds)) == len(set(data.frameworks))


@pytest.mark.parametrize("splitter", [random_split, framework_split])
@pytest.mark.parametrize("seed", range(5))
def test_shares(data, splitter, seed):
    split = splitter(data, seed)
    shares = np.array([len(split.train), len(split.validation), len(split.test)]) / len(data)
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    of_lithium = data.ions == "Li"
    assert of_lithium[split.test].sum() / of_lithium.sum() == pytest.approx(0.1, abs=0.03)


def test_the_order_of_the_rows_does_not_matter(data):
    shuffled = data[np.random.default_rng(0).permutation(len(data))]
    for splitter in (random_split, framework_split):
        one, other = splitter(data, 7), splitter(shuffled, 7)
        assert {data.keys[i] for i in one.test} == {shuffled.keys[i] for i in other.test}


def test_described(data):
    facts = describe(data)
    assert facts["n"] == sum(ion["n"] for ion in facts["ions"].values()) == 3729
    assert facts["frameworks"] == len(set(data.frameworks))
    multi_step = sum(ion["multi_step"] for ion in facts["ions"].values())
    assert multi_step == 437
    assert facts["ions"]["Li"]["max"] > 12
    assert facts["provenance"]["notes"] == [
        "mp-1094242_Mg: the file states the formula Sn2, but SnZn was read",
        "mp-1094242_Mg: formula_charge is Sn, its structure mp2020:mp-117 is ZnSn",
    ]
