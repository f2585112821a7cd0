"""Sites that are shared or partly empty, read with their occupancies."""

import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.structures import read_disordered, read_text
from structures.textbook import LAYERED, POSCAR, ROCK_SALT, SPINEL, Cell, p1


def occupied(cell: Cell, **occupancies: str) -> str:
    """Its CIF with a column of occupancies, 1 where none is given; a label may be listed again as ``Ni_Co1``."""
    text = cell.cif().replace("_atom_site_fract_z\n", "_atom_site_fract_z\n_atom_site_occupancy\n")
    for label, *_ in cell.sites:
        rows = [line for line in text.splitlines() if line.startswith(f"{label} ")]
        text = text.replace(rows[0], f"{rows[0]} {occupancies.get(label, '1')}")
    return text


def test_shared_sites_are_unfolded_and_joined():
    sites = (*LAYERED.sites, ("Ni1", "0", "0", "0"), ("Mn1", "0", "0", "0"))
    text = occupied(LAYERED.with_sites(*sites), Co1="0.1", Ni1="0.8", Mn1="0.1")
    crystal = read_disordered(text, "nmc")
    assert crystal.source == "nmc"
    assert len(crystal) == 12
    assert not crystal.is_ordered
    shared = [site for site in crystal.sites if len(site) > 1]
    assert len(shared) == 3
    assert all(site == pytest.approx({27: 0.1, 28: 0.8, 25: 0.1}) for site in shared)
    places = np.array([p for p, site in zip(crystal.frac_coords, crystal.sites, strict=True) if len(site) > 1])
    assert sorted(places[:, 2].round(3).tolist()) == [0.0, 0.333, 0.667]
    with pytest.raises(InputError, match=r"occupied by Co 0.1 \+ Ni 0.8 \+ Mn 0.1: the structure is disordered") as e:
        read_text(text, "nmc")
    assert "ionvolt order" in e.value.remedy


def test_partly_empty_sites():
    crystal = read_disordered(occupied(SPINEL, Li1="0.5"))
    assert crystal.sites.count({3: 0.5}) == 8
    assert len(crystal) == 56


def test_symmetry_images_of_one_place_are_joined():
    sites = (("Mn1", "0.5", "0.5", "0.5"), ("Ni1", "0.5", "0", "0"), ("O1", "0", "0", "0"))
    crystal = read_disordered(occupied(ROCK_SALT.with_sites(*sites), Mn1="0.25", Ni1="0.75"))
    assert len(crystal) == 8
    assert sum(site == {25: 0.25, 28: 0.75} for site in crystal.sites) == 4


def test_split_sites_stay_apart():
    text = p1(("Li", 0, 0, 0, 0.5), ("Li", 0.05, 0, 0, 0.5), ("Cl", 0.5, 0.5, 0.5, 1))
    crystal = read_disordered(text)
    assert crystal.sites == ({3: 0.5}, {3: 0.5}, {17: 1.0})


def test_ordered_structures_are_read_as_what_they_are(tmp_path):
    path = tmp_path / "POSCAR"
    path.write_text(POSCAR)
    crystal = read_disordered(path)
    assert crystal.is_ordered
    assert crystal.sites == ({55: 1.0}, {17: 1.0})
    assert crystal.source == str(path)


def test_more_than_full():
    text = p1(("Fe", 0, 0, 0, 0.7), ("Mn", 0, 0, 0, 0.6), ("Cl", 0.5, 0.5, 0.5, 1))
    with pytest.raises(InputError, match=r"add up to 1\.3"):
        read_disordered(text)


def test_one_element_in_two_valences_is_one_atom():
    text = p1(("Mn3+", 0, 0, 0, 0.5), ("Mn4+", 0, 0, 0, 0.5), ("Cl", 0.5, 0.5, 0.5, 1))
    assert read_text(text, "x").symbols == ["Mn", "Cl"]
    with pytest.raises(InputError, match="disordered"):
        read_text(text.replace("0.5\n", "0.4\n", 1), "x")


def test_an_empty_site_is_no_atom():
    text = p1(("Li", 0, 0, 0.5, 0), ("Fe", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1))
    crystal = read_text(text, "x")
    assert crystal.symbols == ["Fe", "Cl"]
    assert crystal.warnings == ("site 'Li0' has the occupancy 0 and is no atom",)


@pytest.mark.parametrize(("text", "full"), [("0.98(3)", True), ("1.01(2)", True), ("0.95(2)", False), ("1.2(1)", None)])
def test_full_within_its_uncertainty(text, full):
    file = p1(("Fe", 0, 0, 0, text), ("Cl", 0.5, 0.5, 0.5, 1))
    if full:
        assert "within its uncertainty" in read_text(file, "x").warnings[0]
    else:
        with pytest.raises(InputError, match=r"occupa|occupied"):
            read_text(file, "x")
