"""What a file says of its contents, held against what it lists."""

import gzip
import itertools
import json

import pytest

from ionvolt.errors import InputError
from ionvolt.structures import read_disordered, read_text
from ionvolt.structures.formulas import formula_of, multiple, parse_formula
from structures.textbook import LAYERED, OLIVINE, P1, ROCK_SALT, RUTILE, SPINEL, Cell, p1

BRUCITE = Cell(
    "P -3 m 1",
    (3.142, 3.142, 4.766, 90, 90, 120),
    (("Mg1", "0", "0", "0"), ("O1", "0.3333", "0.6667", "0.22"), ("H1", "0.3333", "0.6667", "0.43")),
)
BARE = BRUCITE.with_sites(*BRUCITE.sites[:2])


def rule(text, **options):
    with pytest.raises(InputError) as caught:
        read_text(text, "file.cif", **options)
    return caught.value.rule


def stating(cell, formula, tag="_chemical_formula_sum", **options):
    return cell.cif(extra=f"{tag} '{formula}'", **options)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Li4 Fe4 P4 O16", {3: 4, 26: 4, 15: 4, 8: 16}),
        ("LiFePO4", {3: 1, 26: 1, 15: 1, 8: 4}),
        ("Li3 Mn0.3 O6", {3: 3, 25: 0.3, 8: 6}),
        ("Na3 V2 (P O4)3", {11: 3, 23: 2, 15: 3, 8: 12}),
        ("Ca S O4, 2(H2 O)", {20: 1, 16: 1, 8: 6, 1: 4}),
        ("Ca S O4 . 2H2 O", {20: 1, 16: 1, 8: 6, 1: 4}),
        ("Ni 2+, 2(O H -)", {28: 1, 8: 2, 1: 2}),
        ("K4 [Fe (C N)6]", {19: 4, 26: 1, 6: 6, 7: 6}),
        ("D2 O", {1: 2, 8: 1}),
        ("Li~2~O", {3: 2, 8: 1}),
        ("'C42 H26 N4 * C7 H7'", {6: 49, 1: 33, 7: 4}),
    ],
)
def test_formulas(text, amounts):
    found = parse_formula(text)
    assert found is not None
    assert dict(found.amounts) == pytest.approx(amounts)


@pytest.mark.parametrize(
    "text", ["", "?", "x", "Qq2", "Li(1-x)CoO2", "(Li", "Li)", "2", "Li 2 3", "lithium", "(" * 900]
)
def test_what_is_no_formula(text):
    assert parse_formula(text) is None


def test_multiples_within_the_digits_that_are_printed():
    stated = parse_formula("Li0.33 Mn O2")
    assert multiple(stated, {3: 1, 25: 3, 8: 6}) == pytest.approx(3, rel=0.02)
    assert multiple(stated, {3: 1, 25: 2, 8: 4}) is None
    assert multiple(parse_formula("Li3 P S4"), {3: 16, 15: 4, 16: 16}) is None
    assert formula_of({3: 16, 15: 4, 16: 16}) == "Li4PS4"


def test_another_composition_than_the_file_states():
    crystal = read_text(stating(SPINEL, "Li Mn O2"), "x")
    assert crystal.doubts == ("the file states the formula LiMnO2, but LiMn2O4 was read",)
    assert crystal.doubts[0] in crystal.warnings
    assert read_text(stating(SPINEL, "Li8 Mn16 O32"), "x").doubts == ()
    assert read_text(stating(SPINEL, "Mn2 O4 Li"), "x").doubts == ()


def test_doubts_stay_with_the_crystal():
    from dataclasses import replace

    crystal = read_text(stating(SPINEL, "Li Mn O2"), "x")
    assert replace(crystal, warnings=()).warnings == crystal.doubts
    assert replace(crystal, source="y").doubts == crystal.doubts


