"""The ways in which programs and databases write the same crystal."""

import pytest

from ionvolt.errors import InputError
from ionvolt.structures import Limits, as_crystal, read_disordered, read_file, read_many, read_text
from structures.textbook import LAYERED, OLIVINE, P1, ROCK_SALT, RUTILE, SPINEL, p1


def rule(text, **options):
    with pytest.raises(InputError) as caught:
        read_text(text, "file.cif", **options)
    return caught.value.rule


@pytest.mark.parametrize(
    "data",
    [
        ("# © 2012 by a database, Müller\n" + P1).encode("latin-1"),
        ("# a “quoted” remark – of Windows\n" + P1).encode("cp1252"),
        P1.encode("utf-16"),
        b"\xfe\xff" + P1.encode("utf-16-be"),
        P1.encode("utf-32"),
        P1.encode("utf-8-sig"),
        (P1 + "\x1a").encode(),
        (P1.replace("\n", "\r\n") + "\x1a\x00\x00").encode(),
    ],
)
def test_encodings(data):
    assert read_text(data, "file.cif").symbols == ["Cs", "Cl"]


def test_binary_data_stay_refused():
    assert "binary" in rule(P1.encode("utf-16-be"))
    assert "binary" in rule(("\x1a" + P1).encode())
    assert "UTF-16" in rule(b"\xff\xfe" + b"\x00\xd8" * 5)


def test_tags_that_are_given_twice():
    assert read_text(P1 + "_chemical_formula_sum ''\n_chemical_formula_sum 'Cs Cl'\n", "x").doubts == ()
    assert read_text(P1 + "_journal_year 1998\n_journal_year 1999\n", "x").symbols == ["Cs", "Cl"]
    assert read_text(P1 + "_cell_length_a 4.12\n", "x").symbols == ["Cs", "Cl"]
    assert rule(P1 + "_cell_length_a 5.0\n") == "_cell_length_a is given twice, as '4.12' and '5.0'"
    again = "loop_\n_atom_site_fract_x\n0.1\n0.2\n"
    assert "given in two loops" in rule(P1 + again)


@pytest.mark.parametrize(
    "damage",
    [
        "loop_\n_geom_bond_atom_site_label_1\n_geom_bond_distance\nCs1 3.5 Cl1\n",
        "loop_\n_publ_author_name\n_publ_author_address\n'Only, A'\n",
        "_publ_section_title 'never closed\n",
        "loop_\n_atom_site_aniso_label\n_atom_site_aniso_U_11\nCs1 0.1 0.2\n",
    ],
)
def test_damage_where_it_does_not_matter(damage):
    head, tail = P1.split("loop_\n _symmetry_equiv_pos_site_id")
    assert read_text(P1 + damage, "x").symbols == ["Cs", "Cl"]
    assert read_text(head + damage + "loop_\n _symmetry_equiv_pos_site_id" + tail, "x").symbols == ["Cs", "Cl"]


def test_damage_where_it_matters():
    assert "not a valid CIF" in rule(P1.replace("Cl Cl1 0.5", "Cl Cl1"))
    assert "not a valid CIF" in rule(P1.replace("'x, y, z'", "'x, y, z"))


def test_a_block_without_its_first_line():
    assert read_text(P1.replace("data_CsCl\n", ""), "x").symbols == ["Cs", "Cl"]


@pytest.mark.parametrize(
    ("label", "element"),
    [
        ("MgA", "Mg"),
        ("CaM1", "Ca"),
        ("AlT1", "Al"),
        ("Ow", "O"),
        ("Ow1", "O"),
        ("Hw1", "H"),
        ("Oh", "O"),
        ("Og1", "O"),
        ("OH2", "O"),
        ("NaA", "Na"),
        ("FeM2", "Fe"),
        ("SiT", "Si"),
        ("Ho1", "Ho"),
        ("Tm2", "Tm"),
        ("OWA", "O"),
    ],
)
def test_labels_that_are_clear(label, element):
    assert element in read_text(ROCK_SALT.cif().replace("Na1", label), "x").composition


@pytest.mark.parametrize("label", ["T1", "TM1", "HO1", "HO", "T", "FEA", "OS1", "Wat", "VAC", "Void1", "Hal1"])
def test_labels_that_mislead(label):
    assert "element" in rule(ROCK_SALT.cif().replace("Na1", label))


@pytest.mark.parametrize(
    ("label", "formula", "element"),
    [
        ("HO1", "H Cl", "H"),
        ("HO1", "Ho Cl", "Ho"),
        ("CO1", "C Cl", "C"),
        ("CO1", "Co Cl", "Co"),
        ("OS1", "O Cl", "O"),
        ("OS1", "Os Cl", "Os"),
        ("Os1", "O Cl", "O"),
        ("FEA", "Fe Cl", "Fe"),
        ("B1", "B Cl", "B"),
        ("D1", "D Cl", "H"),
        ("Feoct", "Fe Cl", "Fe"),
        ("TM1", "Tm Cl", "Tm"),
        ("W1", "W Cl", "W"),
    ],
)
def test_labels_that_the_formula_tells_apart(label, formula, element):
    text = ROCK_SALT.cif(extra=f"_chemical_formula_sum '{formula}'").replace("Na1", label)
    crystal = read_text(text, "x")
    assert crystal.composition == {element: 4, "Cl": 4}
    assert crystal.doubts == ()


