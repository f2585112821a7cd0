"""What a CIF may and may not hold."""

import time

import gemmi
import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.structures import Limits, read_text
from structures.textbook import ALL, OLIVINE, P1, ROCK_SALT, p1


def rule(text, **options):
    with pytest.raises(InputError) as caught:
        read_text(text, "file.cif", **options)
    message = str(caught.value)
    assert message.startswith("file.cif: ")
    assert "\n" not in message
    assert caught.value.rule
    assert caught.value.remedy
    return caught.value.rule


def test_a_plain_file():
    crystal = read_text(P1, "file.cif")
    assert crystal.composition == {"Cs": 1, "Cl": 1}
    assert crystal.source == "file.cif"
    assert crystal.warnings == ()
    assert crystal.volume == pytest.approx(4.12**3)
    np.testing.assert_allclose(crystal.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    "text",
    [
        P1.encode(),
        "\ufeff" + P1,
        P1.replace("\n", "\r\n"),
        P1.replace("data_", "DATA_"),
        P1.replace("_cell_length_a", "_Cell_Length_A"),
        "# Müller\n" + P1,
        P1 + "_publ_author_name 'Ström, Å.'\n",
        P1.replace("90\n", "90.00(1)\n"),
        P1.replace(" 1\n", " 1.0(2)\n", 1),
        "data_global\n_journal_year 1998\n" + P1,
    ],
)
def test_ways_to_write_the_same(text):
    assert read_text(text, "file.cif").composition == {"Cs": 1, "Cl": 1}


@pytest.mark.parametrize(
    ("written", "element"),
    [("Fe3+", "Fe"), ("O2-", "O"), ("FE", "Fe"), ("fe", "Fe"), ("Fe0+", "Fe"), ("Fe+3", "Fe")],
)
def test_type_symbols(written, element):
    text = p1((written, 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1))
    assert read_text(text, "file.cif").symbols == [element, "Cl"]


@pytest.mark.parametrize("label", ["Fe1", "Fe", "Fe1A", "Fe_1", "Fe(1)", "fe1"])
def test_labels_where_there_are_no_symbols(label):
    crystal = read_text(ROCK_SALT.cif().replace("Na1", label), "file.cif")
    assert crystal.composition == {"Fe": 4, "Cl": 4}
    assert crystal.warnings == ()


@pytest.mark.parametrize(("label", "element"), [("OW1", "O"), ("CA1", "Ca"), ("FE2", "Fe"), ("NA", "Na")])
def test_labels_that_could_be_read_otherwise(label, element):
    crystal = read_text(ROCK_SALT.cif().replace("Na1", label), "file.cif")
    assert element in crystal.composition
    assert f"is read as the element {element}" in crystal.warnings[0]


@pytest.mark.parametrize("symbol", ["Qq", "X", "Va", "VAC", "Xx", "Wat", "Fe_pv", "1", "é", "Fe3+extra", "OH"])
def test_unknown_elements(symbol):
    assert "is no element" in rule(p1((symbol, 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1)))


@pytest.mark.parametrize("label", ["Qq1", "Va1", "VAC1", "1Fe", "?", "Wat1"])
def test_unknown_labels(label):
    assert "is no element" in rule(ROCK_SALT.cif().replace("Na1", label))


def test_a_missing_symbol_is_taken_from_the_label():
    assert read_text(P1.replace("  Cs Cs0", "  ? Cs0"), "file.cif").symbols == ["Cs", "Cl"]


def test_deuterium():
    text = p1(("Li", 0, 0, 0, 1), ("D", 0.5, 0.5, 0.5, 1))
    crystal = read_text(text, "file.cif")
    assert crystal.symbols == ["Li", "H"]
    assert crystal.warnings == ("deuterium is taken as hydrogen",)


@pytest.mark.parametrize("occupancy", ["0.5", "0.999(1)0", "0.01", "0.95(2)"])
def test_partial_occupancy(occupancy):
    text = p1(("Cs", 0, 0, 0, occupancy), ("Cl", 0.5, 0.5, 0.5, 1))
    assert "occup" in rule(text)


@pytest.mark.parametrize("occupancy", ["-1", "nan", "NaN", "inf", "1.5", "2", "one", "1e300"])
def test_senseless_occupancy(occupancy):
    assert "the occupancy of site 'Cs0' is" in rule(p1(("Cs", 0, 0, 0, occupancy), ("Cl", 0.5, 0.5, 0.5, 1)))


