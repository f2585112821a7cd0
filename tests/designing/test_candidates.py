import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designing.builders import CA, LI, MG, NA, example
from ionvolt.designing.candidates import balanced, candidates, combined, made, outside, substitutions
from ionvolt.designing.chemistry import charges_of, newcomers, places, radius
from ionvolt.designing.guidance import element_departures, element_log_probability, expected_gain, local_voltages
from ionvolt.designing.parents import discharged_parent
from ionvolt.designing.prototypes import families, prototypes
from ionvolt.designing.records import Substitution
from ionvolt.designing.scaling import scaled, substituted
from ionvolt.designing.settings import DesignSettings, parse_elements, parse_voltage
from ionvolt.errors import InputError
from ionvolt.models.registry import PAPER_MODEL, load_model
from ionvolt.physics.cache import Cache
from ionvolt.physics.relaxation import RelaxSettings
from ionvolt.structures import check
from ionvolt.structures.charge_balance import count_electrons, metal_charges
from ionvolt.structures.chemistry import MOBILE_IONS
from ionvolt.structures.crystal import ATOMIC_NUMBERS

pytestmark = pytest.mark.slow

OLIVINE, LAYERED, SPINEL = example("LiFePO4"), example("NaCoO2"), example("MgMn2O4")
HOSTS = ((OLIVINE, LI), (LAYERED, NA), (SPINEL, MG))
CHANGES = [(c, i, changes) for c, i in HOSTS for changes in combined(substitutions(c, i, DesignSettings()), 2)]
PROBABLE = DesignSettings(guide="probability", candidates=30)


@given(chosen=st.sampled_from(CHANGES))
@settings(max_examples=80, deadline=None)
def test_charges_of_candidates_balance_and_ions_come_out(chosen) -> None:
    parent, ion, changes = chosen
    found = made(parent, ion, changes, 0.0, None)
    if found is None:
        return
    charges = metal_charges(found.crystal)
    assert charges is not None
    assert charges.lowest - 1e-6 <= charges.present <= charges.highest + 1e-6
    total = sum(charges_of(found.crystal)[symbol] * n for symbol, n in found.crystal.composition.items())
    assert total == pytest.approx(0.0, abs=1e-6)
    electrons = count_electrons(found.crystal)
    assert electrons is not None
    assert 1 <= found.out <= found.crystal.composition[ion.symbol]
    assert found.out * ion.charge <= electrons.give + 1e-6
    assert found.removed + found.crystal.composition[ion.symbol] == parent.composition[ion.symbol]
    for one in changes:
        assert all(parent.numbers[site] == ATOMIC_NUMBERS[one.old] for site in one.sites)


def test_what_cannot_be_charged_is_no_candidate() -> None:
    # Al3+ gives no electron; Fe3+ beside silicate is at its highest.
    whole = Substitution("Fe", "Al", tuple(np.flatnonzero(OLIVINE.numbers == 26)), 4)
    assert made(OLIVINE, LI, (whole,), 0.0, None) is None
    silicate = Substitution("P", "Si", tuple(np.flatnonzero(OLIVINE.numbers == 15)), 4)
    assert made(OLIVINE, LI, (silicate,), 0.0, None) is None
    # With Mn it can: Mn3+ to Mn4+.
    manganese = Substitution("Fe", "Mn", tuple(np.flatnonzero(OLIVINE.numbers == 26)), 4)
    found = made(OLIVINE, LI, (manganese, silicate), 0.0, None)
    assert found is not None
    assert (found.crystal.formula, found.kind, found.out) == ("LiMnSiO4", "aliovalent", 4)


def test_ions_are_left_out_where_charges_ask_for_it() -> None:
    half = tuple(int(i) for i in np.flatnonzero(OLIVINE.numbers == 26)[:2])
    found = made(OLIVINE, LI, (Substitution("Fe", "Al", half, 4),), 0.0, None)
    assert found is not None
    assert (found.removed, found.out, found.kind) == (2, 2, "aliovalent")
    assert found.crystal.composition["Li"] == 2


def test_only_so_many_ions_come_out_as_there_are_electrons() -> None:
    half = tuple(int(i) for i in np.flatnonzero(OLIVINE.numbers == 26)[:2])
    found = made(OLIVINE, LI, (Substitution("Fe", "Mg", half, 4),), 0.0, None)
    assert found is not None
    assert (found.removed, found.out) == (0, 2)


