"""Supercells against what is known of superlattices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionvolt.ordering.average import average_cell
from ionvolt.ordering.supercells import normal_form, shapes, sites_of
from ionvolt.structures import read_disordered
from ordering.cells import cif


def fcc():
    return average_cell(
        read_disordered(cif("F m -3 m", (4, 4, 4, 90, 90, 90), [("Cu", 0, 0, 0, 0.5), ("Au", 0, 0, 0, 0.5)]))
    )


@pytest.mark.parametrize(("size", "distinct"), [(1, 1), (2, 2), (3, 3), (4, 7), (5, 5), (6, 10), (7, 7), (8, 20)])
def test_superlattices_of_fcc(size, distinct):
    """Their number is known (Hart and Forcade, Phys. Rev. B 77, 224115 (2008))."""
    assert len(shapes(fcc(), size, 100)) == distinct


def test_the_most_compact_shape_comes_first():
    lattice = shapes(fcc(), 4, 7)[0] @ fcc().lattice
    assert np.linalg.norm(lattice, axis=1) == pytest.approx([4, 4, 4])


@given(st.lists(st.integers(-4, 4), min_size=9, max_size=9), st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_normal_form_belongs_to_the_lattice_alone(entries, shears):
    matrix = np.array(entries).reshape(3, 3)
    if round(np.linalg.det(matrix)) == 0:
        return
    a, b, c = shears
    other = np.array([[1, a, b], [0, -1, c], [0, 0, 1]])[[2, 0, 1]] @ matrix
    form = normal_form(matrix)
    assert (form == normal_form(other)).all()
    assert (np.tril(form, -1) == 0).all()
    assert np.prod(np.diag(form)) == abs(round(np.linalg.det(matrix)))


def test_sites_are_distinct_and_all_there():
    cell = fcc()
    for matrix in shapes(cell, 6, 10):
        lattice, frac, orbits = sites_of(cell, matrix)
        assert len(frac) == len(orbits) == 6
        assert np.linalg.det(lattice) == pytest.approx(6 * 16)
        places = frac @ lattice @ np.linalg.inv(cell.lattice)  # whole numbers in the primitive cell
        assert places == pytest.approx(np.rint(places), abs=1e-6)
        assert len({tuple(row) for row in np.round(frac, 4) % 1.0}) == 6
