"""Arrangements: how many, how often, and which has the lowest electrostatic energy."""

from itertools import product

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core.structure import Structure

from ionvolt.ordering.average import average_cell
from ionvolt.ordering.charges import guessed_charges
from ionvolt.ordering.electrostatics import build_cell
from ionvolt.ordering.order import _composition
from ionvolt.ordering.rounding import EMPTY, filling
from ionvolt.ordering.search import anneal, candidates, count_arrangements, degeneracy, distinct, fingerprints
from ionvolt.ordering.supercells import shapes
from ionvolt.structures import read_disordered
from ionvolt.structures.crystal import SYMBOLS
from ordering.cells import FLUOROPHOSPHATE, P2_BRONZE, SPINEL_5V, TITANATE, cif


def built(text: str, size: int, most: int = 1):
    cell = average_cell(read_disordered(text))
    filled = filling(cell, size)
    charges = guessed_charges(_composition(cell, filled))
    return [build_cell(cell, filled, matrix, charges) for matrix in shapes(cell, size, most)]


@pytest.mark.parametrize(("text", "size", "number"), [(SPINEL_5V, 2, 28), (TITANATE, 3, 66), (FLUOROPHOSPHATE, 1, 70)])
def test_all_arrangements_belong_to_distinct_ones(text, size, number):
    (cell,) = built(text, size)
    found, complete = candidates(cell, np.random.default_rng(0))
    assert complete
    assert count_arrangements(cell.counts) == number
    assert sum(degeneracy(cell, one.arrangement) for one in found) == number


def test_their_number_is_burnsides():
    """Averaged over the group, arrangements that an operation leaves alone are as many as there are distinct ones."""
    (cell,) = built(TITANATE, 3)
    every = [np.array(a) for a in product((3, 22), repeat=12) if a.count(3) == 2]
    fixed = sum(int((a[p] == a).all()) for p in cell.permutations for a in every)
    assert fixed / len(cell.permutations) == len(candidates(cell, np.random.default_rng(0))[0])


def test_energies_are_ewalds():
    (cell,) = built(SPINEL_5V, 2)
    rng = np.random.default_rng(1)
    for _ in range(3):
        arrangement = rng.permutation(np.repeat([28, 25], [2, 6]))
        numbers = cell.fixed.copy()
        numbers[cell.sites] = arrangement
        structure = Structure(cell.lattice, [SYMBOLS[z] for z in numbers], cell.frac_coords)
        structure.add_oxidation_state_by_site(cell.charges[numbers].tolist())
        expected = EwaldSummation(structure).total_energy
        assert cell.energies(arrangement[None])[0] == pytest.approx(expected, abs=1e-4)


def test_fingerprints_do_not_hang_on_the_choice_of_the_cell():
    """Ni on every fourth site of a row is one ordering, whether the cell is long one way or the other."""
    marks = []
    for cell in built(SPINEL_5V, 2, most=3):
        found, _ = candidates(cell, np.random.default_rng(0))
        marks.append({round(float(m), 3) for m in fingerprints(cell, np.array([one.arrangement for one in found]))})
    # The ordering of the primitive cell repeats in every supercell.
    assert set.intersection(*marks)


def test_symmetry_leaves_energies_and_fingerprints_alone():
    (cell,) = built(SPINEL_5V, 4)
    arrangement = np.random.default_rng(2).permutation(np.repeat([28, 25], [4, 12]))
    images = arrangement[cell.permutations]
    assert len(cell.permutations) == 192
    assert cell.energies(images) == pytest.approx(cell.energies(arrangement[None])[0], abs=1e-4)
    assert len(distinct(fingerprints(cell, images))) == 1


def test_annealing_finds_the_lowest_of_all():
    (cell,) = built(SPINEL_5V, 4)
    found, complete = candidates(cell, np.random.default_rng(0))
    assert complete
    annealed = anneal(cell, np.random.default_rng(0))
    assert cell.energies(annealed).min() == pytest.approx(min(one.energy for one in found), abs=1e-6)
    assert all((annealed == z).sum(axis=1).tolist() == [n] * len(annealed) for z, n in ((28, 4), (25, 12)))


def group_of(cell, arrangement) -> str:
    numbers = cell.fixed.copy()
    numbers[cell.sites] = arrangement
    kept = numbers != EMPTY
    structure = Structure(cell.lattice, [SYMBOLS[z] for z in numbers[kept]], cell.frac_coords[kept])
    return structure.get_space_group_info()[0]


def test_the_order_of_the_five_volt_spinel_is_among_the_first():
    """Ni and Mn of LiNi0.5Mn1.5O4 order in P4_332; its point charges come third in the cubic cell."""
    (cell,) = built(SPINEL_5V, 4)
    found, _ = candidates(cell, np.random.default_rng(0))
    found.sort(key=lambda one: one.energy)
    groups = [group_of(cell, one.arrangement) for one in found[:3]]
    assert groups[0] == "R-3m"
    assert groups[2] in ("P4_332", "P4_132")


def test_rock_salt_of_one_and_three_charges_is_gamma_lifeo2():
    """Point charges of LiFeO2 on the sites of rock salt order in I4_1/amd."""
    text = cif(
        "F m -3 m", (4.1, 4.1, 4.1, 90, 90, 90), [("Li", 0, 0, 0, 0.5), ("Fe", 0, 0, 0, 0.5), ("O", 0.5, 0.5, 0.5, 1)]
    )
    lowest = []
    for cell in built(text, 4, most=7):
        found, _ = candidates(cell, np.random.default_rng(0))
        lowest.append((min(found, key=lambda one: one.energy), cell))
    best, cell = min(lowest, key=lambda pair: pair[0].energy)
    assert group_of(cell, best.arrangement) == "I4_1/amd"


def test_neighbouring_sites_are_not_filled_together():
    """The two kinds of sodium sites in P2 bronzes are 1.66 Å apart."""
    (cell,) = built(P2_BRONZE, 6)
    found, _ = candidates(cell, np.random.default_rng(0))
    best = min(found, key=lambda one: one.energy)
    there = (best.arrangement != EMPTY).astype(float)
    assert cell.clashes(there[None])[0] == 0
    assert there.sum() == 8
