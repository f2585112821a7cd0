"""Formats that people keep beside CIF and POSCAR."""

import gzip
import io
import json
import os
import random
import struct
import zipfile
from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.io import write as ase_write
from ase.io.trajectory import Trajectory
from pymatgen.core import Lattice, Structure

from ionvolt.errors import InputError
from ionvolt.structures import Crystal, Limits, as_crystal, read_disordered, read_file, read_many, read_text
from ionvolt.structures.sources import passed_over_text
from structures.textbook import ALL, OLIVINE, P1, POSCAR, ROCK_SALT, RUTILE, SPINEL

WHOLE = {name: read_text(cell.cif(), name) for name, cell in ALL.items()}


def atoms_of(crystal):
    return Atoms(crystal.symbols, cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)


def assert_alike(crystal, other, atol=1e-6):
    assert crystal.numbers.tolist() == other.numbers.tolist()
    np.testing.assert_allclose(crystal.lattice, other.lattice, atol=atol)
    shift = crystal.frac_coords - other.frac_coords
    np.testing.assert_allclose(shift - np.rint(shift), 0, atol=atol)


def rule(path, **options):
    with pytest.raises(InputError) as caught:
        read_file(path, **options)
    assert "\n" not in str(caught.value)
    return caught.value.rule


# extended XYZ


@pytest.mark.parametrize("name", ["olivine", "triclinic", "layered"])
def test_extended_xyz(tmp_path, name):
    path = tmp_path / "x.extxyz"
    atoms = atoms_of(WHOLE[name])
    atoms.new_array("forces", np.zeros((len(atoms), 3)))
    ase_write(path, atoms)
    assert_alike(read_file(path), WHOLE[name])
    assert_alike(read_text(path.read_text(), "text"), WHOLE[name])
    packed = tmp_path / "y.xyz.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert_alike(read_file(packed), WHOLE[name])


def test_columns_of_xyz_are_found_by_name():
    head = '2\nLattice="4.12 0 0 0 4.12 0 0 0 4.12" Properties=id:I:1:pos:R:3:species:S:1\n'
    text = head + "1 0 0 0 Cs\n2 2.06 2.06 2.06 Cl\n"
    assert read_text(text, "x").symbols == ["Cs", "Cl"]


def test_frames_of_one_structure_are_steps(tmp_path):
    path = tmp_path / "relaxation.xyz"
    atoms = atoms_of(WHOLE["rutile"])
    frames = []
    for scale in (1.1, 1.05, 1.0):
        frames.append(atoms.copy())
        frames[-1].set_cell(atoms.cell * scale, scale_atoms=True)
    ase_write(path, frames, format="extxyz")
    (last,) = read_many([str(path)])
    assert_alike(last, WHOLE["rutile"])
    assert "the last of 3 steps" in last.warnings[0]
    assert read_file(f"{path}#1").volume == pytest.approx(1.1**3 * last.volume, rel=1e-6)
    assert last.source == str(path)


def test_frames_of_several_structures_are_each_answered(tmp_path):
    path = tmp_path / "several.xyz"
    ase_write(path, [atoms_of(WHOLE["rutile"]), atoms_of(WHOLE["olivine"])], format="extxyz")
    assert [(c.source, c.formula) for c in read_many([str(path)])] == [(f"{path}#1", "TiO2"), (f"{path}#2", "FePO4")]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("3\nwater\nO 0 0 0\nH 0 0 1\nH 0 1 0\n", "no cell"),
        ('1\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T F"\nCs 0 0 0\n', "periodic"),
        ('1\nLattice="4 0 0 0 4 0 0"\nCs 0 0 0\n', "7 numbers"),
        ('1\nLattice="4 0 0 0 4 0 0 0 0"\nCs 0 0 0\n', "no volume"),
        ('1\nLattice="4 0 0 0 4 0 0 0 4"\nQq 0 0 0\n', "names no element"),
        ('1\nLattice="4 0 0 0 4 0 0 0 4"\nCs 0 x 0\n', "no position"),
        ('1\nLattice="4 0 0 0 4 0 0 0 4"\nCs nan 0 0\n', "not a number"),
        ('2\nLattice="4 0 0 0 4 0 0 0 4"\nCs 0 0 0\n', "fewer than 2 atoms"),
        ('9999999\nLattice="4 0 0 0 4 0 0 0 4"\nCs 0 0 0\n', "more than 2000"),
        ('1\nLattice="4 0 0 0 4 0 0 0 4"\nCs 0 0 0\nnonsense\n', "not a number of atoms"),
    ],
)
def test_xyz_that_is_refused(tmp_path, text, part):
    path = tmp_path / "x.xyz"
    path.write_text(text)
    assert part in rule(path)


