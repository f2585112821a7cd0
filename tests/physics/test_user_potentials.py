"""Potentials that the user brings: checkpoints of SevenNet and calculators of ASE, in commands and in Python."""

import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from cli.conftest import run_command
from crystals import layered, nickel_aluminide
from ionvolt.computation import UNCORRECTED, Computer, compute
from ionvolt.errors import InputError, ModelError
from ionvolt.ions import remove_ion, working_ion
from ionvolt.physics.cache import Cache, cached_outputs
from ionvolt.physics.potentials.ase_calculator import ASEPotential
from ionvolt.physics.potentials.pair import PotentialPair, load_potential
from ionvolt.physics.potentials.sevennet import PBE_HEAD, SevenNetPotential, load_sevennet
from ionvolt.physics.references import metal_energy, metal_reference
from ionvolt.structures.crystal import Crystal

pytestmark = pytest.mark.slow

LI, AL = working_ion("Li"), working_ion("Al")
EMT = "ase:ase.calculators.emt.EMT"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    """A checkpoint with two heads, as a user has it: the one that comes with the package."""
    import sevenn

    (path,) = Path(sevenn.__file__).parent.glob("pretrained_potentials/SevenNet_MF_0/*.pth")
    return path


@pytest.fixture(scope="module")
def brought(checkpoint: Path) -> SevenNetPotential:
    return SevenNetPotential.from_checkpoint(checkpoint, "pbe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brought")
    layered().to_pymatgen().to(filename=str(path / "full.cif"))
    remove_ion(layered(), LI).to_pymatgen().to(filename=str(path / "empty.cif"))
    nickel_aluminide().to_pymatgen().to(filename=str(path / "Ni3Al.cif"))
    return path


def test_a_checkpoint_of_the_package_is_the_packages_potential(brought: SevenNetPotential) -> None:
    ours, theirs = brought.evaluate([layered()])[0], load_sevennet(PBE_HEAD).evaluate([layered()])[0]
    assert ours.energy == theirs.energy
    assert (ours.features == theirs.features).all()
    assert brought.version.startswith("checkpoint_sevennet_mf_0.pth:PBE ")


def test_the_metal_is_relaxed_where_no_table_has_it(brought: SevenNetPotential, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    energy, notes = metal_reference(LI, brought, cache)
    assert energy == pytest.approx(metal_energy(LI, PBE_HEAD), abs=0.003)
    assert notes == ()
    assert list(tmp_path.rglob("*.npz"))
    _, notes = metal_reference(working_ion("K"), brought, Cache(None))
    assert any("ends at 5 Å, before the second neighbours in K metal" in note for note in notes)


def test_compute_with_a_checkpoint(folder: Path, checkpoint: Path, brought: SevenNetPotential) -> None:
    asked = ["compute", folder / "full.cif", "--charged", folder / "empty.cif", "-i", "Li", "--json", "--no-cache"]
    found = run_command(*asked, "--potential", f"{checkpoint}:pbe").json
    known = run_command(*asked, "--potential", PBE_HEAD).json
    assert found["voltage_potential"] == pytest.approx(known["voltage_potential"], abs=0.003)
    assert found["voltage"] == found["voltage_potential"]
    assert (found["voltage_lower"], found["in_domain"], found["voltage_measured"]) == (None, None, None)
    assert found["model"] == brought.version
    assert UNCORRECTED in found["warnings"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{}", "several heads. Choose one, as in {}:PBE: R2SCAN, PBE"),
        ("{}:mpa", "no head 'mpa'. Choose one"),
        ("none.pth:pbe", "none.pth: cannot be read"),
        ("{folder}", "folder, pipe or device"),
        ("{folder}/full.cif", "Give a checkpoint written by SevenNet"),
        ("7net", "7net: no such potential. Choose from 7net-l3i5"),
        ("ase:EMT", "Write module and class"),
        ("ase:ase.Atoms", "no calculator of ASE"),
        ("ase:no.such.Thing", "Install its package"),
    ],
)
def test_what_is_no_potential_is_refused_in_one_line(name: str, words: str, folder: Path, checkpoint: Path) -> None:
    result = run_command(
        "compute", folder / "full.cif", "-i", "Li", "--potential", name.format(checkpoint, folder=folder)
    )
    assert result.code == 2
    assert words.format(checkpoint) in result.err
    assert len(result.err.splitlines()) == 1


