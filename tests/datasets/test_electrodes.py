"""One electrode and a set of them."""

import dataclasses

import numpy as np
import pytest

from datasets.builders import electrode
from ionvolt.datasets import ElectrodeSet, framework_of


@pytest.fixture
def data() -> ElectrodeSet:
    return ElectrodeSet(
        [electrode("a", "Mg", 1.5), electrode("b", "Li", 3.5, framework="FeO"), electrode("c", "Mg", 2.5)],
        {"source": "here"},
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ion": "Xx"}, "working ion 'Xx'"),
        ({"voltage": float("nan")}, "not a number"),
        ({"voltage": float("inf")}, "not a number"),
        ({"framework": ""}, "framework is empty"),
        ({"formula_charge": ""}, "formula_charge is empty"),
        ({"num_steps": 0}, "num_steps is 0"),
    ],
)
def test_makes_no_sense(wrong, words):
    with pytest.raises(ValueError, match=words):
        electrode(**wrong)


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        electrode().average_voltage = 2.0  # type: ignore[misc]


def test_columns(data):
    assert data.voltages.tolist() == [1.5, 3.5, 2.5]
    assert data.ions.tolist() == ["Mg", "Li", "Mg"]
    assert data.frameworks.tolist() == ["NiO", "FeO", "NiO"]
    assert data.keys == ["s:a_Mg:Mg", "s:b_Li:Li", "s:c_Mg:Mg"]
    assert [len(h) for h in data.hosts] == [2, 2, 2]


def test_rows(data):
    assert len(data) == 3
    assert data[1].battery_id == data[np.int64(1)].battery_id == "b_Li"
    assert data[[2, 0]].voltages.tolist() == [2.5, 1.5]
    assert data[np.array([2, 0])].provenance == {"source": "here"}
    assert data[data.voltages > 2].voltages.tolist() == [3.5, 2.5]
    assert len(data[[]]) == 0


def test_a_mask_of_another_length_is_an_error(data):
    with pytest.raises(IndexError, match="3 electrodes"):
        data[np.array([True, False])]


def test_of_one_ion(data):
    assert data.for_ion("Mg").voltages.tolist() == [1.5, 2.5]
    assert len(data.for_ion("Cs")) == 0


def test_as_data_frame(data):
    frame = data.to_pandas()
    assert frame["average_voltage"].tolist() == [1.5, 3.5, 2.5]
    assert "host" not in frame.columns
    assert len(frame.columns) == 15


@pytest.mark.parametrize(
    ("formula", "ion", "framework"),
    [
        ("FePO4", "Li", "FePO4"),
        ("NaFePO4", "Li", "FePO4"),
        ("Li2Fe2P2O8", "Na", "FePO4"),
        ("Mg2Mo6S8", "Mg", "Mo3S4"),
        ("Mg2Mo6S8", "Ca", "MgMo3S4"),
        ("KCsRbTiO3", "Zn", "TiO3"),
        ("Li", "Li", "Li"),
        ("CaO2", "Ca", "O2"),
    ],
)
def test_framework(formula, ion, framework):
    assert framework_of(formula, ion) == framework
