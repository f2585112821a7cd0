"""Every adapter keeps one contract, and says what the package says that it adapts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from crystals import disulfide, nickel_aluminide, sodium_chloride
from ionvolt.physics.potentials.ase_calculator import ASEPotential
from ionvolt.physics.potentials.chgnet import VERSIONS, load_chgnet
from ionvolt.physics.potentials.interface import Forces
from ionvolt.physics.potentials.pair import SHIPPED, load_potential
from ionvolt.physics.potentials.sevennet import PBE_HEAD, R2SCAN_HEAD, VERSION
from ionvolt.structures.crystal import Crystal
from ionvolt.testing import check_potential, descriptions
from ionvolt.testing.crystals import layered
from ionvolt.testing.potentials import shaken

pytestmark = pytest.mark.slow


def sevennets(version: str) -> Any:
    """The package's own calculator."""
    from sevenn.calculator import SevenNetCalculator

    name, _, head = version.partition(":")
    return SevenNetCalculator(name, device="cpu", **({"modal": head.upper()} if head else {}))


def sevennets_vectors(calculator: Any) -> Callable[[Crystal], NDArray[np.float32]]:
    """What the last two gates of the package's own network let through, without its directions."""
    import torch
    from sevenn.train.dataload import unlabeled_atoms_to_graph

    network, seen = calculator.model, []
    gates = [module for name, module in network.named_children() if name.endswith("equivariant_gate")][-2:]

    def vectors(crystal: Crystal) -> NDArray[np.float32]:
        from sevenn.atom_graph_data import AtomGraphData

        atoms = crystal.to_pymatgen().to_ase_atoms()
        data = AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(atoms, calculator.cutoff))
        if calculator.modal is not None:
            data["data_modality"] = calculator.modal
        hooks = [gate.register_forward_hook(lambda _, __, out: seen.append(out["x"].detach())) for gate in gates]
        seen.clear()
        network(data)
        for hook in hooks:
            hook.remove()
        return torch.stack([one[:, :128] for one in seen], dim=1).numpy()

    return vectors


@pytest.mark.filterwarnings("ignore:No tensor product accelerator")
@pytest.mark.parametrize("version", [VERSION, PBE_HEAD, R2SCAN_HEAD])
def test_sevennet(version: str) -> None:
    calculator = sevennets(version)
    crystals = [shaken(layered("Li", "Co", 2.82, 14.05).discharged)]
    potential = load_potential(version)
    check_potential(potential, crystals, calculator=calculator, features=sevennets_vectors(calculator))
    for crystal in (disulfide(), sodium_chloride()):  # other elements
        (output,) = potential.evaluate([crystal])
        assert output.energy == pytest.approx(
            calculator.get_potential_energy(crystal.to_pymatgen().to_ase_atoms()), abs=1e-4
        )
        assert output.magmoms is None


@pytest.mark.parametrize("version", VERSIONS)
def test_chgnet(version: str) -> None:
    from chgnet.model.dynamics import CHGNetCalculator

    potential = load_chgnet(version)
    calculator = CHGNetCalculator(model=potential.network, use_device="cpu")

    def vectors(crystal: Crystal) -> NDArray[np.float32]:
        found: Any = potential.network.predict_structure(crystal.to_pymatgen(), task="em", return_atom_feas=True)
        (ours,) = potential.evaluate([crystal])
        return np.concatenate([ours.features[:, :2], found["atom_fea"][:, None], ours.features[:, 3:]], 1)

    crystals = [shaken(layered("Li", "Mn", 2.90, 14.60).discharged)]
    check_potential(potential, crystals, calculator=calculator, features=vectors)


def test_calculators_of_ase() -> None:
    from ase.calculators.emt import EMT

    check_potential(ASEPotential(EMT()), [shaken(nickel_aluminide())], calculator=EMT())
    check_potential(load_potential("ase:ase.calculators.emt.EMT"), [shaken(nickel_aluminide(), seed=1)])


def test_all_shipped_ones_are_held_to_it() -> None:
    assert set(SHIPPED) == {VERSION, PBE_HEAD, R2SCAN_HEAD, *VERSIONS}


class Spring:
    """A potential that is wrong in one way."""

    version = "spring"

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def evaluate(self, crystals: list[Crystal]) -> list[Any]:
        calculator = load_potential("ase:ase.calculators.lj.LennardJones")
        found = calculator.evaluate(crystals)
        if self.wrong == "energy":
            return [replace(o, energy=o.energy + 0.01 * c.lattice[0, 0]) for o, c in zip(found, crystals, strict=True)]
        return found

    def forces(self, crystal: Crystal) -> Forces:
        found = load_potential("ase:ase.calculators.lj.LennardJones").forces(crystal)
        return replace(found, forces=-found.forces) if self.wrong == "forces" else found


@pytest.mark.parametrize(
    ("wrong", "line"), [("energy", "another energy for a turned cell"), ("forces", "and slope of the energy")]
)
def test_what_does_not_hold_is_named(wrong: str, line: str, tmp_path: Path) -> None:
    crystals = [shaken(layered("Li", "Co", 0.6, 3.0).discharged)]
    with pytest.raises(AssertionError, match=line):
        check_potential(Spring(wrong), crystals)
    assert len(descriptions(crystals[0])) == 5
