"""Unfolding against pymatgen as the oracle."""

import warnings

import gemmi
import numpy as np
import pytest
from pymatgen.core import Composition, Structure
from pymatgen.io.cif import CifParser

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, Limits, read_text
from structures.textbook import (
    ALL,
    ANATASE,
    BADDELEYITE,
    LAYERED,
    LAYERED_RHOMBOHEDRAL,
    OLIVINE,
    ROCK_SALT,
    SPINEL,
    WURTZITE,
    Cell,
)

LOOSE = Limits(volume_per_atom=(0.1, 1000), min_distance=0.01, min_bond=0.0, max_density=1000)


def pymatgen_of(text: str) -> Structure:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CifParser.from_str(text).parse_structures(primitive=False)[0]


def distances(structure: Structure, cutoff: float = 4.5) -> np.ndarray:
    return np.sort(structure.get_neighbor_list(cutoff)[3])


def assert_same(crystal: Crystal, oracle: Structure, atol: float = 1e-6) -> None:
    assert Composition(crystal.composition) == oracle.composition
    assert crystal.volume == pytest.approx(oracle.volume, rel=1e-9)
    mine, theirs = distances(crystal.to_pymatgen()), distances(oracle)
    # The last few may lie on either side of the cutoff.
    n = int(np.sum(theirs < 4.4))
    np.testing.assert_allclose(mine[:n], theirs[:n], atol=atol)


@pytest.mark.parametrize("name", ALL)
def test_operations_like_pymatgen(name):
    text = ALL[name].cif()
    # pymatgen rounds only thirds, and each coordinate for itself.
    assert_same(read_text(text, name), pymatgen_of(text), atol=1e-3)


@pytest.mark.parametrize("name", ["rock salt", "olivine", "lithium-rich", "baddeleyite", "rutile", "triclinic"])
@pytest.mark.parametrize("symmetry", ["name", "number", "hall"])
def test_a_named_group_is_its_operations(name, symmetry):
    cell = ALL[name]
    if symmetry == "number" and name == "baddeleyite":
        assert "is assumed" in read_text(cell.cif(symmetry=symmetry), name).warnings[0]
    assert_same(read_text(cell.cif(symmetry=symmetry), name), pymatgen_of(cell.cif()))


def cell_of(group: gemmi.SpaceGroup) -> tuple[float, ...]:
    """A cell that every operation of the group leaves as it is."""
    operations = [np.array(op.rot) / gemmi.Op.DEN for op in group.operations()]
    metric = np.array([[49.0, 3.0, -4.0], [3.0, 64.0, 5.0], [-4.0, 5.0, 81.0]])
    metric = sum(r.T @ metric @ r for r in operations) / len(operations)
    a, b, c = np.sqrt(np.diag(metric))
    cosines = metric[1, 2] / b / c, metric[0, 2] / a / c, metric[0, 1] / a / b
    return (*(float(x) for x in (a, b, c)), *(float(np.degrees(np.arccos(x))) for x in cosines))


@pytest.mark.parametrize("group", list(gemmi.spacegroup_table())[4::37], ids=lambda group: group.xhm())
def test_groups_in_every_setting(group):
    sites = (("Na1", "0", "0", "0"), ("O1", "0.031", "0.127", "0.286"))
    text = Cell(group.xhm(), cell_of(group), sites).cif(group=group)
    assert_same(read_text(text, group.xhm(), limits=LOOSE), pymatgen_of(text), atol=1e-4)


@pytest.mark.parametrize("spelling", ["Pnma", "P n m a", "p n m a", "P_n_m_a"])
def test_spellings(spelling):
    text = OLIVINE.cif(symmetry="name").replace("P n m a", spelling)
    assert len(read_text(text, "olivine")) == 24


def test_axes_follow_from_the_angles():
    for cell in (LAYERED, LAYERED_RHOMBOHEDRAL):
        text = cell.cif(symmetry="name").replace(cell.group, "R -3 m")
        assert_same(read_text(text, "layered"), pymatgen_of(cell.cif()), atol=1e-3)


@pytest.mark.parametrize("cell", [SPINEL, ANATASE])
def test_two_origins(cell):
    assert len(read_text(cell.cif(symmetry="name"), "stated")) == len(read_text(cell.cif(), "listed"))
    bare = cell.cif(symmetry="name").replace(":2", "")
    with pytest.raises(InputError, match=r"origin of space group .* is not stated"):
        read_text(bare, "bare")
    # The databases' own way to state it.
    assert len(read_text(cell.cif(symmetry="name").replace(":2", " Z"), "Z")) == len(read_text(cell.cif(), "listed"))


@pytest.mark.parametrize("digits", ["0.333", "0.3333", "0.33333", "0.333333333"])
def test_a_rounded_third_stays_one_atom(digits):
    sites = (
        ("Zn1", digits, str(round(2 * float(digits), 9)), "0"),
        ("O1", digits, str(2 * float(digits)), "0.3819"),
    )
    crystal = read_text(WURTZITE.with_sites(*sites).cif(), "wurtzite")
    assert crystal.composition == {"Zn": 2, "O": 2}
    assert_same(crystal, pymatgen_of(WURTZITE.cif()), atol=1e-4)


def test_order_of_sites_is_kept():
    symbols = read_text(SPINEL.cif(), "spinel").symbols
    assert symbols == ["Li"] * 8 + ["Mn"] * 16 + ["O"] * 32


def test_operations_that_do_not_fit_the_cell():
    with pytest.raises(InputError, match="do not fit the cell"):
        read_text(ROCK_SALT.with_cell(5.6, 5.6, 7.0, 90, 90, 90).cif(), "stretched")
    with pytest.raises(InputError, match="do not fit the cell"):
        read_text(LAYERED_RHOMBOHEDRAL.with_cell(*LAYERED.cell).cif(), "axes")


@pytest.mark.parametrize("operation", ["rubbish", "2x,y,z", "x,y", "x+1/7,y,z", "x,y,z,u", "", "0,0,0", "x,y,z+1e9"])
def test_bad_operations(operation):
    text = BADDELEYITE.cif().replace("'x,y,z'", f"'{operation}'")
    with pytest.raises(InputError, match=r"symmetry operation|form no group|do not fit"):
        read_text(text, "bad")


def test_a_list_of_operations_cut_short():
    text = OLIVINE.cif().replace("'-x,-y,-z'\n", "")
    with pytest.raises(InputError, match="form no group"):
        read_text(text, "short")


def test_operations_may_be_listed_twice():
    text = OLIVINE.cif().replace("'-x,-y,-z'\n", "'-x,-y,-z'\n'1-x, -y ,-z'\n'-x,-y,-z'\n")
    assert len(read_text(text, "twice")) == 24


@pytest.mark.parametrize("name", ["P 9 9 9", "rubbish", "é", "x" * 500])
def test_unknown_space_group(name):
    text = ROCK_SALT.cif(symmetry="none", extra=f"_space_group_name_H-M_alt '{name}'")
    with pytest.raises(InputError, match="no known space group"):
        read_text(text, "unknown")


def test_what_is_assumed_is_said():
    none = ROCK_SALT.cif(symmetry="none")
    assert read_text(none, "none").warnings == ("no symmetry is stated; the atoms are taken as all there are (P 1)",)
