"""The whole way from occupancies to weighted crystals, on potentials that are simple enough to know the answer."""

from dataclasses import replace

import numpy as np
import pytest

from ionvolt.errors import InputError
from ionvolt.ordering import OrderSettings, order
from ionvolt.ordering.order import boltzmann
from ionvolt.physics.potentials.interface import PotentialOutput
from ionvolt.physics.potentials.pair import PotentialPair
from ionvolt.structures import Crystal, check, read_disordered
from ionvolt.structures.disorder import DisorderedCrystal
from ordering.cells import FLUOROPHOSPHATE, NMC811, OLIVINE, P2_BRONZE, SPINEL_5V, TITANATE, cif

pytestmark = pytest.mark.slow


class Likes:
    """A potential whose energy falls by so much eV for every two nickel neighbours."""

    version = "toy"

    def __init__(self, gain: float, refused: int = 0) -> None:
        self.gain, self.refused, self.asked = gain, refused, 0

    def evaluate(self, crystals):
        self.asked += len(crystals)
        if self.asked <= self.refused:
            raise InputError("toy", "not today", "Come again")
        return [
            PotentialOutput(-self.gain * nickel_pairs(c), np.zeros((len(c), 1, 1), np.float32), None) for c in crystals
        ]


def nickel_pairs(crystal: Crystal) -> int:
    structure = crystal.to_pymatgen()
    nickel = [site for site in structure if site.specie.symbol == "Ni"]
    return sum(n.specie.symbol == "Ni" for site in nickel for n in structure.get_neighbors(site, 3.0)) // 2


def ordered(text: str, gain: float = 0.0, refused: int = 0, **settings):
    chosen = OrderSettings(**({"relax": False} | settings))
    toy = Likes(gain, refused)
    return order(read_disordered(text, "x.cif"), chosen, potentials=PotentialPair(None, toy)), toy  # type: ignore[arg-type]


def test_the_potential_ranks_what_electrostatics_cannot():
    clustered, _ = ordered(SPINEL_5V, gain=1.0, max_atoms=28)
    spread, _ = ordered(SPINEL_5V, gain=-1.0, max_atoms=28)
    assert nickel_pairs(clustered.orderings[0].crystal) > nickel_pairs(spread.orderings[0].crystal)
    for found in (clustered, spread):
        energies = [one.energy for one in found.orderings]
        assert energies == sorted(energies)
        weights = [one.weight for one in found.orderings]
        assert sum(weights) == pytest.approx(1.0)


def test_weights_are_degeneracies_where_energies_are_equal():
    found, _ = ordered(TITANATE)
    ways = np.array([one.degeneracy for one in found.orderings])
    assert [one.weight for one in found.orderings] == pytest.approx(ways / ways.sum())


def test_boltzmann():
    assert boltzmann([0.0, 0.0], [1, 3], 300.0) == pytest.approx([0.25, 0.75])
    k = 8.617333e-5
    assert boltzmann([-500.0, -500.0 + k * 1000 * np.log(2)], [1, 1], 1000.0) == pytest.approx([2 / 3, 1 / 3])
    assert boltzmann([-500.0, -400.0], [1, 1000], 300.0) == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize(
    ("text", "formula", "temperature"),
    [
        (NMC811, "Li10MnCoNi8O20", 1000.0),
        (TITANATE, "Li4Ti5O12", 1000.0),
        (FLUOROPHOSPHATE, "Na3V2P2O8F3", 300.0),
        (P2_BRONZE, "Na11Mn16O32", 300.0),
        (OLIVINE, "Li2MnFeP2O8", 1000.0),
    ],
)
def test_known_electrodes(text, formula, temperature):
    found, _ = ordered(text, candidates=2, keep=2)
    assert found.temperature == temperature
    for one in found.orderings:
        assert check(one.crystal) is one.crystal
        reduced = one.crystal.to_pymatgen().composition.reduced_composition
        assert reduced == reduced.__class__(formula).reduced_composition
        assert one.crystal.source == "x.cif"


