"""Whatever goes in, a crystal or an InputError comes out."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, as_crystal, check, read_text
from structures.test_formats import REFINED, RES
from structures.textbook import ALL, P1, POSCAR

pytestmark = pytest.mark.slow

ODD = [
    "nan", "inf", "-1", "0", "1e300", "1e-300", "?", ".", "'", '"', ";", '\n;', '\n', "#", "loop_",
    "data_", 'data_b\n', "save_", "_", "$", "[", "(", ")",
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "-0.0", "0.5(", "1/2", "x,y,z", "'-x,-y,-z'", '\x00', '\ufeff', '\xe9', '\ud800',
    "_atom_site_occupancy", "_cell_length_a 3", "_symmetry_Int_Tables_number 225",
    "_space_group_name_Hall 'P 1'", "Qq", "D", "_space_group_name_H-M_alt 'F d -3 m'", "selective",
    "cartesian", "global_", "stop_", '\u2028', '\x0c', '\r', "1_0",
]  # fmt: skip
XYZ = '2\nLattice="4.12 0 0 0 4.12 0 0 0 4.12" Properties=species:S:1:pos:R:3\nCs 0 0 0\nCl 2.06 2.06 2.06\n'
TEXTS = [
    P1, POSCAR, *(cell.cif() for cell in ALL.values()), ALL["spinel"].cif(symmetry="name"), XYZ, RES, REFINED,
    read_text(P1, "x").to_pymatgen().to_json(),
    P1 + "_chemical_formula_sum 'Cs (Cl2)2'\n_chemical_formula_moiety 'Cs, 2(H2 O)'\n_cell_formula_units_Z 1\n",
]  # fmt: skip


@st.composite
def mutated(draw):
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 30, 200]))
        kind = draw(st.sampled_from(["odd", "any", "copy", "token"]))
        if kind == "odd":
            new = draw(st.sampled_from(ODD))
        elif kind == "any":
            new = draw(st.text(max_size=6))
        elif kind == "copy":
            begin = draw(st.integers(0, len(text)))
            new = text[begin : begin + draw(st.integers(1, 200))]
        else:
            words = text.split(" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(ODD))
            text, new, length = " ".join(words), "", 0
        text = text[:at] + new + text[at + length :]
    return text


def refused_in_one_line(error):
    assert str(error).isprintable()
    assert error.rule
    assert error.remedy


def fate(text, **options):
    try:
        crystal = read_text(text, "input", **options)
    except InputError as error:
        refused_in_one_line(error)
        return None
    assert np.isfinite(crystal.frac_coords).all()
    return crystal


@settings(max_examples=500, deadline=None)
@given(mutated())
def test_mutated_files(text):
    fate(text)


@settings(max_examples=150, deadline=None)
@given(mutated(), st.sampled_from(["cif", "poscar", "res", "xyz", "json", "traj", "zip"]))
def test_mutated_files_of_a_stated_format(text, fmt):
    fate(text, fmt=fmt)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["", "data_a\n", "\x1f\x8b\x08", P1, POSCAR]))
def test_bytes(junk, head):
    fate(head.encode("latin-1") + junk)
    fate(junk + head.encode("latin-1"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_gzip(data):
    packed = bytearray(gzip.compress(P1.encode(), mtime=0))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    fate(bytes(packed))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_text(text):
    fate(text)
    try:
        as_crystal(text)
    except InputError as error:
        refused_in_one_line(error)


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.float64, (3, 3), elements=st.floats() | st.floats(-20, 20)),
    hnp.arrays(np.float64, (4, 3), elements=st.floats() | st.floats(-2, 2)),
    st.lists(st.integers(-5, 130), min_size=4, max_size=4),
)
def test_arrays(lattice, frac, numbers):
    crystal = Crystal(lattice, np.array(numbers), frac)
    try:
        assert check(crystal) is crystal
    except InputError as error:
        refused_in_one_line(error)


@pytest.mark.parametrize("text", TEXTS)
def test_the_files_themselves_are_sound(text):
    assert fate(text) is not None
