"""Whole atoms from occupancies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionvolt.ordering.average import average_cell
from ionvolt.ordering.rounding import EMPTY, described, filling
from ionvolt.ordering.supercells import choose_filling
from ionvolt.structures import read_disordered
from ordering.cells import NMC811, P2_BRONZE, ROCK_SALT, TITANATE, cif


def cell_of(text: str):
    return average_cell(read_disordered(text))


@pytest.mark.parametrize(
    ("text", "size", "counts"),
    [
        (NMC811, 10, {28: 8, 25: 1, 27: 1}),
        (TITANATE, 3, {3: 2, 22: 10}),
        (ROCK_SALT, 5, {3: 3, 25: 1, 22: 1}),
    ],
)
def test_occupancies_that_fit(text, size, counts):
    found = filling(cell_of(text), size)
    assert list(found.counts.values()) == [counts]
    assert found.error < 1e-4
    assert described(cell_of(text), found) == []


def test_what_does_not_fit_is_told():
    cell = cell_of(NMC811)
    found = filling(cell, 12)
    assert list(found.counts.values()) == [{28: 10, 25: 1, 27: 1}]
    assert found.error == pytest.approx(0.4 / 12)
    assert "Ni 0.8 of a site is rounded to 10 of 12" in described(cell, found)


def test_the_whole_composition_comes_before_single_orbits():
    # 0.25 + 0.42 of two sites each: 1.34 atoms in a cell, 4.02 in three, though 0.75 and 1.26 round to 1 + 3 as well.
    found = filling(cell_of(P2_BRONZE), 3)
    assert sum(counts[11] for counts in found.counts.values()) == 4
    assert all(sum(counts.values()) == 6 for counts in found.counts.values())


@pytest.mark.slow
@given(
    st.lists(st.tuples(*[st.integers(1, 97)] * 3), min_size=1, max_size=3),
    st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_no_number_is_rounded_by_an_atom(sites, size):
    rows = [("O", 0.5, 0.5, 0.5, 1.0)]
    exact = []
    for k, (a, b, _) in enumerate(sites):
        second = min(b, 99 - a)
        rows += [(e, 0.25 * k, 0.25 * k, 0.1, o / 100) for e, o in (("Li", a), ("Ni", second)) if o > 0]
        exact.append({3: a / 100 * size, 28: second / 100 * size, EMPTY: (100 - a - max(second, 0)) / 100 * size})
    cell = cell_of(cif("P 1", (5, 6, 7, 80, 85, 95), rows))
    found = filling(cell, size)
    assert all(sum(counts.values()) == size * cell.multiplicities[o] for o, counts in found.counts.items())
    assert 0.0 <= found.error < 1.0
    for orbit, counts in found.counts.items():
        for z, occupancy in cell.occupancies[orbit].items():
            assert abs(counts.get(z, 0) - occupancy * size * cell.multiplicities[orbit]) < 1.0 + 1e-6
    total = {z: sum(site.get(z, 0.0) for site in exact) for z in (3, 28)}
    for z, wanted in total.items():
        assert abs(sum(counts.get(z, 0) for counts in found.counts.values()) - wanted) < 1.0 + 1e-6


def test_the_size_is_one_that_fits_and_has_many_divisors():
    assert choose_filling(cell_of(NMC811), 64).size == 10
    assert choose_filling(cell_of(TITANATE), 64).size == 3
    assert choose_filling(cell_of(ROCK_SALT), 64).size == 30
    assert choose_filling(cell_of(TITANATE), 5).size == 1
