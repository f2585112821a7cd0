"""The optimiser of relaxations and the stiffness that it begins with."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from crystals import disulfide, layered, nickel_aluminide, olivine, permuted, random_crystal, rotated, spinel
from ionvolt.errors import InputError
from ionvolt.ions import WORKING_IONS, remove_ion
from ionvolt.physics import CHGNetPotential
from ionvolt.physics.metals import TEXTBOOK
from ionvolt.physics.model_hessian import ATOM_FLOOR, STRAINS, model_hessian
from ionvolt.physics.potentials.ase_calculator import ASEPotential
from ionvolt.physics.potentials.calculator import PotentialCalculator
from ionvolt.physics.potentials.interface import Forces, Potential
from ionvolt.physics.references import RELAXED
from ionvolt.physics.relaxation import Relaxation, RelaxSettings, relax
from ionvolt.physics.settling import settle
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import ask_spglib, symmetry_operations

LI = WORKING_IONS["Li"]


class Counted:
    """A potential that counts how often it is asked for forces."""

    def __init__(self, potential: Potential) -> None:
        self.potential, self.version, self.calls = potential, potential.version, 0
        self.evaluate = potential.evaluate

    def forces(self, crystal: Crystal) -> Forces:
        self.calls += 1
        return self.potential.forces(crystal)


def shaken(crystal: Crystal, shake: float = 0.08, strain: float = 0.03) -> Crystal:
    rng = np.random.default_rng(1)
    moved = crystal.frac_coords + rng.normal(0, shake, (len(crystal), 3)) @ np.linalg.inv(crystal.lattice)
    return replace(crystal, lattice=crystal.lattice * (1 + strain), frac_coords=moved)


def repeated(cell: Crystal, times: int) -> Crystal:
    for k in range(times):
        cell = doubled(cell, k % 3)
    return cell


def doubled(cell: Crystal, axis: int) -> Crystal:
    scale, shift = np.ones(3), np.zeros(3)
    scale[axis], shift[axis] = 2.0, 0.5
    halves = cell.frac_coords / scale
    return Crystal(cell.lattice * scale[:, None], np.tile(cell.numbers, 2), np.vstack([halves, halves + shift]))


def calls(crystal: Crystal, potential: Potential, settings: RelaxSettings) -> tuple[int, Relaxation]:
    counted = Counted(potential)
    found = relax(crystal, counted, settings)
    assert found.converged
    assert counted.calls == found.steps + 1
    return counted.calls, found


@pytest.mark.parametrize(
    "start",
    [remove_ion(olivine(), LI), olivine(), shaken(repeated(disulfide(), 2)), shaken(layered())],
    ids=["host", "discharged", "shaken", "small"],
)
def test_it_ends_where_bfgs_ends_after_half_of_the_calls(potential: CHGNetPotential, start: Crystal) -> None:
    n_before, before = calls(start, potential, RelaxSettings(fmax=0.03, optimiser="bfgs"))
    n_now, now = calls(start, potential, RelaxSettings(fmax=0.03))
    assert now.energy / len(start) == pytest.approx(before.energy / len(start), abs=1e-3)
    assert n_now <= n_before / 2


@pytest.mark.parametrize("repeats", [2, 4])
def test_alloys_take_half_of_the_calls(repeats: int) -> None:
    start, potential = shaken(repeated(nickel_aluminide(), repeats)), ASEPotential(EMT())
    n_before, before = calls(start, potential, RelaxSettings(fmax=0.05, timeout=None, optimiser="bfgs"))
    n_now, now = calls(start, potential, RelaxSettings(fmax=0.05, timeout=None))
    assert now.energy / len(start) == pytest.approx(before.energy / len(start), abs=1e-3)
    assert n_now <= n_before / 2


def test_large_cells_take_no_more_steps_than_small_ones() -> None:
    """FIRE, which stands in for ASE's BFGS beyond 200 atoms, takes over 40."""
    start = shaken(repeated(nickel_aluminide(), 6))
    assert len(start) == 256
    assert calls(start, ASEPotential(EMT()), RelaxSettings(fmax=0.05, timeout=None))[0] <= 12


@pytest.mark.parametrize("start", [remove_ion(olivine(), LI), remove_ion(spinel("Li", 8.24), LI), layered()])
def test_the_space_group_stays(potential: CHGNetPotential, start: Crystal) -> None:
    group = ask_spglib("get_spacegroup", start.spglib_cell, symprec=0.01)
    end = relax(replace(start, lattice=start.lattice * 1.02), potential).crystal
    assert len(symmetry_operations(start)) > 4
    assert ask_spglib("get_spacegroup", end.spglib_cell, symprec=0.01) == group