def test_known_relatives_are_among_the_candidates() -> None:
    found, _ = candidates([OLIVINE], LI, PROBABLE, None)
    formulas = [one.crystal.formula for one in found]
    assert formulas[0] == "LiFePO4"
    assert {"LiMnPO4", "LiCoPO4", "LiNiPO4"} <= set(formulas)
    spinels = {one.crystal.formula for one in candidates([SPINEL], MG, PROBABLE, None)[0]}
    assert {"MgCr2O4", "MgV2O4", "Mg(CoO2)2"} <= spinels


@pytest.mark.parametrize(("host", "ion"), HOSTS)
def test_no_candidate_comes_twice(host, ion) -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    found, _ = candidates([host, host], ion, PROBABLE, None)
    matcher = StructureMatcher()
    for index, one in enumerate(found):
        for other in found[:index]:
            if one.crystal.formula == other.crystal.formula:
                assert not matcher.fit(one.crystal.to_pymatgen(), other.crystal.to_pymatgen())


def test_the_seed_settles_chance() -> None:
    def drawn(seed: int) -> list[str]:
        asked = DesignSettings(guide="random", candidates=12, seed=seed)
        return [one.crystal.formula for one in candidates([OLIVINE], LI, asked, None)[0]]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_elements_are_allowed_and_excluded() -> None:
    found, _ = candidates([OLIVINE], LI, DesignSettings(elements=("Mn", "V"), guide="probability"), None)
    assert {s for one in found for s in one.crystal.composition} <= {"Li", "Fe", "P", "O", "Mn", "V"}
    found, _ = candidates([LAYERED], NA, DesignSettings(exclude=("Co",), guide="probability"), None)
    assert found
    assert all("Co" not in one.crystal.composition for one in found)
    with pytest.raises(InputError, match="asked for and excluded"):
        DesignSettings(elements=("Co",), exclude=("Co",))


def test_places_and_newcomers() -> None:
    assert places(OLIVINE, LI) == {"Fe": "metal", "P": "centre", "O": "anion"}
    assert "S" in newcomers("O", "anion", frozenset({"S", "Fe"}))
    assert newcomers("Fe", "metal", frozenset({"Fe", "Na", "O", "Mn"})) == ["Mn"]
    # Another mobile ion stays what it is.
    mixed = replace(OLIVINE, numbers=np.where(OLIVINE.numbers == 3, 11, OLIVINE.numbers))
    assert places(mixed, LI)["Na"] == "mobile"


def test_the_cell_follows_the_radii() -> None:
    alike = substituted(OLIVINE, {})
    assert alike.lattice == pytest.approx(OLIVINE.lattice)
    sites = np.flatnonzero(LAYERED.numbers == ATOMIC_NUMBERS["O"])
    sulphide = substituted(LAYERED, dict.fromkeys(sites.tolist(), "S"))
    assert 1.3 < sulphide.volume / LAYERED.volume < 2.2
    # NaFeO2 is larger than NaCoO2, Fe3+ being larger than Co3+.
    iron = substituted(LAYERED, dict.fromkeys(np.flatnonzero(LAYERED.numbers == 27).tolist(), "Fe"))
    assert 1.0 < iron.volume / LAYERED.volume < 1.15
    # Selenium is no smaller than sulphur, although its atoms lie too near each other in the oxide's cell.
    selenide = substituted(LAYERED, dict.fromkeys(sites.tolist(), "Se"))
    assert sulphide.volume < selenide.volume
    # There and back again.
    back = scaled(iron, replace(iron, numbers=LAYERED.numbers))
    assert back.volume == pytest.approx(LAYERED.volume, rel=0.01)


def test_radii_are_shannons() -> None:
    assert radius("Fe", 2) == pytest.approx(0.78)
    assert radius("Mn", 3) == pytest.approx(0.645)
    assert radius("P", 5) == pytest.approx(0.17)
    assert radius("O", -2) == pytest.approx(1.38)
    assert radius("V", 5) == pytest.approx(0.355)


def test_probabilities_are_those_of_known_compounds() -> None:
    assert element_log_probability("Fe", 2, "Mn") > element_log_probability("Fe", 2, "Zr")
    assert element_log_probability("O", -2, "S") > element_log_probability("O", -2, "I")
    assert element_log_probability("Fe", 9, "Mn") == element_log_probability("Fe", 2, "Xx") == -50.0