@pytest.mark.parametrize(
    ("label", "formula"),
    [
        ("TM1", "Ni Cl"),
        ("Tm1", "Ni Cl"),
        ("T1", "Si Cl"),
        ("HO1", "Ni Cl"),
        ("HO1", "Ho H Cl"),
        ("B1", "Mn Cl"),
        ("W1", "H2 O Cl"),
        ("OW1", "Ni Cl"),
    ],
)
def test_labels_that_the_formula_denies(label, formula):
    assert "element" in rule(ROCK_SALT.cif(extra=f"_chemical_formula_sum '{formula}'").replace("Na1", label))


@pytest.mark.parametrize("symbol", ["T", "TM", "HO"])
def test_type_symbols_that_the_formula_denies(symbol):
    text = p1((symbol, 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1), cell=(3.6, 3.6, 3.6, 90, 90, 90))
    assert "does not say which element" in rule(text + "_chemical_formula_sum 'Ni Cl'\n")


@pytest.mark.parametrize("symbol", ["Fe2+,spin=5", "Ni3+,spin=1", "Fe2+,spin=-4.2", "Fe,spin=5", "Fe0+"])
def test_spins_in_type_symbols(symbol):
    text = p1((symbol, 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1), cell=(3.6, 3.6, 3.6, 90, 90, 90))
    assert read_text(text, "x").symbols == [symbol[:2], "Cl"]


@pytest.mark.parametrize(
    "tag",
    [
        "_space_group_symop_magn_operation_xyz",
        "_space_group_symop.magn_operation_xyz",
        "_space_group_symop_magn_operation.xyz",
        "_space_group_symop_magn.operation_xyz",
    ],
)
@pytest.mark.parametrize("reversal", [",+1", ",-1", ", -1", ",1"])
def test_magnetic_operations(tag, reversal):
    plain = RUTILE.cif()
    text = plain.replace("_space_group_symop_operation_xyz", tag)
    for line in plain.splitlines():
        if line.startswith("'") and line.endswith("'"):
            text = text.replace(line, f"{line[:-1]}{reversal}'")
    crystal = read_text(text, "magnetic")
    assert crystal.composition == {"Ti": 2, "O": 4}
    assert "magnetic" in crystal.warnings[0]


@pytest.mark.parametrize(
    "tag",
    [
        "_space_group_symop_magn_centering_xyz",
        "_space_group_symop.magn_centering_xyz",
        "_space_group_symop_magn_centering.xyz",
    ],
)
def test_magnetic_centerings_are_combined(tag):
    plain = ROCK_SALT.cif().split("loop_\n_space_group")[0] + ROCK_SALT.cif()[ROCK_SALT.cif().rindex("loop_") :]
    import gemmi

    group = gemmi.find_spacegroup_by_name("F m -3 m").operations()
    operations = "\n".join(f"'{op.triplet()},+1'" for op in group.sym_ops)
    shifts = "'x,y,z,+1'\n'x,y+1/2,z+1/2,-1'\n'x+1/2,y,z+1/2,-1'\n'x+1/2,y+1/2,z,+1'"
    text = f"{plain}loop_\n_space_group_symop_magn_operation.xyz\n{operations}\nloop_\n{tag}\n{shifts}\n"
    assert read_text(text, "magnetic").composition == {"Na": 4, "Cl": 4}


def test_magnetic_operations_that_are_none():
    text = ROCK_SALT.cif(symmetry="none", extra="loop_\n_space_group_symop_magn_operation.xyz\n'x,y,u,+1'")
    assert "not a symmetry operation" in rule(text)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (OLIVINE, "P n m a"),
        (OLIVINE, "P 21/n 21/m 21/a"),
        (SPINEL, "F d -3 m Z"),
        (SPINEL, "F d -3 m (origin choice 2)"),
        (SPINEL, "Fd-3mZ"),
        (SPINEL, "F d -3 m O2"),
        (SPINEL, "F 41/d -3 2/m :2"),
        (LAYERED, "R -3 m H"),
        (LAYERED, "R-3mH"),
        (LAYERED, "R -3 2/m"),
        (RUTILE, "P 42/m 21/n 2/m"),
        (RUTILE, "P4(2)/mnm"),
        (RUTILE, "P 4~2~/m n m"),
        (RUTILE, "P 4_2/mnm"),
        (ROCK_SALT, "F 4/m -3 2/m"),
        (ROCK_SALT, "F m 3 m"),
    ],
)
def test_spellings_of_space_groups(cell, written):
    text = cell.cif(symmetry="name").replace(f"'{cell.group}'", f"'{written}'")
    assert read_text(text, "x").composition == read_text(cell.cif(), "x").composition