def test_hydrogens_that_are_missing():
    (doubt,) = read_text(stating(BARE, "H2 Mg O2"), "x").doubts
    assert doubt == "the file states the formula H2MgO2, but MgO2 was read: its hydrogens are missing"
    assert read_text(stating(BRUCITE, "H2 Mg O2"), "x").doubts == ()
    for tag, text in (
        ("_chemical_formula_moiety", "Mg 2+, 2(O H -)"),
        ("_chemical_formula_structural", "Mg(OH)2"),
        ("_chemical_name_systematic", "Magnesium hydroxide"),
        ("_chemical_name_common", "magnesium peroxide hydrate"),
    ):
        assert "hydrogen" in read_text(stating(BARE, text, tag), "x").doubts[0]
        assert read_text(stating(BRUCITE, text, tag), "x").doubts == ()
    assert read_text(stating(BARE, "dehydrated magnesium peroxide", "_chemical_name_common"), "x").doubts == ()
    also = stating(BARE, "Mg O2") + "_chemical_formula_moiety 'Mg 2+, 2(O H -)'\n"
    assert "hydrogens are missing" in read_text(also, "x").doubts[0]


def with_column(cell, tag, **values):
    text = cell.cif().replace("_atom_site_fract_z\n", f"_atom_site_fract_z\n{tag}\n")
    for label, *_ in cell.sites:
        row = next(line for line in text.splitlines() if line.startswith(f"{label} "))
        text = text.replace(row, f"{row} {values.get(label, '.')}")
    return text


def test_hydrogens_that_are_only_attached():
    attached = with_column(BARE, "_atom_site_attached_hydrogens", O1="1")
    assert "attached" in rule(attached)
    assert "attached" in rule(attached + "_chemical_formula_sum 'H2 Mg O2'\n")
    both = with_column(BRUCITE, "_atom_site_attached_hydrogens", O1="1")
    assert "attached" in rule(both)
    assert read_text(both + "_chemical_formula_sum 'H2 Mg O2'\n", "x").composition["H"] == 2
    assert read_text(with_column(BARE, "_atom_site_attached_hydrogens", O1="0"), "x").composition == {"Mg": 1, "O": 2}


def test_alternatives_without_occupancies():
    sites = (*ROCK_SALT.sites, ("Cl2", "0.5", "0.5", "0.1"))
    text = with_column(ROCK_SALT.with_sites(*sites), "_atom_site_disorder_group", Cl1="1", Cl2="2")
    assert "alternatives" in rule(text)
    assert "alternatives" in rule(with_column(ROCK_SALT, "_atom_site_disorder_group", Cl1="-1"))
    one = read_text(with_column(ROCK_SALT, "_atom_site_disorder_group", Cl1="1"), "x")
    assert one.warnings == ("sites are marked as disordered; they are taken as fully occupied",)
    # The formula may say that all of them are there.
    both = with_column(RUTILE, "_atom_site_disorder_group", Ti1="1", O1="2")
    assert read_text(both + "_chemical_formula_sum 'Ti O2'\n", "x").formula == "TiO2"


def test_alternatives_with_occupancies_are_disorder():
    head = p1().split(" Cs Cs0")[0]
    head = head.replace("_atom_site_occupancy\n", "_atom_site_occupancy\n _atom_site_disorder_group\n")
    text = head + " Li Li1 0 0 0 0.5 1\n Li Li2 0 0 0.2 0.5 2\n Cl Cl1 0.5 0.5 0.5 1 .\n"
    assert "disordered" in rule(text)
    assert len(read_disordered(text)) == 3


def named_only(cell, extra=""):
    """Symmetry is named, but only x, y, z is listed."""
    tag = f"_symmetry_space_group_name_H-M '{cell.group}'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'"
    return cell.cif(symmetry="none", extra=f"{tag}\n{extra}" if extra else tag)


@pytest.mark.parametrize("cell", [ROCK_SALT, SPINEL, OLIVINE, LAYERED, RUTILE], ids=lambda cell: cell.group)
def test_symmetry_that_is_named_and_not_listed(cell):
    whole = read_text(cell.cif(), "whole")
    counts = " ".join(f"{symbol}{n}" for symbol, n in whole.composition.items())
    for extra in ("", f"_chemical_formula_sum '{whole.formula}'", f"_chemical_formula_sum '{counts}'"):
        assert "only 'x, y, z' is listed" in rule(named_only(cell, extra))