# ASE trajectories


def test_trajectory(tmp_path):
    path = tmp_path / "a.traj"
    ase_write(path, atoms_of(WHOLE["olivine"]))
    assert_alike(read_file(path), WHOLE["olivine"], atol=1e-12)
    (again,) = read_many([str(tmp_path)])
    assert again.source == str(path)


def test_steps_of_a_trajectory(tmp_path):
    path = tmp_path / "a.traj"
    atoms = atoms_of(WHOLE["rutile"])
    with Trajectory(path, "w") as trajectory:
        for scale in (1.1, 1.0):
            step = atoms.copy()
            step.set_cell(atoms.cell * scale, scale_atoms=True)
            trajectory.write(step)
    crystal = read_file(path)
    assert_alike(crystal, WHOLE["rutile"], atol=1e-12)
    assert "the last of 2 steps" in crystal.warnings[0]
    assert read_file(f"{path}#1").volume > 1.3 * crystal.volume


def test_structures_of_a_trajectory(tmp_path):
    path = tmp_path / "a.traj"
    with Trajectory(path, "w") as trajectory:
        trajectory.write(atoms_of(WHOLE["rutile"]))
        trajectory.write(atoms_of(WHOLE["olivine"]))
    assert [c.formula for c in read_many([str(path)])] == ["TiO2", "FePO4"]


def test_trajectories_that_are_refused(tmp_path):
    path = tmp_path / "a.traj"
    path.write_bytes(b"PickleTrajectory" + b"cos\nsystem\n(S'true'\ntR.")
    assert "pickle" in rule(path)
    ase_write(path, Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]))
    assert "periodic" in rule(path)
    path.write_bytes(b"- of Ulm" + b"GPAW".ljust(16) + struct.pack("<qqq", 3, 1, 48) + bytes(100))
    assert "no ASE trajectory" in rule(path)


def test_damaged_trajectories(tmp_path):
    path = tmp_path / "a.traj"
    ase_write(path, [atoms_of(WHOLE["rutile"])] * 2)
    sound = path.read_bytes()
    draw = random.Random(7)
    for _ in range(400):
        data = bytearray(sound)
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(data))
            kind = draw.choice(["byte", "cut", "long"])
            if kind == "byte":
                data[at] = draw.randrange(256)
            elif kind == "cut":
                del data[at:]
                break
            else:
                data[at : at + 8] = struct.pack("<q", draw.choice([-1, 1 << 62, 1 << 31, 0, -(1 << 63)]))
        try:
            crystal = read_text(bytes(data), "damaged.traj")
        except InputError as error:
            assert str(error).isprintable()  # noqa: PT017
        else:
            assert np.isfinite(crystal.frac_coords).all()


# SHELX

