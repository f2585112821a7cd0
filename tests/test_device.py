"""The choice of a device. No GPU is needed: what a GPU would run, PyTorch's own layers, runs here on the processor."""

from pathlib import Path

import pytest

from crystals import disulfide, layered, olivine
from ionvolt import device
from ionvolt.errors import InputError
from ionvolt.physics.potentials.chgnet import CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.sevennet import VERSION, SevenNetPotential, load_sevennet
from ionvolt.structures.crystal import Crystal

CRYSTALS = [layered(), disulfide(), olivine()]


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.VARIABLE, "")


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, *, driver: bool = True) -> None:
    """A machine with so many GPUs."""
    monkeypatch.setattr(device, "_gpus", lambda: gpus)
    monkeypatch.setattr(device, "DRIVER", tmp_path if driver else tmp_path / "none")


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 1)
    assert device.gpu() == "cuda:0"
    device.use_device("cpu")
    assert device.gpu() == ""
    pretend(monkeypatch, tmp_path, 0)
    device.use_device("auto")
    assert device.gpu() == ""


def test_without_a_driver_pytorch_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 1, driver=False)
    monkeypatch.setattr(device, "_gpus", lambda: pytest.fail("asked"))
    assert device.gpu() == ""


def test_a_gpu_by_its_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 2)
    device.use_device("cuda:1")
    assert device.gpu() == "cuda:1"
    device.use_device("cuda")
    assert device.gpu() == "cuda:0"
    with pytest.raises(InputError, match=r"--device cuda:2: PyTorch sees 2 GPUs here\. Install"):
        device.use_device("cuda:2")
    assert device.gpu() == "cuda:0"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "mps", "", "cuda:-1"])
def test_no_such_device(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 1)
    with pytest.raises(InputError, match=r"no such device\. Give auto, cpu, cuda or cuda:0"):
        device.use_device(name)


def test_no_gpu_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 0)
    with pytest.raises(InputError, match=r"PyTorch sees no GPU here\. Install PyTorch for CUDA"):
        device.use_device("cuda")
    monkeypatch.setenv(device.VARIABLE, "cuda")
    with pytest.raises(InputError, match="sees no GPU"):
        device.gpu()


@pytest.mark.slow
def test_sevennet_as_a_gpu_runs_it() -> None:
    """Its package's own layers, crystals side by side, are the compiled network."""
    there, here = SevenNetPotential(VERSION, "cpu"), load_sevennet()
    assert there.compiled is None
    for one, other in zip(there.evaluate(CRYSTALS), here.evaluate(CRYSTALS), strict=True):
        assert one.energy == pytest.approx(other.energy, abs=2e-6 * len(one.features))
        assert one.atom_energies == pytest.approx(other.atom_energies, abs=1e-5)
        assert one.features == pytest.approx(other.features, abs=1e-4)
    slopes, same = there.forces(CRYSTALS[0]), here.forces(CRYSTALS[0])
    assert slopes.forces == pytest.approx(same.forces, abs=1e-4)
    assert slopes.stress == pytest.approx(same.stress, abs=1e-5)


@pytest.mark.slow
def test_chgnet_as_a_gpu_runs_it() -> None:
    there, here = CHGNetPotential(device="cpu"), load_chgnet()
    for one, other in zip(there.evaluate(CRYSTALS), here.evaluate(CRYSTALS), strict=True):
        assert one.energy == pytest.approx(other.energy, abs=1e-5 * len(one.features))
        assert one.features == pytest.approx(other.features, abs=1e-3)
        assert one.magmoms == pytest.approx(other.magmoms, abs=1e-4)
    assert there.forces(CRYSTALS[0]).forces == pytest.approx(here.forces(CRYSTALS[0]).forces, abs=1e-4)


@pytest.mark.slow
def test_a_refused_crystal_is_named_on_a_gpu_too() -> None:
    alone = Crystal(20.0 * layered().lattice, layered().numbers, layered().frac_coords, source="far.cif")
    with pytest.raises(InputError, match=r"far\.cif"):
        SevenNetPotential(VERSION, "cpu").evaluate([layered(), alone])
