"""Objects of other libraries, and the physical rules on crystals made by hand."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from pymatgen.core import DummySpecies, Lattice, Molecule, Species, Structure

from ionvolt.errors import InputError
from ionvolt.structures import DEFAULT_LIMITS, Crystal, Limits, as_crystal, check, read_text
from structures.textbook import OLIVINE, P1, POSCAR


def rule(obj, **options):
    with pytest.raises(InputError) as caught:
        as_crystal(obj, **options)
    return caught.value.rule


def cscl(**changes) -> Crystal:
    values = {"lattice": np.eye(3) * 4.12, "numbers": [55, 17], "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]]}
    return Crystal(**{**values, **changes})


def test_the_ways_agree(tmp_path):
    path = tmp_path / "olivine.cif"
    path.write_text(OLIVINE.cif())
    reference = as_crystal(path)
    assert reference.source == str(path)
    structure = reference.to_pymatgen()
    atoms = Atoms(reference.symbols, cell=reference.lattice, scaled_positions=reference.frac_coords, pbc=True)
    for obj in (reference, str(path), OLIVINE.cif(), structure, structure.copy(), atoms):
        crystal = as_crystal(obj, "olivine")
        assert crystal.source == "olivine"
        assert crystal.numbers.tolist() == reference.numbers.tolist()
        np.testing.assert_allclose(crystal.lattice, reference.lattice, atol=1e-12)
        np.testing.assert_allclose(crystal.frac_coords, reference.frac_coords, atol=1e-12)


def test_default_names():
    assert as_crystal(cscl()).source == "structure"
    assert as_crystal(cscl().to_pymatgen()).source == "Structure"
    assert as_crystal(bulk("Cu")).source == "Atoms"
    assert as_crystal(POSCAR).source == "text"
    assert as_crystal(P1).symbols == ["Cs", "Cl"]


def test_oxidation_states_do_not_matter():
    structure = Structure(Lattice.cubic(4.12), [Species("Cs", 1), Species("Cl", -1)], [[0, 0, 0], [0.5, 0.5, 0.5]])
    crystal = as_crystal(structure)
    assert crystal.symbols == ["Cs", "Cl"]
    assert crystal.warnings == ()


def test_deuterium():
    crystal = as_crystal(Structure(Lattice.cubic(4.0), ["Li", "D"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert crystal.symbols == ["Li", "H"]
    assert crystal.warnings == ("deuterium is taken as hydrogen",)


def test_disordered_and_dummy_structures():
    corners = [[0, 0, 0], [0.5, 0.5, 0.5]]
    assert "disordered" in rule(Structure(Lattice.cubic(4.12), [{"Fe": 0.5, "Mn": 0.5}, "Cl"], corners))
    assert "disordered" in rule(Structure(Lattice.cubic(4.12), [{"Fe": 0.5}, "Cl"], corners))
    assert "no element" in rule(Structure(Lattice.cubic(4.12), [DummySpecies("X"), "Cl"], corners))


def test_atoms_need_a_cell():
    assert "periodic" in rule(Atoms("CO", [[0, 0, 0], [0, 0, 1.1]]))
    assert "cell" in rule(Atoms("CO", [[0, 0, 0], [0, 0, 1.1]], pbc=True))
    assert "periodic" in rule(fcc111("Cu", (1, 1, 3), vacuum=8))
    assert "atomic number 0" in rule(Atoms("X", cell=[3, 3, 3], pbc=True))
    assert "no atoms" in rule(Atoms(cell=[3, 3, 3], pbc=True))


@pytest.mark.parametrize(
    "obj",
    [None, 3, [1], {"@module": "os", "@class": "system"}, object(), b"bytes", Molecule(["O"], [[0, 0, 0]])],
)
def test_things_that_are_no_crystal(obj):
    assert "is no crystal structure" in rule(obj)


def test_paths_that_are_none():
    assert rule("mp-1234.cif") == "there is no such file"
    assert "folder" in rule("") or "no such file" in rule("")
    assert "not valid" in rule("a\0b")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"numbers": [0, 17]}, "atomic number 0"),
        ({"numbers": [119, 17]}, "atomic number 119"),
        ({"numbers": [-3, 17]}, "atomic number -3"),
        ({"numbers": [], "frac_coords": np.zeros((0, 3))}, "no atoms"),
        ({"lattice": np.full((3, 3), np.nan)}, "cell vector holds nan"),
        ({"lattice": np.diag([4, 4, np.inf])}, "cell vector holds inf"),
        ({"lattice": np.diag([4, 4, 1e300])}, "cell vector holds 1e+300"),
        ({"lattice": np.diag([4, 4, 600])}, "cell vector holds 600"),
        ({"lattice": [[400, 400, 0], [-4, 4, 0], [0, 0, 4]]}, "Å long"),
        ({"lattice": np.zeros((3, 3))}, "thick"),
        ({"lattice": np.ones((3, 3))}, "thick"),
        ({"lattice": np.diag([4, 4, 0.3])}, "thick"),
        ({"frac_coords": [[0, 0, 0], [0.5, 0.5, np.nan]]}, "coordinate is nan"),
        ({"frac_coords": [[0, 0, 0], [0.5, 0.5, -np.inf]]}, "coordinate is -inf"),
        ({"frac_coords": [[0, 0, 0], [0.5, 0.5, 1e300]]}, "coordinate is 1e+300"),
        ({"frac_coords": [[0, 0, 0], [3, -2, 7]]}, "0.000 Å apart"),
        ({"lattice": np.eye(3) * 1.5}, "1.69 Å^3 per atom"),
        ({"lattice": np.eye(3) * 8}, "256 Å^3 per atom"),
        ({"numbers": [76, 76], "lattice": np.eye(3) * 2.5}, "g/cm^3"),
    ],
)
def test_rules(changes, part):
    with pytest.raises(InputError) as caught:
        check(cscl(**changes))
    assert part in caught.value.rule


def test_the_atoms_named_are_the_ones_too_close():
    crystal = cscl(numbers=[55, 17, 9], frac_coords=[[0, 0, 0], [0.5, 0.5, 0.5], [0.02, -0.05, 3.98]])
    assert rule(crystal) == "Cs (atom 1) and F (atom 3) are 0.237 Å apart, less than 0.5 Å"


def test_limits_are_the_callers():
    crystal = read_text(OLIVINE.cif(), "olivine")
    assert "more than 20" in rule(crystal, limits=Limits(max_atoms=20))
    assert "less than 1.6 Å" in rule(crystal, limits=Limits(min_distance=1.6))
    assert check(crystal, DEFAULT_LIMITS) is crystal


def test_left_handed_cells_are_fine():
    assert check(cscl(lattice=np.diag([4.12, 4.12, -4.12])))


def test_elements_without_a_near_neighbour():
    assert check(Crystal(np.eye(3) * 5.5, np.array([55]), np.zeros((1, 3))))
    lattice = np.diag([12.0, 4.0, 4.0])
    assert check(Crystal(lattice, np.array([54]), np.zeros((1, 3))))
    with pytest.raises(InputError, match=r"Xe \(atom 1\) has no neighbour within 3.5 Å"):
        check(Crystal(lattice, np.array([54]), np.zeros((1, 3))), Limits(max_neighbour_distance=3.5))