RES = """TITL rutile-run1 -0.01 62.4 -9.8 0 0 6 (P42/mnm) n - 1
REM written by hand
CELL 1.54180 4.594 4.594 2.959 90 90 90
LATT -1
SFAC Ti O
Ti 1 0.0 0.0 0.0 1.0
Ti 1 0.5 0.5 0.5 1.0
O 2 0.3053 0.3053 0.0 1.0
O 2 0.6947 0.6947 0.0 1.0
O 2 0.1947 0.8053 0.5 1.0
O 2 0.8053 0.1947 0.5 1.0
END
"""
# As SHELXL refines it: an eighth of the sixteen operations keeps Ti in its place, a quarter O.
REFINED = """TITL rutile in P42/mnm
CELL 0.71073 4.594 4.594 2.959 90 90 90
ZERR 2 0.001 0.001 0.001 0 0 0
LATT 1
SYMM -X, -Y, Z
SYMM 0.5-Y, 0.5+X, 0.5+Z
SYMM 0.5+Y, 0.5-X, 0.5+Z
SYMM 0.5-X, 0.5+Y, 0.5-Z
SYMM 0.5+X, 0.5-Y, 0.5-Z
SYMM Y, X, -Z
SYMM -Y, -X, -Z
SFAC TI O
UNIT 2 4
L.S. 10
FMAP 2
PLAN 5
WGHT 0.02
FVAR 0.5
TI1 1 10.000000 10.000000 10.000000 10.12500 0.01 0.01 =
 0.01 0.0 0.0 0.0
O1 2 0.305300 0.305300 10.000000 10.25000 0.01
HKLF 4
REM R1 = 0.02
Q1 1 0.1 0.2 0.3 11.0 0.05 1.2
END
"""


def test_res_of_airss():
    crystal = read_text(RES, "x.res")
    assert crystal.composition == {"Ti": 2, "O": 4}
    assert crystal.warnings == ()
    assert crystal.volume == pytest.approx(4.594**2 * 2.959)
    assert read_text(RES, "no ending").formula == "TiO2"


def test_res_of_shelxl():
    crystal = read_text(REFINED, "x.res")
    reference = read_text(RES, "y.res")
    assert crystal.composition == {"Ti": 2, "O": 4}
    assert crystal.doubts == ()
    mine, theirs = (np.sort(c.to_pymatgen().distance_matrix, axis=None) for c in (crystal, reference))
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_res_that_states_other_contents():
    assert "states the formula" in read_text(REFINED.replace("UNIT 2 4", "UNIT 2 6"), "x.res").doubts[0]


def test_disordered_res():
    half = REFINED.replace("10.12500", "10.06250")
    with pytest.raises(InputError, match=r"occupied by Ti 0\.5: the structure is disordered"):
        read_text(half, "x.res")
    assert read_disordered(half).sites.count({22: 0.5}) == 2
    free = REFINED.replace("10.12500", "20.12500").replace("FVAR 0.5", "FVAR 0.5 0.8")
    assert read_disordered(free).sites.count({22: pytest.approx(0.8)}) == 2
    parts = RES.replace("O 2 0.6947", "PART 2\nO 2 0.6947").replace("O 2 0.3053", "PART 1\nO 2 0.3053")
    with pytest.raises(InputError, match="alternatives"):
        read_text(parts, "x.res")


LONE = Limits(max_neighbour_distance=12, volume_per_atom=(2, 1000), min_bond=0.3)


@pytest.mark.parametrize(("number", "n"), [(1, 2), (-1, 1), (2, 4), (-2, 2), (-4, 4), (-5, 2), (-6, 2), (-7, 2)])
def test_lattice_types_of_res(number, n):
    text = f"TITL a\nCELL 1 9 9 9 90 90 90\nLATT {number}\nSFAC Cs\nCs 1 0.13 0.21 0.32 1.0\nEND\n"
    assert len(read_text(text, "x.res", limits=LONE)) == n