@pytest.mark.parametrize("symbol", ["Li", "Al", "Mg"])
def test_cells_of_metals_relax_where_no_force_is_on_an_atom(potential: CHGNetPotential, symbol: str) -> None:
    found = relax(TEXTBOOK[symbol].crystal(symbol), potential, RelaxSettings(fmax=0.002))
    assert found.converged
    assert found.crystal.volume == pytest.approx(RELAXED[symbol].crystal(symbol).volume, rel=0.01)


def test_where_the_curvature_is_negative_it_still_goes_downhill(potential: CHGNetPotential) -> None:
    """Layers pulled half apart: their energy bends downwards."""
    host = remove_ion(disulfide(), LI)
    apart = replace(host, lattice=host.lattice * [[1.0], [1.0], [1.25]], frac_coords=host.frac_coords * [1, 1, 0.8])
    found = relax(apart, potential, RelaxSettings(fmax=0.02))
    assert found.converged
    assert found.energy < found.start_energy


def test_bfgs_is_ases_own(potential: CHGNetPotential) -> None:
    start = shaken(disulfide("K"), strain=0.1)
    atoms = Atoms(numbers=start.numbers, cell=start.lattice, scaled_positions=start.frac_coords, pbc=True)
    atoms.calc = PotentialCalculator(potential)
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.1, steps=4)
    found = relax(start, potential, RelaxSettings(max_steps=4, timeout=None, optimiser="bfgs"))
    assert found.steps == 4
    assert found.crystal.lattice == pytest.approx(np.array(atoms.cell), abs=1e-9)
    assert found.crystal.frac_coords == pytest.approx(atoms.get_scaled_positions(wrap=False), abs=1e-9)


def test_settling_takes_the_first_steps_of_a_relaxation_and_no_more_calls(potential: CHGNetPotential) -> None:
    start, counted = remove_ion(olivine(), LI), Counted(potential)
    settled = settle(start, counted, 3)
    assert counted.calls == 3
    relaxed = relax(start, potential, RelaxSettings(fmax=0.0, max_steps=3))
    assert np.allclose(settled.lattice, relaxed.crystal.lattice)
    assert np.allclose(settled.frac_coords, relaxed.crystal.frac_coords)
    assert relaxed.energy < relaxed.start_energy
    assert settle(start, counted, 0) is start


def test_a_cell_settles_as_its_supercell_does(potential: CHGNetPotential) -> None:
    start = remove_ion(olivine(), LI)
    small, large = (settle(crystal, potential, 3) for crystal in (start, doubled(start, 2)))
    energies = [potential.evaluate([crystal])[0].energy for crystal in (small, large)]
    assert energies[1] == pytest.approx(2 * energies[0], abs=1e-4)


def test_settling_ends_where_the_potential_cannot_follow(potential: CHGNetPotential) -> None:
    class Failing(Counted):
        def forces(self, crystal: Crystal) -> Forces:
            if self.calls:
                raise InputError(crystal.source, "too far apart", "")
            return super().forces(crystal)

    start = remove_ion(olivine(), LI)
    assert settle(start, Failing(potential), 3) is start
    lonely = Crystal(20 * np.eye(3), np.array([3]), np.zeros((1, 3)), "lonely")
    with pytest.raises(InputError, match="lonely"):
        settle(lonely, potential, 3)


def test_strains_are_at_right_angles() -> None:
    assert np.einsum("sab,tab->st", STRAINS, STRAINS) == pytest.approx(np.eye(6))
    assert pytest.approx(STRAINS.transpose(0, 2, 1)) == STRAINS


@pytest.mark.parametrize("seed", range(4))
def test_the_model_hessian_is_that_of_springs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    crystal = random_crystal(rng, 7)
    found = model_hessian(crystal)
    assert found == pytest.approx(found.T)
    eigenvalues = np.linalg.eigvalsh(found)
    assert eigenvalues[0] > 0.9 * min(ATOM_FLOOR, 1.0)
    # To shift all atoms costs nothing but the floor, also where the cell is strained.
    shift = np.concatenate([np.tile([1.0, 0.0, 0.0], 7), np.zeros(6)])
    assert found @ shift == pytest.approx(ATOM_FLOOR * shift, abs=1e-9)
    for same in (permuted(crystal, rng), rotated(crystal, rng)):
        assert np.linalg.eigvalsh(model_hessian(same)) == pytest.approx(eigenvalues)


def test_a_double_cell_is_twice_as_stiff_against_strain() -> None:
    crystal = disulfide()
    assert model_hessian(doubled(crystal, 0))[-6:, -6:] == pytest.approx(2 * model_hessian(crystal)[-6:, -6:])
