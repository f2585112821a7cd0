"""The table of measured cathodes and the typed-in structures of their hosts."""

import itertools
import math
import re
from collections import Counter

import gemmi
import numpy as np
import pytest

from ionvolt.experiment.cathodes import all_cathodes, host_structures, usable_cathodes
from ionvolt.ions import WORKING_IONS, end_member, remove_ion, working_ion
from ionvolt.structures import check

STRUCTURES = list(host_structures().values())
BONDS = {
    # Shortest and longest that the nearest anion may be from a cation, Å.
    "Li": (1.90, 2.65), "Na": (2.25, 2.50), "Mg": (1.90, 2.15), "P": (1.47, 1.58), "Ti": (1.85, 2.60),
    "V": (1.55, 2.45), "Cr": (1.95, 2.05), "Mn": (1.85, 2.25), "Fe": (1.85, 2.15), "Co": (1.85, 2.10),
    "Ni": (1.85, 2.10), "Mo": (1.65, 2.65), "C": (1.10, 1.20), "K": (2.60, 2.95),
}  # fmt: skip
ANIONS = {"O", "S", "N", "F", "Se"}


def nearest(structure, i: int, wanted: set[str]) -> float:
    found = [n.nn_distance for n in structure.get_neighbors(structure[i], 3.2) if n.specie.symbol in wanted]
    return min(found, default=math.inf)


@pytest.mark.parametrize("host", STRUCTURES, ids=lambda host: host.name)
def test_a_typed_in_structure_is_what_it_says(host):
    from pymatgen.core.composition import Composition
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    crystal = host.crystal()
    assert check(crystal) is crystal
    assert Composition(crystal.composition) == Composition(host.formula) * host.z
    # A wrong letter or a coordinate off its special position makes another number of atoms.
    expected: Counter[str] = Counter()
    for element, position, *_ in host.sites:
        expected[element] += int(re.fullmatch(r"(\d+)[a-z]", position)[1])
    assert crystal.composition == expected
    # The symmetry found in the atoms is the one that was written down, no higher.
    number = SpacegroupAnalyzer(crystal.to_pymatgen(), symprec=1e-3).get_space_group_number()
    assert number == gemmi.find_spacegroup_by_name(host.group).number


@pytest.mark.parametrize("host", STRUCTURES, ids=lambda host: host.name)
def test_its_bonds_are_those_of_chemistry(host):
    structure = host.crystal().to_pymatgen()
    shortest = structure.distance_matrix[~np.eye(len(structure), dtype=bool)].min()
    assert shortest > 1.1
    for i, site in enumerate(structure):
        symbol = site.specie.symbol
        if symbol in ANIONS:
            continue
        wanted = {"C"} if symbol == "Fe" and "C" in host.formula.replace("Co", "").replace("Cr", "") else ANIONS
        low, high = BONDS[symbol]
        slack = 0.1 if host.basis == "ideal" else 0.0
        assert low - slack <= nearest(structure, i, wanted) <= high + slack, (symbol, nearest(structure, i, wanted))
    # Anions of different ions do not touch: nothing was put on top of anything.
    for i, site in enumerate(structure):
        if site.specie.symbol in {"O", "S"}:
            assert nearest(structure, i, {"O", "S"}) > 2.25


@pytest.mark.parametrize("host", STRUCTURES, ids=lambda host: host.name)
def test_the_primitive_cell_is_the_same_crystal(host):
    whole, primitive = host.crystal(), host.crystal(primitive=True)
    assert len(whole) % len(primitive) == 0
    assert primitive.formula == whole.formula
    assert primitive.volume / len(primitive) == pytest.approx(whole.volume / len(whole), rel=1e-6)


def test_enough_cathodes_count():
    usable = usable_cathodes()
    assert sum(c.multivalent for c in usable) >= 10
    assert sum(not c.multivalent for c in usable) >= 12
    assert {"Mg", "Ca", "Zn", "Li", "Na"} == {c.ion for c in usable}
    # Nobody has measured the voltage of bare aluminium going in.
    assert any(c.ion == "Al" for c in all_cathodes())


def test_names_are_unique():
    names = [c.name for c in all_cathodes()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("cathode", all_cathodes(), ids=lambda cathode: cathode.name)
def test_a_row_is_whole(cathode):
    assert cathode.ion in WORKING_IONS
    assert cathode.checked in {"source", "review", "textbook", "recalled"}
    if cathode.doi:
        assert re.fullmatch(r"10\.\d{4,5}/\S+", cathode.doi)
    if cathode.voltage is not None:
        assert 0 < cathode.voltage < 6
        assert 0 < cathode.uncertainty <= 0.5
        assert cathode.reference
    for name in filter(None, (cathode.charged, cathode.discharged)):
        assert name in host_structures()
    if not cathode.use:
        assert cathode.note, "a row that does not count says why"
        return
    assert cathode.voltage is not None
    assert cathode.checked != "recalled"
    assert cathode.doi or cathode.evidence
    assert cathode.conditions
    assert 0 <= cathode.x_from < cathode.x_to
    assert cathode.structure


def test_ten_rows_were_kept_back():
    kept = [c for c in all_cathodes() if c.kept_back]
    assert len(kept) == 10
    assert not any(c.trains for c in kept)
    assert {c.ion for c in kept} == {"Li", "Na", "K", "Mg", "Ca"}


def test_what_trains_has_a_voltage_and_a_structure_somewhere():
    for c in all_cathodes():
        if c.trains or c.kept_back:
            assert c.voltage
            assert c.uncertainty
            assert c.x_from is not None
            assert c.x_to
            assert c.structure or c.mp_discharged or c.mp_charged, c.name


@pytest.mark.parametrize("cathode", [c for c in all_cathodes() if c.steps], ids=lambda cathode: cathode.name)
def test_steps_fill_the_range_and_average_to_the_voltage(cathode):
    steps = cathode.steps
    assert (steps[0].x_from, steps[-1].x_to) == (cathode.x_from, cathode.x_to)
    assert all(one.x_to == two.x_from and one.voltage > two.voltage for one, two in itertools.pairwise(steps))
    widths = [step.x_to - step.x_from for step in steps]
    mean = np.average([step.voltage for step in steps], weights=widths)
    assert mean == pytest.approx(cathode.voltage, abs=0.02)


@pytest.mark.parametrize("cathode", usable_cathodes(), ids=lambda cathode: cathode.name)
def test_structures_are_in_the_state_that_the_row_says(cathode):
    """The charged host is the formula of the row, and the discharged one is it with ions put in."""
    from pymatgen.core.composition import Composition

    ion = working_ion(cathode.ion)
    host = Composition(cathode.host)
    if cathode.charged:
        structure = Composition(host_structures()[cathode.charged].formula)
        assert structure.fractional_composition == host.fractional_composition
    if cathode.discharged:
        discharged = host_structures()[cathode.discharged].crystal()
        assert end_member(discharged, ion) == "discharged"
        frame = Composition({symbol: n for symbol, n in host.get_el_amt_dict().items() if symbol != cathode.ion})
        left = Composition(remove_ion(discharged, ion).composition)
        assert left.fractional_composition == frame.fractional_composition
        # It holds more of the ion than the charged host does.
        held = discharged.composition[cathode.ion] * frame.num_atoms / left.num_atoms
        assert held > host.get_el_amt_dict().get(cathode.ion, 0.0)