def test_several_structures_in_a_res(tmp_path):
    path = tmp_path / "all.res"
    path.write_text(RES + RES.replace("rutile-run1", "rutile-run2"))
    assert [c.source.rpartition("#")[2] for c in read_many([str(path)])] == ["rutile-run1", "rutile-run2"]


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("CELL 1.54180 4.594", "CELL 1.54180 x", "CELL"),
        ("90 90 90\nLATT", "90 90 190\nLATT", "angle"),
        ("LATT -1", "LATT 9", "LATT"),
        ("O 2 0.3053 0.3053", "O 3 0.3053 0.3053", "SFAC does not list"),
        ("SFAC Ti O", "SFAC Ti Qq", "no element"),
        ("O 2 0.3053 0.3053 0.0 1.0", "O 2 0.3053 x 0.0 1.0", "no atom"),
        ("O 2 0.3053 0.3053 0.0 1.0", "O 2 0.3053 0.3053 0.0 1.7", "occupancy"),
        ("O 2 0.3053 0.3053 0.0", "O 2 0.0 0.0 0.1", "apart"),
    ],
)
def test_res_that_is_refused(old, new, part):
    assert old in RES
    with pytest.raises(InputError) as caught:
        read_text(RES.replace(old, new), "x.res")
    assert part in caught.value.rule


# JSON


def test_pymatgen_json_and_dictionaries(tmp_path):
    from pymatgen.entries.computed_entries import ComputedStructureEntry  # takes seconds

    structure = WHOLE["olivine"].to_pymatgen()
    structure.add_oxidation_state_by_guess()
    path = tmp_path / "a.json"
    path.write_text(structure.to_json())
    for found in (read_file(path), as_crystal(structure.as_dict()), as_crystal(structure.as_dict(verbosity=0))):
        assert_alike(found, WHOLE["olivine"], atol=1e-9)
    entry = ComputedStructureEntry(structure, -10.0, entry_id="mp-1")
    assert_alike(as_crystal(entry.as_dict()), WHOLE["olivine"], atol=1e-9)
    path.write_text(json.dumps([entry.as_dict(), {"material_id": "mp-2", "structure": structure.as_dict()}]))
    assert [c.source.rpartition("#")[2] for c in read_many([str(path)])] == ["mp-1", "mp-2"]
    path.write_text(json.dumps({"a": structure.as_dict(), "b": structure.as_dict(), "n": 2}))
    assert read_file(f"{path}#b").formula == "FePO4"


def test_structures_of_pymatgen_that_are_not_periodic():
    """Slabs and molecules in a box, as pymatgen marks them."""
    crystal = WHOLE["olivine"].to_pymatgen()
    flat = Structure(Lattice(crystal.lattice.matrix, pbc=(True, True, False)), crystal.species, crystal.frac_coords)
    for slab in (flat, flat.as_dict()):
        with pytest.raises(InputError, match="not periodic"):
            as_crystal(slab)


def test_json_with_occupancies():
    corners = [[0, 0, 0], [0.5, 0.5, 0.5]]
    half = Structure(Lattice.cubic(3.6), [{"Fe": 0.5, "Mn": 0.5}, "O"], corners)
    with pytest.raises(InputError, match=r"Mn 0\.5 \+ Fe 0\.5|Fe 0\.5 \+ Mn 0\.5") as caught:
        as_crystal(half.as_dict())
    assert "ionvolt order" in caught.value.remedy
    assert read_disordered(half.to_json() + "\n").sites == ({26: 0.5, 25: 0.5}, {8: 1.0})
    valences = Structure(Lattice.cubic(3.6), [{"Mn3+": 0.5, "Mn4+": 0.5}, "O"], corners)
    assert as_crystal(valences.as_dict()).symbols == ["Mn", "O"]
    assert as_crystal(valences).symbols == ["Mn", "O"]


def test_json_never_imports_what_it_names():
    document = WHOLE["rutile"].to_pymatgen().as_dict() | {"@module": "this_module.does_not.exist", "@class": "Evil"}
    document["lattice"] |= {"@module": "os", "@class": "system"}
    assert as_crystal(document).formula == "TiO2"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{}", "no structure"),
        ("[]", "no structure"),
        ("[" * 100_000, "not valid JSON"),
        ('{"lattice": 1}', "no structure"),
        ("{'lattice': 1}", "not valid JSON"),
        ("[1" + "0" * 10_000 + "]", "no structure|not valid JSON"),
        ('{"@class": "Molecule", "sites": []}', "JSON of a Molecule"),
        ('{"lattice": {"matrix": [[1, 2], [3]]}, "sites": [{}]}', "not laid out"),
        ('{"lattice": {"matrix": [[4,0,0],[0,4,0],[0,0,4]]}, "sites": []}', "no atoms"),
        ('{"lattice": {"matrix": [[4,0,0],[0,4,0],[0,0,4]]}, "sites": [3]}', "not laid out"),
    ],
)
def test_json_that_is_refused(text, part):
    with pytest.raises(InputError, match=part):
        read_text(text, "x.json")


