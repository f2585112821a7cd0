"""Answers shared out among atoms: they add up, equal atoms get equal parts, and the description does not matter."""

from dataclasses import replace

import numpy as np
import pytest

from crystals import other_cell, permuted, rotated, shifted
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.models.interface import AtomContributions, Query
from ionvolt.models.mlip.atom_pairing import charged_onto_discharged, images_of_cell
from ionvolt.models.mlip.atomic_gp import AtomicGPSettings, fit_atomic_gp
from ionvolt.models.mlip.attribution import BY_ELEMENT
from ionvolt.structures.crystal import Crystal
from ionvolt.testing import supercell
from models.small import DISCHARGED, LI, VOLTAGES, delta, foundation, pairs, trials

pytestmark = pytest.mark.slow


def by_element(found: AtomContributions) -> dict[str, float]:
    symbols = np.array(found.crystal.symbols)
    return {symbol: float(found.contributions[symbols == symbol].sum()) for symbol in dict.fromkeys(symbols)}


def turned(of: Crystal, seed: int = 0) -> Crystal:
    rng = np.random.default_rng(seed)
    return rotated(permuted(shifted(other_cell(of, rng), rng), rng), rng)


@pytest.fixture(scope="module")
def electrodes() -> list[Query]:
    return [Query("Li", remove_ion(d, LI), "discharged", d) for d in DISCHARGED]


def test_the_parts_make_the_answer_that_was_given(electrodes: list[Query]) -> None:
    hosts = [Query("Li", query.host) for query in electrodes]
    for model, queries in ((delta(), electrodes), (foundation(), hosts)):
        assert model.explains
        for found, answer in zip(model.attribute(queries), model.estimate(queries), strict=True):
            assert found.estimate == answer
            assert found.contributions.sum() + found.remainder == pytest.approx(answer.voltage, abs=1e-6)
            assert found.local_voltages.mean() == pytest.approx(answer.voltage, abs=1e-6)
            assert found.spread.shape == found.contributions.shape == (len(found.crystal),)


def test_the_potentials_parts_make_the_potentials_voltage(electrodes: list[Query]) -> None:
    for found in delta().attribute(electrodes):
        assert found.potential is not None
        assert found.potential.sum() == pytest.approx(found.estimate.physics, abs=1e-5)


def test_the_remainder_is_the_correction_of_the_electrode_as_a_whole(electrodes: list[Query]) -> None:
    model = delta()
    kernel = fit_atomic_gp(pairs(settled=True), VOLTAGES, replace(AtomicGPSettings(), n_features=200))
    corrector = model.correctors["discharged"]
    corrector.machine, corrector.kernel = None, kernel  # a machine is half of the mean, and all of it a remainder
    for network in corrector.networks:  # untrained: the correction of the whole is zero
        network.layers["shift"][-1].bias[:] = 0.5
    for found in model.attribute(electrodes):
        assert found.remainder == pytest.approx(0.5 * 0.3 * 0.5 + 0.5 * kernel.shifts[0], abs=1e-5)


def test_three_quarters_of_the_trials_voltage_are_shared_out(electrodes: list[Query]) -> None:
    (found,) = foundation().attribute([Query("Li", electrodes[0].host)])
    physics = trials()[0].pair.physics
    assert found.potential is not None
    assert found.potential.sum() == pytest.approx(0.75 * physics, abs=1e-5)
    assert found.contributions.sum() == pytest.approx(0.75 * physics, abs=1e-4)  # untrained networks correct nothing
    assert found.crystal.composition["Li"] == 1
    assert 0 < found.remainder_share < 1


def test_a_trial_beyond_what_counts_is_scaled_down(electrodes: list[Query], monkeypatch: pytest.MonkeyPatch) -> None:
    from ionvolt.models.mlip import trial_features

    monkeypatch.setattr(trial_features, "WITHIN", (-0.5, 0.5))
    (found,) = foundation().attribute([Query("Li", electrodes[0].host)])
    assert found.potential is not None
    assert abs(found.potential.sum()) == pytest.approx(0.375, abs=1e-5)
    assert any("scaled down" in note for note in found.notes)