@pytest.mark.parametrize("cell", [ROCK_SALT, SPINEL, OLIVINE, LAYERED, RUTILE], ids=lambda cell: cell.group)
def test_a_whole_cell_under_the_name_of_its_space_group(cell):
    whole = read_text(cell.cif(), "whole")
    rows = [
        (f"{s}{i}", *(f"{x:.5f}" for x in place))
        for i, (s, place) in enumerate(zip(whole.symbols, whole.frac_coords, strict=True))
    ]
    written = cell.with_sites(*rows)
    counts = " ".join(f"{symbol}{n}" for symbol, n in whole.composition.items())
    for extra in ("", f"_chemical_formula_sum '{counts}'", f"_chemical_formula_sum '{whole.formula}'"):
        crystal = read_text(named_only(written, extra), "whole")
        assert crystal.composition == whole.composition
        assert crystal.doubts == ()


def test_units_that_are_missing_where_no_symmetry_is_stated():
    bare = ROCK_SALT.cif(symmetry="none", extra="_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4")
    (doubt,) = read_text(bare, "x").doubts
    assert doubt.startswith("the file states 4 formula units of NaCl in the cell, but 1 was read")
    assert read_text(bare.replace("units_Z 4", "units_Z 1"), "x").doubts == ()
    assert read_text(bare.replace("units_Z 4", "units_Z ?"), "x").doubts == ()


def test_a_distorted_cell_under_the_name_of_its_parent():
    # Relaxed without symmetry: the group would put atoms onto atoms.
    whole = read_text(RUTILE.cif(), "whole")
    rows = [
        (f"{s}{i}", f"{x + 0.01 * (i % 3):.5f}", f"{y - 0.01 * (i % 2):.5f}", f"{z + 0.008 * i:.5f}")
        for i, (s, (x, y, z)) in enumerate(zip(whole.symbols, whole.frac_coords, strict=True))
    ]
    assert len(read_text(named_only(RUTILE.with_sites(*rows)), "distorted")) == 6


def test_modulated_structures():
    assert "modulated" in rule(ROCK_SALT.cif(extra="_cell_modulation_dimension 1"))
    for tag in (
        "_atom_site_Fourier_wave_vector_seq_id",
        "_cell_wave_vector_seq_id",
        "_atom_site_displace_Fourier_id",
        "_space_group_symop_ssg_operation_algebraic",
        "_space_group_symop_magn_ssg_operation.algebraic",
        "_atom_site_moment_Fourier.id",
    ):
        assert "modulated" in rule(ROCK_SALT.cif(extra=f"loop_\n{tag}\n1"))
    assert len(read_text(ROCK_SALT.cif(extra="_cell_modulation_dimension 0"), "plain")) == 8
    assert len(read_text(ROCK_SALT.cif(extra="loop_\n_cell_wave_vector_x\n?"), "plain")) == 8


@pytest.mark.parametrize("name", ["structures.jsonl.gz", "screening_20k.jsonl.gz"])
def test_no_false_alarm_on_database_crystals(shared_data, name):
    n, refused = 0, []
    with gzip.open(shared_data / name, "rt", encoding="utf-8") as file:
        for line in itertools.islice(file, 0, None, 37 if name.startswith("str") else 79):
            record = json.loads(line)
            try:
                crystal = read_text(record["cif"], record["id"])
            except InputError as error:
                refused.append(error.rule)
                continue
            assert crystal.doubts == ()
            n += 1
    assert n > 200
    assert all("per atom" in rule or "apart" in rule for rule in refused)


def test_compositions_of_whole_cells_in_p1_are_no_doubt():
    assert read_text(P1 + "_chemical_formula_sum 'Cs1 Cl1'\n_cell_formula_units_Z 1\n", "x").doubts == ()
