"""The choice of a device. No GPU is needed: what a GPU would run, PyTorch's own layers, runs here on the processor."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from crystals import disulfide, layered, olivine
from ionvolt import device
from ionvolt.errors import InputError
from ionvolt.physics.potentials.chgnet import CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.gpu_memory import as_memory_allows
from ionvolt.physics.potentials.sevennet import VERSION, SevenNetPotential, load_sevennet
from ionvolt.structures.crystal import Crystal

CRYSTALS = [layered(), disulfide(), olivine()]


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.VARIABLE, "")


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gpus: int, *, driver: bool = True) -> None:
    """A machine with so many GPUs."""
    monkeypatch.setattr(device, "_gpus", lambda: gpus)
    monkeypatch.setattr(device, "DRIVERS", (tmp_path / "none", *([tmp_path] if driver else [])))


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


def test_processes_are_dealt_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend(monkeypatch, tmp_path, 2)
    assert [device.for_process(n) for n in range(9)] == 4 * ["cuda:0", "cuda:1"] + ["cpu"]
    device.use_device("cuda:1")
    assert [device.for_process(n) for n in (0, 9)] == ["cuda:1", "cuda:1"]
    pretend(monkeypatch, tmp_path, 0)
    device.use_device("auto")
    assert device.for_process(3) == "auto"


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
    with pytest.raises(InputError, match=f"{device.VARIABLE} cuda: PyTorch sees no GPU"):
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


@pytest.mark.parametrize("message", ["CUDA out of memory", "failed in the TorchScript interpreter: CUDA out of memory"])
def test_halves_where_memory_does_not_hold_all(message: str) -> None:
    asked: list[int] = []

    def answer(crystals: Sequence[Crystal]) -> list[int]:
        asked.append(len(crystals))
        if sum(map(len, crystals)) > most:
            raise (RuntimeError if "Torch" in message else torch.OutOfMemoryError)(message)
        return [len(crystal) for crystal in crystals]

    sizes, most = [len(crystal) for crystal in CRYSTALS], max(len(crystal) for crystal in CRYSTALS)
    assert as_memory_allows(answer, CRYSTALS) == sizes
    assert asked == [3, 1, 2, 1, 1]
    most = 2
    with pytest.raises(InputError, match=r"atoms are too many for the GPU's memory\. Give --device cpu"):
        as_memory_allows(answer, CRYSTALS)


def test_other_errors_come_through() -> None:
    def answer(crystals: Sequence[Crystal]) -> list[int]:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes"):
        as_memory_allows(answer, CRYSTALS)


@pytest.mark.slow
def test_a_potential_that_does_not_fit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    potential = CHGNetPotential(device="cpu")

    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(potential.network.atom_embedding, "forward", full)
    for ask in (potential.forces, lambda crystal: potential.evaluate([crystal])):
        with pytest.raises(InputError, match="too many for the GPU's memory"):
            ask(CRYSTALS[0])


@pytest.mark.slow
def test_no_tensor_stays_on_the_processor() -> None:
    """Forward and gradient on another device, by PyTorch's tensors without numbers, which refuse to mix two devices."""
    potential = SevenNetPotential(VERSION, "cpu")
    package, keys = potential.package, potential.package.keys
    with FakeTensorMode(allow_non_fake_inputs=True):
        package.device = "lazy:0"  # the one where PyTorch without CUDA lets such tensors lie, besides the processor
        package.network.to(package.device)
        data = potential._data(CRYSTALS)
        edges = data[keys.EDGE_VEC].requires_grad_()
        answer, vectors = package.run(data)
        (slope,) = torch.autograd.grad(answer[keys.ATOMIC_ENERGY].sum(), [edges])
        assert {str(tensor.device) for tensor in (*vectors, slope)} == {"lazy:0"}
        with pytest.raises(RuntimeError, match="device"):
            package.run(data | {keys.EDGE_IDX: data[keys.EDGE_IDX].to("cpu")})
