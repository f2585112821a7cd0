"""Electrodes that the potential makes by exchange of the ion."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS
from ionvolt.physics.average import compute
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.pair import load_potentials
from ionvolt.recipes.mlip import exchanges
from ionvolt.recipes.mlip.exchanges import exchange_arrays, exchanged_cell
from ionvolt.recipes.mlip.exchanges import exchanges as all_exchanges
from ionvolt.recipes.mlip.learners import with_exchanges
from ionvolt.recipes.mlip.rows import PartRows
from ionvolt.testing import layered
from recipes.toy import toy


def test_ions_of_few_labels_take_the_places_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    data = toy()
    found = all_exchanges(data, 10_000)
    assert len(set(found)) == len(found)
    assert {one.ion for one in found} == {"Li", "Na", "Mg"}, "of other ions nothing is known"
    assert len({one.row for one in found}) > 10
    monkeypatch.setattr(exchanges, "FEW", 6)  # there are ten electrodes of Li, five of Na, and four of Mg
    assert {one.ion for one in all_exchanges(data, 10_000)} == {"Na", "Mg"}
    for one in found:
        held = set(data[one.row].host.numbers.tolist())
        assert one.ion != data[one.row].working_ion
        assert WORKING_IONS[one.ion].number not in held


def test_asking_for_more_begins_with_the_same_ones() -> None:
    data = toy()
    assert all_exchanges(data, 30)[:12] == all_exchanges(data, 12)


def test_large_cells_and_missing_ends_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = toy()
    rows = [replace(data[0], discharged=None), data[1], data[8], data[13]]
    some = ElectrodeSet(rows)
    assert {one.row for one in all_exchanges(some, 10_000)} == {1, 2, 3}
    monkeypatch.setattr(exchanges, "MOST_ATOMS", 1)
    assert all_exchanges(some, 10_000) == []


@pytest.mark.parametrize(("own", "other", "left"), [("Li", "Na", 4), ("Li", "Mg", 2), ("Li", "Al", 1), ("Mg", "Li", 4)])
def test_as_many_ions_go_in_as_carry_the_charge(own: str, other: str, left: int) -> None:
    cell = layered(own, "Co", 2.82, 14.05).discharged
    n = int((cell.numbers == WORKING_IONS[own].number).sum())
    big = cell
    while n < 4:
        big = replace(
            big,
            lattice=big.lattice * np.array([[2.0], [1.0], [1.0]]),
            numbers=np.tile(big.numbers, 2),
            frac_coords=np.vstack([big.frac_coords * [0.5, 1, 1], big.frac_coords * [0.5, 1, 1] + [0.5, 0, 0]]),
        )
        n *= 2
    found = exchanged_cell(big, own, other)
    before, after = WORKING_IONS[own].number, WORKING_IONS[other].number
    assert not (found.numbers == before).any()
    assert (found.numbers == after).sum() == left * n // 4
    assert (found.numbers == 27).sum() == (big.numbers == 27).sum()


@pytest.mark.slow
def test_with_its_own_ion_the_label_is_what_compute_says() -> None:
    electrode, potentials = toy()[5], load_potentials()
    computed = compute(electrode.discharged, None, WORKING_IONS["Li"], potentials, Cache(None))
    arrays = exchange_arrays(replace(electrode, host=computed.charged), "Li", potentials)
    assert float(arrays["voltage"]) == pytest.approx(computed.voltage, abs=0.01)
    other = exchange_arrays(replace(electrode, host=computed.charged), "Na", potentials)
    assert float(other["voltage"]) < computed.voltage - 0.2, "Na binds less in layered oxides"
    for name in ("alone", "informed"):
        assert np.isfinite(other[f"{name}.single.atoms"]).all()


def test_what_falls_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "GROWTH", (3.0, 4.0))
    with pytest.raises(InputError, match="no label with Na: volume"):
        exchange_arrays(toy()[5], "Na", load_potentials())


def test_exchanges_of_tested_electrodes_are_not_learned_from() -> None:
    rng = np.random.default_rng(0)

    def rows(numbers: list[int]) -> PartRows:
        none: list[Any] = [None] * len(numbers)
        return PartRows(
            "charged", np.array(numbers), none, rng.random(len(numbers)), none, none, rng.random((len(numbers), 3))
        )

    whole = replace(rows([0, 1, 2, 3, 4, 5, 6, 7]), exchanged=rows([0, 1, 1, 5, 7, 7]))
    learned, n_exchanged = with_exchanges(whole, np.array([0, 2, 3, 7]))
    assert learned.rows.tolist() == [0, 2, 3, 7, 0, 7, 7]
    assert n_exchanged == 3
    assert whole.exchanged is not None
    assert learned.target[-3:].tolist() == whole.exchanged.target[[0, 4, 5]].tolist()
    assert len(learned.pairs) == len(learned.trials) == len(learned.informed) == len(learned.known) == 7