def test_json_sites_that_are_refused():
    def changed(**changes):
        document = WHOLE["rutile"].to_pymatgen().as_dict()
        document["sites"][0] |= changes
        return document

    for document, part in (
        (changed(species=[{"element": "Qq", "occu": 1}]), "no element"),
        (changed(species=[{"element": "Ti", "occu": "x"}]), "not laid out"),
        (changed(species=[{"element": "Ti", "occu": -1}]), "occupancy"),
        (changed(species=[{"element": "Ti", "occu": 1}, {"element": "Fe", "occu": 1}]), "add up to 2"),
        (changed(abc=[0, 0]), "not laid out"),
        (changed(abc=[0, 0, float("nan")]), "coordinate is nan"),
        (changed(abc=[0, 0, "1e999"]), "coordinate is inf"),
    ):
        with pytest.raises(InputError, match=part):
            as_crystal(document)


def one_of(symbol):
    return {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]}


def optimade(crystal, **changes):
    kinds = dict.fromkeys(crystal.symbols)
    attributes = {
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": (crystal.frac_coords @ crystal.lattice).tolist(),
        "species_at_sites": crystal.symbols,
        "species": [{"name": kind, "chemical_symbols": [kind], "concentration": [1.0]} for kind in kinds],
        "nperiodic_dimensions": 3,
        "chemical_formula_reduced": crystal.formula,
    }
    return {"id": crystal.source, "type": "structures", "attributes": attributes | changes}


def test_optimade(tmp_path):
    one, other = WHOLE["rutile"], WHOLE["olivine"]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"data": [optimade(one), optimade(other)], "meta": {"api_version": "1.1"}}))
    found = list(read_many([str(path)]))
    assert [c.source for c in found] == [f"{path}#rutile", f"{path}#olivine"]
    assert_alike(found[0], one, atol=1e-9)
    assert_alike(as_crystal({"data": optimade(other)}), other, atol=1e-9)
    assert as_crystal(optimade(one)).doubts == ()
    assert "states the formula" in as_crystal(optimade(one, chemical_formula_reduced="O3Ti")).doubts[0]
    shared = [
        {"name": "Ti", "chemical_symbols": ["Ti", "vacancy"], "concentration": [0.5, 0.5]},
        {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]},
    ]
    with pytest.raises(InputError, match="disordered"):
        as_crystal(optimade(one, species=shared))
    for changes, part in (
        ({"nperiodic_dimensions": 2}, "periodic"),
        ({"dimension_types": [1, 1, 0]}, "periodic"),
        ({"structure_features": ["assemblies"]}, "assemblies"),
        ({"structure_features": ["implicit_atoms"]}, "have no place"),
        ({"species": [one_of("Ti"), one_of("O") | {"attached": ["H"], "nattached": [1]}]}, "attached"),
        ({"species": []}, "not laid out"),
        ({"lattice_vectors": [[0, 0, 0]] * 3}, "no volume"),
        ({"cartesian_site_positions": [[0, 0, 0]]}, "6 sites and places 1"),
    ):
        with pytest.raises(InputError, match=part):
            as_crystal(optimade(one, **changes))