def test_the_gain_is_that_of_the_atoms() -> None:
    local = local_voltages(OLIVINE, LI, load_model(PAPER_MODEL))
    assert local.departures[OLIVINE.numbers == 3].tolist() == [0.0] * 4
    # The departures of the host's atoms add up to nothing.
    assert local.departures.sum() == pytest.approx(0.0, abs=1e-4)
    sites = tuple(int(i) for i in np.flatnonzero(OLIVINE.numbers == 26))
    one = Substitution("Fe", "Mn", sites, 4)
    at_level = {"Mn": float(local.departures[list(sites)].mean())}
    assert expected_gain(one, local, at_level) == pytest.approx(0.0, abs=1e-6)
    assert expected_gain(one, local, {"Mn": at_level["Mn"] + 2.4}) == pytest.approx(2.4 * 4 / 24)
    assert expected_gain(one, local, {}) == -math.inf


def test_the_table_of_elements_holds_what_comes_in() -> None:
    for ion in ("Li", "Mg", "Y"):
        known = element_departures(ion)
        assert {"Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "O", "S", "F", "P", "Si"} <= set(known)
        assert all(math.isfinite(value) and abs(value) < 6 for value in known.values())


def test_the_guide_prefers_what_should_raise_the_voltage() -> None:
    network = load_model(PAPER_MODEL)
    found, _ = candidates([LAYERED], NA, DesignSettings(guide="local", changes=1), network)
    scores = [one.score for one in found[1:]]
    assert scores == sorted(scores, reverse=True)
    wanted = DesignSettings(guide="local", changes=1, voltage=(1.0, 2.0))
    nearest = candidates([LAYERED], NA, wanted, network)[0]
    assert nearest[1].score >= nearest[-1].score
    assert all(one.score <= 0 for one in nearest[1:])


def test_hosts_are_made_ready() -> None:
    nothing = Cache(None)
    assert discharged_parent(example("LiCoO2"), NA, RelaxSettings(), nothing).formula == "NaCoO2"
    assert discharged_parent(example("LiMn2O4"), CA, RelaxSettings(), nothing).composition["Ca"] == 1
    # One Na of a primitive cell makes room for half a Ca: two cells are taken.
    layered = discharged_parent(LAYERED, CA, RelaxSettings(), nothing)
    assert (layered.formula, len(layered)) == ("Ca(CoO2)2", 7)
    assert layered.volume == pytest.approx(2 * LAYERED.volume)
    assert check(layered).formula == layered.formula
    assert len(discharged_parent(example("LiMn2O4"), LI, RelaxSettings(), nothing)) == 14
    large = replace(OLIVINE, lattice=OLIVINE.lattice * 5, numbers=np.tile(OLIVINE.numbers, 5),
                    frac_coords=np.random.default_rng(0).random((140, 3)))  # fmt: skip
    with pytest.raises(InputError, match="atoms in the primitive cell"):
        discharged_parent(large, LI, RelaxSettings(), nothing)


def test_prototypes_by_family_and_by_name() -> None:
    assert {"olivine", "spinel", "nasicon", "layered"} <= set(families())
    assert "LiFePO4" in [one.source for one in prototypes("olivine")]
    assert [one.formula for one in prototypes("LiFePO4,LiFePO4")] == ["LiFePO4"]
    every = prototypes("all")
    assert len(every) > 15
    assert all(set(MOBILE_IONS) & set(one.composition) for one in every)
    with pytest.raises(InputError, match="no known electrode"):
        prototypes("perpetuum")


@pytest.mark.parametrize(
    ("text", "found"), [("2.5:3.5", (2.5, 3.5)), ("3:", (3.0, math.inf)), (":2", (-math.inf, 2.0))]
)
def test_ranges_are_read(text, found) -> None:
    assert parse_voltage(text) == found


@pytest.mark.parametrize("text", ["", ":", "3", "a:b", "2.5-3.5"])
def test_other_ranges_are_refused(text) -> None:
    with pytest.raises(InputError, match="not a range"):
        parse_voltage(text)


def test_lists_of_elements_are_read() -> None:
    assert parse_elements("co, Ni,co") == ("Co", "Ni")
    with pytest.raises(InputError, match="not an element"):
        parse_elements("Co,Unobtainium")


def test_outside() -> None:
    assert [outside(v, (2.0, 3.0)) for v in (1.5, 2.5, 3.25)] == [0.5, 0.0, 0.25]


def test_balanced_leaves_a_good_electrode_alone() -> None:
    found = balanced(OLIVINE, LI)
    assert found is not None
    crystal, out, removed = found
    assert (crystal.formula, out, removed) == ("LiFePO4", 4, 0)
    assert set(MOBILE_IONS) & set(crystal.composition) == {"Li"}