@pytest.mark.parametrize("both", [False, True])
def test_the_description_of_an_electrode_does_not_matter(electrodes: list[Query], both: bool) -> None:
    query = electrodes[0]
    assert query.discharged is not None
    discharged = turned(query.discharged)
    host = turned(query.host, seed=1) if both else remove_ion(discharged, LI)
    end_members = "both" if both else "discharged"
    as_before = replace(query, end_members=end_members)
    first, second = delta().attribute([as_before, Query("Li", host, end_members, discharged)])
    assert by_element(second) == pytest.approx(by_element(first), abs=2e-3)
    assert not second.notes
    assert np.sort(second.contributions) == pytest.approx(np.sort(first.contributions), abs=2e-3)


def test_a_supercell_has_the_same_parts(electrodes: list[Query]) -> None:
    query = electrodes[0]
    assert query.discharged is not None
    twice = supercell(query.discharged, (2, 1, 1))
    first, second = delta().attribute([query, Query("Li", remove_ion(twice, LI), "discharged", twice)])
    assert by_element(second) == pytest.approx(by_element(first), abs=1e-3)
    assert second.local_voltages.max() == pytest.approx(first.local_voltages.max(), abs=4e-3)
    host, big = foundation().attribute([Query("Li", query.host), Query("Li", supercell(query.host, (2, 1, 1)))])
    assert by_element(big) == pytest.approx(by_element(host), abs=1e-3)
    assert (len(host.crystal), len(big.crystal)) == (4, 8)
    assert big.crystal.volume == pytest.approx(2 * host.crystal.volume)


def test_ends_of_other_cells_are_brought_together_by_element(electrodes: list[Query]) -> None:
    query = electrodes[0]
    assert query.discharged is not None
    same, twice = (
        Query("Li", host, "both", query.discharged) for host in (query.host, turned(supercell(query.host, (2, 1, 1))))
    )
    first, second = delta().attribute([same, twice])
    assert second.notes == (BY_ELEMENT,)
    assert second.estimate.voltage == pytest.approx(first.estimate.voltage, abs=1e-3)
    assert by_element(second) == pytest.approx(by_element(first), abs=2e-3)


def test_ions_that_stay_are_shared_out_evenly() -> None:
    discharged = supercell(DISCHARGED[0], (2, 1, 1))
    some = np.flatnonzero(discharged.numbers == 3)[:1]
    charged = Crystal(
        discharged.lattice, np.delete(discharged.numbers, some), np.delete(discharged.frac_coords, some, 0)
    )
    shared, distinguished = charged_onto_discharged(discharged, charged, LI)
    assert distinguished
    assert shared.sum(0) == pytest.approx(1)
    ions = discharged.numbers == 3
    assert shared[ions][:, charged.numbers == 3].ravel() == pytest.approx([0.5, 0.5])
    assert shared[~ions][:, charged.numbers != 3] == pytest.approx(np.eye(6))
    (found,) = delta().attribute([Query("Li", charged, "both", discharged)])
    assert found.contributions.sum() + found.remainder == pytest.approx(found.estimate.voltage, abs=1e-6)


def test_a_cell_is_found_in_the_crystal_that_it_makes() -> None:
    cell = DISCHARGED[0]
    owner, shifts = images_of_cell(supercell(cell, (3, 1, 1)), cell) or pytest.fail("not found")
    assert owner.tolist() == [0, 1, 2, 3] * 3
    assert shifts == pytest.approx(np.arange(3)[:, None] * cell.lattice[0], abs=1e-9)
    moved = replace(cell, frac_coords=cell.frac_coords + np.array([[0.2], [0], [0], [0]]))
    assert images_of_cell(moved, cell) is None


def test_large_ions_get_room_and_their_parts() -> None:
    host = remove_ion(DISCHARGED[0], WORKING_IONS["Li"])
    (found,) = foundation().attribute([Query("K", host)])
    assert found.crystal.composition == {"Co": 1, "O": 2, "K": 1}
    assert found.crystal.lattice == pytest.approx(host.lattice)
    assert found.contributions.sum() + found.remainder == pytest.approx(found.estimate.voltage, abs=1e-6)