# Archives


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def test_zip(tmp_path):
    path = tmp_path / "all.zip"
    path.write_bytes(
        zipped(**{"b.cif": P1, "a__POSCAR": POSCAR, "bad.cif": "junk", "notes.txt": "nothing", "__MACOSX/x.cif": P1})
    )
    found = list(read_many([str(path)]))
    assert [c.source.removeprefix(f"{path}#") for c in found] == ["a/POSCAR", "b.cif", "bad.cif"]
    assert [isinstance(c, Crystal) for c in found] == [True, True, False]
    assert read_file(f"{path}#b.cif").formula == "CsCl"
    assert read_disordered(f"{path}#a/POSCAR").is_ordered
    path.write_bytes(zipped(**{"only.cif": P1}))
    assert read_file(path).source == str(path)


@pytest.mark.slow
def test_zips_that_are_refused(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(**{"notes.txt": "nothing", "..__..__evil.cif": P1, "__etc__x.cif": P1}))
    assert rule(path) == "no structure file in the archive"
    path.write_bytes(zipped(**{"a.cif": P1})[:-40])
    assert "damaged" in rule(path)
    path.write_bytes(zipped(**{"a.cif": "#" * 20_000_000}))
    assert "more than 5 MB" in rule(path)
    path.write_bytes(zipped(**{f"{k}.cif": "#" * 4_000_000 for k in range(130)}))
    assert "more than 500 MB" in rule(path)
    path.write_bytes(zipped(**{f"{k}.cif": P1 for k in range(30)}))
    assert rule(path, limits=Limits(max_blocks=20)) == "more than 20 files"
    path.write_bytes(zipped(**{"inner.zip": zipped(**{"a.cif": P1})}))
    assert "archive in an archive" in rule(path)


def test_damaged_zips():
    sound = zipped(**{"a.cif": P1, "b.cif": OLIVINE.cif()})
    draw = random.Random(3)
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(4, len(data))] = draw.randrange(256)
        try:
            read_text(bytes(data), "damaged.zip", chosen="1")
        except InputError as error:
            assert str(error).isprintable()  # noqa: PT017


# Folders and Python


def test_what_a_folder_passes_over(tmp_path):
    files = {
        "a.cif": P1,
        "b.json": WHOLE["rutile"].to_pymatgen().to_json(),
        "c.res": RES,
        "e.xyz": '1\nLattice="4 0 0 0 4 0 0 0 4"\nPo 0 0 0\n',
        "results.json": '{"mae": 0.1}',
        "water.xyz": "3\n\nO",
    }
    names = ("notes.txt", "more.txt", "README", "data.zip.part", ".hidden", "log.res", "d.traj")
    for name, text in (files | dict.fromkeys(names, "nothing")).items():
        (tmp_path / name).write_text(text)
    passed_over: Counter[str] = Counter()
    found = list(read_many([str(tmp_path)], passed_over=passed_over))
    assert [c.source.rpartition("/")[2] for c in found] == ["a.cif", "b.json", "c.res", "e.xyz"]
    assert dict(passed_over) == {".txt": 2, "": 1, ".json": 1, ".xyz": 1, ".part": 1, ".res": 1, ".traj": 1}
    assert passed_over_text(passed_over).startswith("8 files (1 without an ending, 1 .json, ")
    assert passed_over_text({".txt": 1}) == "1 file (1 .txt)"


def test_odd_files_in_a_folder(tmp_path):
    (tmp_path / "damaged.json.gz").write_bytes(b"\x1f\x8b" + bytes(range(100)))
    (tmp_path / "a.traj.gz").write_bytes(gzip.compress(b"nothing"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
    found = list(read_many([str(tmp_path)]))
    assert all(isinstance(one, InputError) for one in found)
    assert "damaged" in found[0].rule


def test_ids_in_python_as_on_the_command_line(monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"materialsproject\.org/api"):
        as_crystal("mp-25210")
    (tmp_path / "mp-25210").write_text(P1)
    assert as_crystal("mp-25210").formula == "CsCl"


def test_the_formats_agree():
    for cell in (ROCK_SALT, RUTILE, SPINEL):
        crystal = read_text(cell.cif(), "x")
        assert_alike(as_crystal(crystal.to_pymatgen().as_dict()), crystal, atol=1e-9)