def test_occupancies_left_open():
    assert read_text(p1(("Cs", 0, 0, 0, "."), ("Cl", 0.5, 0.5, 0.5, "1.000(3)")), "file.cif").warnings == ()
    crystal = read_text(p1(("Cs", 0, 0, 0, "?"), ("Cl", 0.5, 0.5, 0.5, 1)), "file.cif")
    assert crystal.warnings == ("an occupancy is not stated and taken as 1",)


def test_mixed_sites():
    half = p1(("Fe", 0, 0, 0, 0.5), ("Mn", 0, 0, 0, 0.5), ("Cl", 0.5, 0.5, 0.5, 1))
    assert "disordered" in rule(half)
    full = p1(("Fe", 0, 0, 0, 1), ("Mn", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1))
    assert "0.000 Å apart" in rule(full)


def test_flags_of_disorder_are_passed_on():
    flagged = OLIVINE.cif().replace("_atom_site_fract_z\n", "_atom_site_fract_z\n_atom_site_disorder_group\n")
    lines = [line + " 1" if line[:1] in "FPO" and len(line.split()) == 4 else line for line in flagged.splitlines()]
    assert "disordered" in read_text("\n".join(lines), "file.cif").warnings[0]


@pytest.mark.parametrize("value", ["0", "-5", "nan", "inf", "-inf", "1e300", "?", ".", "abc", "1_0", "0x10", "1,5"])
@pytest.mark.parametrize("index", [0, 2, 3, 5])
def test_cell_parameters(value, index):
    cell = [4.12, 4.12, 4.12, 90, 90, 90]
    cell[index] = value
    assert rule(p1(cell=cell)).startswith("_cell_")


@pytest.mark.parametrize("angles", [(180, 90, 90), (200, 90, 90), (170, 170, 170), (30, 60, 120), (90, 90, 1e-9)])
def test_angles_of_no_cell(angles):
    assert "angle" in rule(p1(cell=(4.12, 4.12, 4.12, *angles)))


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "-1e300", "1e999", "?", ".", "abc", "1/0", "1001", "0.1.2"])
def test_coordinates(value):
    assert "number" in (r := rule(p1(("Cs", 0, 0, 0, 1), ("Cl", 0.5, value, 0.5, 1)))) or "coordinate" in r


def test_coordinates_outside_the_cell_are_fine():
    crystal = read_text(p1(("Cs", -1, 0, 2, 1), ("Cl", 0.5, 1.5, -0.5, 1)), "file.cif")
    assert len(crystal) == 2


def test_missing_parts():
    assert "_cell_length_b is missing" in rule(P1.replace("_cell_length_b", "_cell_no"))
    assert "_atom_site_fract_y" in rule(P1.replace("_atom_site_fract_y", "_atom_site_no"))
    assert "no elements" in rule(P1.replace("_atom_site_label", "_no").replace("_atom_site_type_symbol", "_neither"))
    cartesian = P1.replace("_atom_site_fract_", "_atom_site_Cartn_")
    assert "no fractional coordinates" in rule(cartesian)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "hello\nworld",
        "data_",
        "data_a\n_cell_length_a 3\n",
        "# only a remark\n",
        "{}",
        "<html></html>",
    ],
)
def test_no_structure(text):
    assert any(part in rule(text) for part in ("empty", "no structure", "no atoms"))


def test_several_structures():
    other = P1.replace("data_CsCl", "data_other")
    assert rule(P1 + other) == "2 structures in one file (CsCl, other)"
    assert rule(P1 + P1).startswith("2 structures in one file")
    assert rule(P1 + other.replace("other", "cscl")).startswith("2 structures in one file")


def test_broken_syntax():
    assert "not a valid CIF" in rule(P1.replace("Cl Cl1 0.5", "Cl Cl1"))
    assert "not a valid CIF" in rule(P1.replace("'x, y, z'", "'x, y, z"))
    assert "_cell_length_b is missing" in rule(P1.replace("_cell_length_b", "_cell_length_a"))


