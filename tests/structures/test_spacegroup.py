"""Symmetry and smallest cells, and what happens where spglib fails."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from spglib import SpglibError, error

from ionvolt.structures.crystal import Crystal
from ionvolt.structures.pairs import find_pairs
from ionvolt.structures.reading import read_text
from ionvolt.structures.spacegroup import primitive_cell, primitive_lattice, symmetry_operations
from structures import textbook

ROCK_SALT = read_text(textbook.ROCK_SALT.cif(), "rock-salt.cif")
ON_TOP = Crystal(np.eye(3) * 4, np.array([11, 11]), np.array([[0.0, 0, 0], [0.0, 0, 1e-5]]), "on top")


@pytest.mark.parametrize("old", [None, "1", "0"])
def test_a_crystal_that_spglib_refuses_is_taken_as_it_is(old: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if old is None:
        monkeypatch.delenv("SPGLIB_OLD_ERROR_HANDLING", raising=False)
    else:
        monkeypatch.setenv("SPGLIB_OLD_ERROR_HANDLING", old)
    assert primitive_cell(ON_TOP) is ON_TOP
    lattice, n_atoms = primitive_lattice(ON_TOP)
    assert (lattice == ON_TOP.lattice).all()
    assert n_atoms == 2
    ((rotation, translation),) = symmetry_operations(ON_TOP)
    assert (rotation == np.eye(3)).all()
    assert (translation == 0).all()


def test_errors_of_spglib_3_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SpglibError("too close distance between atoms")

    monkeypatch.delattr(error, "OLD_ERROR_HANDLING")
    for name in ("get_symmetry", "standardize_cell", "find_primitive"):
        monkeypatch.setattr(f"spglib.{name}", refuse)
    assert primitive_cell(ROCK_SALT) is ROCK_SALT
    assert primitive_lattice(ROCK_SALT)[1] == 8
    assert len(symmetry_operations(ROCK_SALT)) == 1


def test_symmetry_without_a_word_and_without_a_trace() -> None:
    before = error.OLD_ERROR_HANDLING
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(symmetry_operations(ROCK_SALT)) == 192
        cell = primitive_cell(ROCK_SALT)
        assert primitive_lattice(ROCK_SALT)[1] == len(cell) == 2
    assert cell.volume == pytest.approx(ROCK_SALT.volume / 4)
    assert before is error.OLD_ERROR_HANDLING
    with ThreadPoolExecutor(4) as pool:
        assert {len(found) for found in pool.map(symmetry_operations, [ROCK_SALT] * 40)} == {192}
    assert before is error.OLD_ERROR_HANDLING


def test_pairs_once_and_both_ways() -> None:
    once, both = find_pairs(ROCK_SALT, 3.0, both=False), find_pairs(ROCK_SALT, 3.0, both=True)
    assert len(both) == 2 * len(once) == 8 * 6
    assert both.distance == pytest.approx(5.6402 / 2)
    assert len(both.within(2.8)) == 0
    moved = Crystal(ROCK_SALT.lattice, ROCK_SALT.numbers, ROCK_SALT.frac_coords + np.array([2.3, -1.1, 7.0]))
    found = find_pairs(moved, 3.0, both=True)
    vectors = (moved.wrapped[found.j] + found.image - moved.wrapped[found.i]) @ moved.lattice
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([5.6402 / 2] * 48)


def test_wrapped_lies_in_the_cell() -> None:
    wrapped = Crystal(np.eye(3), np.array([1]), np.array([[1.25, -0.25, -3.0]])).wrapped
    assert wrapped.tolist() == [[0.25, 0.75, 0.0]]