class Command:
    """Unpickled without care, it runs a command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


def test_code_in_a_checkpoint_is_not_run(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "evil.pth"
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    torch.save(content | {"made_by": Command(trace)}, path)
    result = run_command("compute", folder / "full.cif", "-i", "Li", "--potential", f"{path}:pbe")
    assert result.code == 2
    assert (
        "more than numbers and text (posix.system). If you trust whoever made it, give --trust-checkpoint" in result.err
    )
    assert not trace.exists()
    assert load_potential(f"{path}:pbe", trusted=True).version.startswith("evil.pth:PBE ")
    assert trace.exists()  # the trap is a real one


def test_two_checkpoints_of_one_name_do_not_mix(checkpoint: Path, tmp_path: Path, brought: SevenNetPotential) -> None:
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    content["model_state_dict"]["reduce_hidden_to_energy.linear.weight"] *= 1.01
    torch.save({key: content[key] for key in ("config", "model_state_dict")}, tmp_path / checkpoint.name)
    other = load_potential(f"{tmp_path / checkpoint.name}:PBE")
    cache = Cache(tmp_path / "cache")
    energies = [cached_outputs([layered()], potential, cache)[0].energy for potential in (brought, other, brought)]
    assert energies[0] == energies[2] != energies[1]
    assert other.version.split()[0] == brought.version.split()[0]


def test_settings_that_make_no_network(tmp_path: Path) -> None:
    for content in ([], {}, {"config": {}}, {"config": {"version": "x"}, "model_state_dict": {}}):
        torch.save(content, tmp_path / "c.pth")
        with pytest.raises(InputError, match=r"c\.pth: .*Give a checkpoint written by SevenNet") as caught:
            load_potential(str(tmp_path / "c.pth"))
        assert "\n" not in str(caught.value)


def test_a_calculator_of_ase_relaxes_and_gives_the_voltage(folder: Path) -> None:
    found = run_command("compute", folder / "Ni3Al.cif", "-i", "Al", "--potential", EMT, "--json").json
    computed = compute(nickel_aluminide(), "Al", potential=EMT)
    assert found["converged"] is True
    assert found["model"] == EMT
    assert found["voltage"] == pytest.approx(computed.voltage, abs=1e-3)
    assert UNCORRECTED in found["warnings"]
    from ase.build import bulk
    from ase.calculators.emt import EMT as Calculator

    metal = bulk("Al", a=3.994)
    metal.calc = Calculator()
    assert metal_reference(AL, ASEPotential(Calculator()), Cache(None))[0] == pytest.approx(
        metal.get_potential_energy(), abs=2e-3
    )


def test_an_own_calculator_object(tmp_path: Path) -> None:
    from ase.calculators.lj import LennardJones

    potential = ASEPotential(LennardJones(sigma=1.5, rc=6.0))
    pair = PotentialPair(potential, potential)
    assert Computer.load(pair, Cache(tmp_path)).cache.folder is None  # its name does not settle what it computes
    assert Computer.load(load_pair := PotentialPair(load_sevennet(PBE_HEAD), load_sevennet(PBE_HEAD))).cache.folder
    assert load_pair.remembers
    found = compute(layered(), "Li", charged=remove_ion(layered(), LI), potential=pair)
    assert np.isfinite(found.voltage)


class WithoutStress:
    """Just energies, and only of what it likes."""

    def get_property(self, name: str, atoms: Any) -> float:
        from ase.calculators.calculator import PropertyNotImplementedError

        if 22 in atoms.numbers:
            raise RuntimeError("no titanium\nplease")
        if name != "energy":
            raise PropertyNotImplementedError
        return -float(len(atoms))


def test_what_a_calculator_cannot_do_is_refused() -> None:
    potential = ASEPotential(WithoutStress(), "mine")
    with pytest.raises(InputError, match=r"mine gives no forces.*Give --no-relax"):
        potential.forces(layered())
    titanium = Crystal(layered().lattice, np.array([22, 3, 8, 8]), layered().frac_coords, source="ti.cif")
    with pytest.raises(InputError, match=r"ti\.cif: mine cannot compute it \(no titanium\)"):
        potential.evaluate([titanium])
    with pytest.raises(ModelError, match="no calculator"):
        ASEPotential.load("ase:physics.cells.layered")


def test_servers_take_no_potential() -> None:
    """Files and classes of the user's are for the command line and Python."""
    import ionvolt.tool_server as tools
    from ionvolt.web import schemas

    models = [one for one in vars(schemas).values() if inspect.isclass(one) and issubclass(one, BaseModel)]
    assert len(models) > 5
    assert not any(name.startswith(("potential", "trust")) for model in models for name in model.model_fields)
    for tool in (tools.predict, tools.compute):
        assert not {"potential", "trust_checkpoint"} & inspect.signature(tool).parameters.keys()