def test_physics():
    assert "Å^3 per atom" in rule(p1(cell=(40, 40, 40, 90, 90, 90)))
    assert "Å^3 per atom" in rule(p1(cell=(1, 1, 1, 90, 90, 90)))
    assert "g/cm^3" in rule(p1(("Os", 0, 0, 0, 1), ("Os", 0.5, 0.5, 0.5, 1), cell=(2, 2, 3, 90, 90, 90)))
    assert "0.412 Å apart" in rule(p1(("Cs", 0, 0, 0, 1), ("Cl", 0, 0, 0.1, 1)))
    assert "0.412 Å apart" in rule(p1(("Cs", 0, 0, 0, 1), ("Cl", 0, 0, 0.9, 1)))


def test_isolated_atom():
    chain = [("C", 0.5, 0.5, k / 6, 1) for k in range(6)]
    text = p1(("He", 0, 0, 0, 1), *chain, cell=(11.0, 11.0, 8.5, 90, 90, 90))
    assert len(read_text(text, "near")) == 7
    text = p1(("He", 0, 0, 0, 1), *chain, cell=(11.5, 11.5, 8.5, 90, 90, 90))
    assert rule(text) == "He (atom 1) has no neighbour within 8 Å"


def refused_quickly(text, seconds=1.0, **options):
    begin = time.perf_counter()
    message = rule(text, **options)
    assert time.perf_counter() - begin < seconds
    return message


def general_sites(n):
    # Far enough from every symmetry element of Fm-3m.
    return [(f"O{i}", "0.03", "0.11", f"{0.14 + 0.08 * i / n:.5f}") for i in range(n)]


def test_symmetry_bombs():
    fifty = ROCK_SALT.with_sites(*general_sites(50)).with_cell(30, 30, 30, 90, 90, 90)
    assert refused_quickly(fifty.cif()) == "9600 atoms in the cell are more than 2000"
    assert "9600 atoms" in refused_quickly(fifty.cif(symmetry="name"))
    many = ROCK_SALT.with_sites(*general_sites(200)).with_cell(30, 30, 30, 90, 90, 90)
    assert "200 sites times 192 operations" in refused_quickly(many.cif())
    shifts = "\n".join(f"'x+{i}/24,y+{j}/24,z+{k}/24'" for i in range(24) for j in range(24) for k in range(24))
    text = ROCK_SALT.cif(symmetry="none", extra=f"loop_\n_symmetry_equiv_pos_as_xyz\n{shifts}")
    assert "13824 symmetry operations" in refused_quickly(text)


def test_tiny_and_thin_cells():
    assert refused_quickly(p1(cell=(0.1, 0.1, 0.1, 90, 90, 90)))
    assert "thick" in refused_quickly(p1(cell=(0.1, 0.1, 400, 90, 90, 90)))
    assert "thick" in refused_quickly(p1(cell=(1e-300, 1e-300, 1e-300, 90, 90, 90)))
    assert "thick" in refused_quickly(p1(cell=(4.12, 4.12, 4.12, 90, 90, 0.1)))
    assert "apart" in refused_quickly(p1(cell=(4.12, 4.12, 0.6, 90, 90, 90)), limits=Limits(min_distance=0.7))


def test_too_many_atoms():
    rows = [("C", i / 3000, 0, 0, 1) for i in range(3000)]
    assert rule(p1(*rows)) == "3000 atoms in the cell are more than 2000"
    pile = [("C", 0, 0, 0, 1)] * 2000
    assert "0.000 Å apart" in refused_quickly(p1(*pile, cell=(25, 25, 25, 90, 90, 90)), seconds=5)


def test_many_rows_are_no_problem():
    rows = " ".join(["1"] * 200_000)
    refused_quickly(f"data_a\nloop_\n_atom_site_fract_x\n{rows}\n", seconds=3)


def test_lattice_convention():
    for cell in ALL.values():
        crystal = read_text(cell.cif(), "cell")
        assert crystal.volume == pytest.approx(gemmi.UnitCell(*cell.cell).volume, rel=1e-9)


def test_messages_are_one_line():
    odd = P1.replace("Cs Cs0", "'Q\tq' Cs0")
    assert "\t" not in rule(odd)
    with pytest.raises(InputError) as caught:
        read_text("", "name\nwith\x1b[31m breaks")
    assert str(caught.value).startswith("name\\nwith\\x1b[31m breaks: the file is empty. Give a CIF, POSCAR")
    assert len(rule(P1.replace("Cs Cs0", "Q" * 5000 + " Cs0"))) < 200