def test_rounding_travels_with_the_crystals():
    found, _ = ordered(NMC811, max_atoms=16)
    assert found.cells == 4
    assert any("Ni 0.8 of a site is rounded to 3 of 4" in word for word in found.orderings[0].crystal.warnings)


def test_no_more_is_computed_than_was_asked_for():
    found, toy = ordered(SPINEL_5V, candidates=5, keep=3)
    assert toy.asked == 5
    assert len(found.orderings) == 3


def test_a_refused_candidate_is_left_out_and_all_refused_are_an_error():
    found, _ = ordered(SPINEL_5V, candidates=4, keep=4, refused=1)
    assert len(found.orderings) == 3
    with pytest.raises(InputError, match="not today"):
        ordered(SPINEL_5V, candidates=4, refused=99)


def test_the_seed_settles_everything():
    first, again = (ordered(OLIVINE, candidates=4, seed=3)[0] for _ in range(2))
    for one, other in zip(first.orderings, again.orderings, strict=True):
        assert (one.crystal.numbers == other.crystal.numbers).all()
        assert one.electrostatic_energy == other.electrostatic_energy


def test_equal_metals_are_not_taken_in_the_order_of_the_list():
    """Fe and Mn of one charge have one electrostatic energy: what is looked at is drawn."""
    drawn = {ordered(OLIVINE, candidates=1, keep=1, seed=s)[0].orderings[0].crystal.numbers.tobytes() for s in range(4)}
    assert len(drawn) > 1


def test_the_cell_that_is_given_does_not_matter():
    """A supercell of the disordered crystal, turned round, has the same orderings."""
    base = read_disordered(TITANATE, "x.cif")
    double = DisorderedCrystal(
        base.lattice[[1, 2, 0]] * np.array([[2.0], [1.0], [1.0]]),
        np.vstack(
            [base.frac_coords[:, [1, 2, 0]] / [2, 1, 1], base.frac_coords[:, [1, 2, 0]] / [2, 1, 1] + [0.5, 0, 0]]
        ),
        base.sites * 2,
        "x.cif",
    )
    settings = OrderSettings(relax=False, candidates=4)
    one, other = (order(d, settings, potentials=PotentialPair(None, Likes(0.0))) for d in (base, double))  # type: ignore[arg-type]
    assert one.found == other.found
    energies = [[round(o.electrostatic_energy, 3) for o in found.orderings] for found in (one, other)]
    assert sorted(energies[0]) == pytest.approx(sorted(energies[1]), abs=2e-3)


def test_an_ordered_crystal_comes_back():
    text = cif("F m -3 m", (5.13, 5.13, 5.13, 90, 90, 90), [("Li", 0, 0, 0, 1), ("Cl", 0.5, 0.5, 0.5, 1)])
    found, toy = ordered(text)
    assert found.was_ordered
    assert found.orderings[0].weight == 1.0
    assert found.orderings[0].crystal.composition == {"Li": 4, "Cl": 4}
    assert toy.asked == 0


def test_doubts_and_warnings_travel():
    base = replace(read_disordered(TITANATE, "x.cif"), warnings=("odd",), doubts=("very odd",))
    found = order(base, OrderSettings(relax=False, candidates=1), potentials=PotentialPair(None, Likes(0.0)))  # type: ignore[arg-type]
    assert found.orderings[0].crystal.doubts == ("very odd",)
    assert "odd" in found.orderings[0].crystal.warnings


def test_sites_that_can_only_be_filled_too_near_are_refused():
    sites = [("Li", 0, 0, 0, 0.9), ("Li", 0.1, 0, 0, 0.9), ("O", 0.5, 0.5, 0.5, 1), ("O", 0.5, 0, 0.5, 1)]
    with pytest.raises(InputError, match="too near each other"):
        ordered(cif("P 1", (5, 5, 5, 90, 90, 90), sites))


def test_huge_cells_are_refused():
    rng = np.random.default_rng(0)
    sites = [("O", *rng.random(3).round(4), 1) for _ in range(250)] + [("Li", 0, 0, 0, 0.5)]
    with pytest.raises(InputError, match="more than the 240 that are ordered"):
        ordered(cif("P 1", (30, 30, 30, 90, 90, 90), sites))
