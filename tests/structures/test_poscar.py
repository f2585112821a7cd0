"""POSCAR and CONTCAR of VASP 4, 5 and 6."""

import numpy as np
import pytest
from pymatgen.io.vasp import Poscar

from ionvolt.errors import InputError
from ionvolt.structures import read_text
from structures.textbook import ALL, POSCAR

HEAD = "x\n1.0\n4.12 0 0\n0 4.12 0\n0 0 4.12\n"


def rule(text):
    with pytest.raises(InputError) as caught:
        read_text(text, "POSCAR")
    assert "\n" not in str(caught.value)
    return caught.value.rule


@pytest.mark.parametrize(
    "text",
    [
        POSCAR,
        POSCAR.replace("\n", "\r\n"),
        POSCAR.replace("Direct", "direct lattice"),
        POSCAR.replace("Direct", "Selective dynamics\nDirect").replace("0.5 0.5 0.5", "0.5 0.5 0.5 T F T"),
        POSCAR.replace("Direct", "Cartesian").replace("0.5 0.5 0.5", "2.06 2.06 2.06"),
        POSCAR.replace("1.0\n", "2.0\n").replace("4.12", "2.06"),
        POSCAR.replace("1.0\n", "2.0\n").replace("4.12", "2.06").replace("Direct", "K").replace("0.5", "1.03"),
        POSCAR.replace("1.0\n", f"{-(4.12**3)}\n").replace("4.12", "1.0"),
        POSCAR.replace("Cs Cl", "Cs_sv/0123abcd Cl/ffff"),
        POSCAR.replace("Cs Cl\n1 1", "Cs\nCl\n1\n1"),
        POSCAR.replace("Cs Cl\n", "").replace("CsCl by hand", "Cs Cl"),
        POSCAR.replace("Cs Cl\n", "").replace("0.0 0.0 0.0\n0.5", "0.0 0.0 0.0 Cs\n0.5").replace("0.5\n", "0.5 Cl\n"),
        POSCAR + "\n0.1 0.2 0.3\n0.0 0.0 0.0\n",
        POSCAR.replace("CsCl by hand", "data_ Müller"),
    ],
)
def test_ways_to_write_the_same(text):
    crystal = read_text(text, "POSCAR")
    assert crystal.symbols == ["Cs", "Cl"]
    assert crystal.volume == pytest.approx(4.12**3)
    np.testing.assert_allclose(crystal.frac_coords, [[0, 0, 0], [0.5, 0.5, 0.5]], atol=1e-12)


@pytest.mark.parametrize("name", ["olivine", "triclinic", "layered"])
@pytest.mark.parametrize("direct", [True, False])
def test_like_pymatgen(name, direct):
    structure = read_text(ALL[name].cif(), name).to_pymatgen()
    text = Poscar(structure).get_str(direct=direct, significant_figures=12)
    crystal, oracle = read_text(text, "POSCAR"), Poscar.from_str(text).structure
    assert crystal.symbols == [site.specie.symbol for site in oracle]
    np.testing.assert_allclose(crystal.lattice, oracle.lattice.matrix)
    np.testing.assert_allclose(crystal.frac_coords, oracle.frac_coords, atol=1e-9)


def test_elements_from_the_comment_are_mentioned():
    crystal = read_text(POSCAR.replace("Cs Cl\n", "").replace("CsCl by hand", "Cs Cl"), "POSCAR")
    assert crystal.warnings == ("elements are taken from the comment line: Cs Cl",)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("Cs Cl\n", "", "names no elements"),
        ("Cs Cl", "Qq Cl", "'Qq' is no element"),
        ("Cs Cl", "Cs", "1 element names and 2 atom counts"),
        ("1 1\n", "1 1 1\n", "2 element names and 3 atom counts"),
        ("1 1\n", "1 2\n", "counts 3 atoms but lists 2"),
        ("1 1\n", "0 0\n", "no atoms"),
        ("1 1\n", "1 -1\n", "element names"),
        ("1 1\n", "1 999999999\n", "atoms in the cell are more than"),
        ("1 1\n", "1 1" + "0" * 400 + "\n", "element names"),
        ("Direct", "Sideways", "neither Direct nor Cartesian"),
        ("Direct", "Direct configuration=     1", "trajectory"),
        ("1.0\n", "0.0\n", "scale factor"),
        ("1.0\n", "nan\n", "scale factor"),
        ("1.0\n", "1.0 1.0 2.0\n", "three scale factors"),
        ("4.12 0.0 0.0", "4.12 0.0", "is no cell vector"),
        ("4.12 0.0 0.0", "0.0 4.12 0.0", "thick"),
        ("4.12 0.0 0.0", "inf 0.0 0.0", "is no cell vector"),
        ("4.12 0.0 0.0", "1e300 0.0 0.0", "cell vector"),
        ("0.5 0.5 0.5", "0.5 0.5", "is no position"),
        ("0.5 0.5 0.5", "0.5 0.5 nan", "is no position"),
        ("0.5 0.5 0.5", "0.5 0.5 1e300", "position"),
        ("0.5 0.5 0.5", "0.5 0.5 5000", "coordinate"),
        ("0.5 0.5 0.5", "0.0 0.0 0.01", "apart"),
    ],
)
def test_refusals(old, new, part):
    assert part in rule(POSCAR.replace(old, new, 1))


def test_too_short():
    assert "too few" in rule("a\n1\n")
    assert rule(HEAD)
