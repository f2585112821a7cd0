"""Electrons that metals give and take, what is no framework, and hosts that are emptied of other ions."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystals import disulfide, layered, olivine, sodium_chloride
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.orderings import remove_sites, without_farthest
from ionvolt.reading import made_by_removal, read_question, same_framework
from ionvolt.structures import read_text
from ionvolt.structures.bonding import is_molecular, vacuum
from ionvolt.structures.charge_balance import count_electrons
from ionvolt.structures.crystal import Crystal
from ionvolt.testing import supercell

LI, NA, MG = (WORKING_IONS[symbol] for symbol in ("Li", "Na", "Mg"))


def test_frameworks_molecules_and_slabs() -> None:
    for crystal in (olivine(), layered(), disulfide(), sodium_chloride()):
        assert not is_molecular(crystal)
        assert vacuum(crystal) < 5
    host = remove_ion(layered(), LI)
    slab = Crystal(host.lattice * np.array([[1, 1, 1], [1, 1, 1], [4, 4, 4]]), host.numbers,
                   host.frac_coords * np.array([1, 1, 0.25]))  # fmt: skip
    assert vacuum(slab) > 7
    # Nitrogen molecules, 1.1 Å long, in a wide cell.
    molecule = Crystal(np.eye(3) * 5.0, np.array([7, 7]), np.array([[0.0, 0, 0], [0.22, 0, 0]]))
    assert is_molecular(molecule)
    assert is_molecular(Crystal.from_pymatgen(molecule.to_pymatgen().make_supercell((2, 1, 1))))
    # Dry ice, whatever the order of its atoms.
    carbon = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    along = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]) * 0.119
    dry_ice = Crystal(
        np.eye(3) * 5.62, np.array([6] * 4 + [8] * 8), np.vstack([carbon, carbon + along, carbon - along])
    )
    for order in (np.arange(12), np.random.default_rng(0).permutation(12)):
        assert is_molecular(replace(dry_ice, numbers=dry_ice.numbers[order], frac_coords=dry_ice.frac_coords[order]))


def test_a_host_is_emptied_as_far_as_its_metals_give_electrons() -> None:
    full = olivine()
    found = read_question(full, NA)
    assert found.query.made_of is full
    assert found.query.end_members == "charged"
    assert (found.query.host.formula, found.removed) == ("FePO4", {"Li": 4})
    assert not found.doubts
    kept = read_question(olivine(), NA, assume="charged")
    assert kept.query.made_of is None
    assert kept.query.host is kept.crystal
    assert any("take up an electron" in doubt for doubt in kept.doubts)
    full = sodium_chloride()  # its metal has nothing to give
    if count_electrons(full.composition) is not None:
        assert read_question(full, MG).removed == {} or count_electrons(full.composition).give > 0  # type: ignore[union-attr]


def test_the_working_ion_makes_it_discharged() -> None:
    found = read_question(olivine(), LI)
    assert found.query.end_members == "discharged"
    assert found.n_ions == 4
    half = read_question(olivine(), LI, charged_formula="0.5")
    assert half.partly
    assert half.n_ions == 2
    same = read_question(olivine(), LI, charged_formula="LiFe2P2O8")
    assert same.query.host.formula == half.query.host.formula
    for wrong in ("0", "FePO4F", "1.2", "0.1"):
        with pytest.raises(InputError):
            read_question(olivine(), LI, charged_formula=wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"discharged_formula": "Li2FePO4"}, "assume charged"),
        ({"assume": "charged", "charged_formula": "FePO4"}, "no effect"),
        ({"charged": olivine()}, "no more Li"),
        ({"charged": remove_ion(layered(), LI)}, "differ by more than Li"),
        ({"charged": remove_ion(olivine(), LI), "assume": "charged"}, "does not fit"),
        ({"charged": remove_ion(olivine(), LI), "charged_formula": "FePO4"}, "no formula"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_question(olivine(), LI, **options)  # type: ignore[arg-type]


def test_a_charged_end_that_was_made_by_deleting_the_ion() -> None:
    full = olivine()
    empty = remove_ion(full, LI)
    shuffled = Crystal(empty.lattice, empty.numbers[::-1], empty.frac_coords[::-1] + 1.0)
    assert made_by_removal(full, empty, LI)
    assert made_by_removal(full, shuffled, LI)
    doubled = Crystal.from_pymatgen(empty.to_pymatgen().make_supercell((1, 2, 1)))
    assert made_by_removal(full, doubled, LI)
    elsewhere = Crystal(empty.lattice, empty.numbers, empty.frac_coords + np.array([0.25, 0.1, 0.3]))
    assert made_by_removal(full, elsewhere, LI)
    relaxed = Crystal(empty.lattice * 0.98, empty.numbers, empty.frac_coords)
    moved = empty.frac_coords.copy()
    moved[0] += 0.03
    assert not made_by_removal(full, relaxed, LI)
    assert not made_by_removal(full, Crystal(empty.lattice, empty.numbers, moved), LI)
    assert same_framework(full, relaxed, LI)
    half = remove_sites(full, np.flatnonzero(full.numbers == LI.number)[:2])
    near = Crystal(half.lattice, half.numbers, half.frac_coords + 1e-3)
    for charged, formula in ((empty, "FePO4"), (shuffled, "FePO4"), (doubled, "FePO4"), (elsewhere, "FePO4"),
                             (near, half.formula)):  # fmt: skip
        query = read_question(full, LI, charged=charged).query
        assert query.end_members == "discharged"
        assert query.host.formula == formula
        there = {(n, place.tobytes()) for n, place in zip(full.numbers, full.frac_coords, strict=True)}
        left = {(n, place.tobytes()) for n, place in zip(query.host.numbers, query.host.frac_coords, strict=True)}
        assert left < there, "models ask which atom of the discharged structure each of the host is"
    assert read_question(full, LI, charged=relaxed).query.end_members == "both"


def test_the_same_framework_in_whichever_cells(shared_data: Path) -> None:
    """WO2 and Mg(WO2)4, whose matcher once found one in the other only in some cells."""
    wanted: dict[str, Crystal | None] = {"mp-1044214": None, "mp-25375": None}
    with gzip.open(shared_data / "structures.jsonl.gz", "rt", encoding="utf-8") as file:
        for record in map(json.loads, file):
            if record["id"] in wanted:
                wanted[record["id"]] = read_text(record["cif"], record["id"])
    full, empty = wanted.values()
    assert full is not None
    assert empty is not None
    for one in (full, supercell(full, (2, 1, 1)), supercell(full, (1, 2, 1))):
        for other in (empty, supercell(empty, (1, 1, 2))):
            assert same_framework(one, other, MG)


def test_more_electrons_than_the_metals_have() -> None:
    host = remove_ion(layered(), LI)
    assert not read_question(host, LI, discharged_formula="LiCoO2").doubts
    assert any("conversion" in d for d in read_question(host, LI, discharged_formula="Li3CoO2").doubts)
    with pytest.raises(InputError, match="electrons"):
        read_question(host, LI, discharged_formula="Li40CoO2")


def test_exchange_keeps_charge_and_places() -> None:
    found = exchanged(olivine(), NA)
    assert found.formula == "NaFePO4"
    np.testing.assert_allclose(found.frac_coords, olivine().frac_coords)
    half = exchanged(olivine(), MG)
    assert half.composition["Mg"] == 2
    with pytest.raises(InputError, match="no mobile ion"):
        exchanged(remove_ion(olivine(), LI), NA)


def test_ions_taken_out_lie_far_from_each_other() -> None:
    cell = Crystal.from_pymatgen(layered().to_pymatgen().make_supercell((4, 1, 1)))
    found = without_farthest(cell, 3, 2)
    assert found.composition["Li"] == 2
    left = found.frac_coords[found.numbers == 3][:, 0]
    assert abs(abs(left[0] - left[1]) - 0.5) < 1e-6, "every other one is left"