def test_more_spellings_of_space_groups():
    from ionvolt.structures.symmetry import from_space_group

    hexagonal, rhombohedral = (90.0, 90.0, 120.0), (50.0, 50.0, 50.0)
    for name, n, angles in (
        ("P2(1)/c", 4, (90.0, 99.0, 90.0)), ("P 2 1/c", 4, (90.0, 99.0, 90.0)), ("R -3 c RS", 12, rhombohedral),
        ("R -3 c HS", 36, hexagonal), ("R -3 c R", 12, rhombohedral), ("P2<sub>1</sub>/c", 4, (90.0, 99.0, 90.0)),
        ("P 6(3)/m m c", 24, hexagonal), ("P2(1)2(1)2(1)", 4, (90.0,) * 3),
    ):  # fmt: skip
        assert len(from_space_group(name, 0, "", angles, "x")[0]) == n


def test_simple_fractions():
    text = RUTILE.cif(symmetry="name").replace("Ti1 0 0 0", "Ti1 0 0/1 0").replace("0.3053 0", "0.3053 0")
    assert len(read_text(text, "x")) == 6
    assert len(read_text(ROCK_SALT.cif().replace("0.5 0.5 0.5", "1/2 1/2 1/2"), "x")) == 8


TWO = P1.replace("data_CsCl", "data_one") + RUTILE.cif(name="two").replace("data_cell", "data_two")


def test_several_blocks(tmp_path):
    path = tmp_path / "two.cif"
    path.write_text(TWO)
    found = list(read_many([str(path)]))
    assert [(one.source, one.formula) for one in found] == [(f"{path}#one", "CsCl"), (f"{path}#two", "TiO2")]
    assert read_file(f"{path}#two").formula == "TiO2"
    assert read_file(f"{path}#2").source == f"{path}#2"
    assert as_crystal(f"{path}#ONE").formula == "CsCl"
    (chosen,) = read_many([f"{path}#two"])
    assert chosen.source == f"{path}#two"
    assert read_disordered(f"{path}#two").is_ordered
    with pytest.raises(InputError, match="2 structures in one file") as caught:
        read_file(path)
    assert "two.cif#one" in caught.value.remedy
    (error,) = read_many([f"{path}#three"])
    assert "no structure in it is called 'three'" in error.rule
    assert read_text(TWO, "x", chosen="two").formula == "TiO2"


def test_a_block_that_is_refused_spoils_no_other(tmp_path):
    path = tmp_path / "two.cif"
    path.write_text(TWO.replace("Cs Cs0", "Qq Cs0"))
    error, crystal = read_many([str(path)])
    assert isinstance(error, InputError)
    assert error.source == f"{path}#one"
    assert crystal.formula == "TiO2"


def test_blocks_of_the_same_name_and_blocks_without_atoms(tmp_path):
    path = tmp_path / "x.cif"
    empty = P1[: P1.index("  Cs Cs0")].replace("data_CsCl", "data_empty") + " ? ? ? ? ? ?\n"
    path.write_text("data_global\n_journal_year 1998\n" + P1 + P1 + empty)
    assert [one.source.rpartition("#")[2] for one in read_many([str(path)])] == ["CsCl", "CsCl:2"]


def test_a_file_with_a_mark_in_its_name(tmp_path):
    path = tmp_path / "a#1.cif"
    path.write_text(P1)
    assert read_file(path).source == str(path)


HKL = "\n".join(f"{h:4d}{h % 7:4d}{-h % 5:4d}  123.45    1.20" for h in range(1000)) * 40


@pytest.mark.parametrize(
    "embedded",
    [
        f"_shelx_hkl_file\n;\n{HKL}\n;\n_shelx_hkl_checksum 12\n",
        "loop_\n_refln_index_h\n_refln_index_k\n_refln_index_l\n_refln_F_squared_meas\n"
        + "\n".join(f"{h} 1 2 3.4" for h in range(100_000))
        + "\n",
    ],
)
def test_reflections_are_skipped(embedded):
    limits = Limits(max_bytes=200_000)
    head, tail = P1.split("loop_\n _atom_site_type_symbol")
    text = f"{head}{embedded}loop_\n _atom_site_type_symbol{tail}"
    assert len(text) > 4 * limits.max_bytes
    assert read_text(text, "x", limits=limits).symbols == ["Cs", "Cl"]
    assert read_text(P1 + embedded, "x", limits=limits).symbols == ["Cs", "Cl"]
    assert "more than 0.2 MB" in rule(P1 + "#" * 300_000, limits=limits)
    assert "more than 0.2 MB" in rule(P1 + embedded * 3, limits=limits)
