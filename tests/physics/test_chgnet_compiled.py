"""CHGNet without PyTorch: the package's numbers, slopes of its own energy, weights that are kept."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crystals import caesium_chloride, disulfide, layered, olivine, permuted, random_crystal, rotated, shifted
from ionvolt.physics.potentials.chgnet import VERSIONS, CHGNetPotential, load_chgnet
from ionvolt.physics.potentials.chgnet_package import N_LAYERS, PackageNetwork
from ionvolt.structures.crystal import Crystal
from ionvolt.testing.potentials import shaken

pytestmark = pytest.mark.slow

kept = pytest.importorskip("ionvolt.physics.potentials.chgnet_kept")
weights = pytest.importorskip("ionvolt.physics.potentials.chgnet_weights")
messages = pytest.importorskip("ionvolt.physics.potentials.chgnet_messages")
graphs = pytest.importorskip("ionvolt.physics.potentials.chgnet_graph")
linear = pytest.importorskip("ionvolt.physics.potentials.chgnet_linear")

NO_ANGLES = shaken(caesium_chloride(), seed=1)
"""No bond is shorter than 3 Å."""

ALONE = Crystal(np.diag([4.0, 4.2, 9.0]), np.array([3, 9]), np.array([[0.0, 0, 0], [0, 0, 0.19]]), "LiF")
"""One bond shorter than 3 Å, which makes no angle."""

FEW_ANGLES = Crystal(np.diag([4.0, 4.2, 2.8]), np.array([3, 9]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.45]]), "chains")
"""Each atom has two short bonds, to its own images."""

CRYSTALS = [
    NO_ANGLES,
    ALONE,
    FEW_ANGLES,
    shaken(disulfide()),
    shaken(layered(), 0.1),
    shaken(olivine(), 0.02),
    random_crystal(np.random.default_rng(5), 12),
]


def test_the_crystals_have_no_few_and_many_angles() -> None:
    n = [graphs.graph_of([crystal], 6.0, 3.0).angles.size for crystal in CRYSTALS]
    assert n[:2] == [0, 0]
    assert n[2] == 4
    assert graphs.graph_of([ALONE], 6.0, 3.0).n_short == 1
    assert max(n) > 1000


@pytest.mark.parametrize("version", VERSIONS)
def test_it_says_what_the_package_says(version: str) -> None:
    potential, package = load_chgnet(version), PackageNetwork(version.removeprefix("chgnet-"))
    assert potential.compiled is not None
    for crystal, one in zip(CRYSTALS, potential.evaluate(CRYSTALS), strict=True):
        (other,) = package.evaluate([crystal])
        assert one.energy / len(crystal) == pytest.approx(other.energy / len(crystal), abs=1e-5)
        assert one.features.shape == other.features.shape == (len(crystal), N_LAYERS, 64)
        for stage in range(N_LAYERS):
            largest = float(np.abs(other.features[:, stage]).max())
            assert one.features[:, stage] == pytest.approx(other.features[:, stage], abs=2e-5 * largest)
        assert one.magmoms == pytest.approx(other.magmoms, abs=2e-5)
        ours, theirs = potential.forces(crystal), package.forces(crystal)
        largest = max(1.0, float(np.abs(theirs.forces).max()))
        assert ours.energy == pytest.approx(one.energy, abs=1e-6 * len(crystal))
        assert ours.forces == pytest.approx(theirs.forces, abs=1e-4 * largest)
        assert ours.stress == pytest.approx(theirs.stress, abs=1e-4 * max(0.1, float(np.abs(theirs.stress).max())))


@pytest.mark.parametrize("version", VERSIONS)
def test_forces_and_stress_are_slopes_of_the_energy(version: str) -> None:
    potential, rng, step = load_chgnet(version), np.random.default_rng(0), 1e-3
    for crystal in (FEW_ANGLES, shaken(disulfide()), shaken(layered(), 0.1)):
        found = potential.forces(crystal)
        push, strain = rng.normal(size=(len(crystal), 3)), rng.normal(size=(3, 3))
        push, strain = push / np.linalg.norm(push), (strain + strain.T) / 10
        pushed = [
            replace(crystal, frac_coords=crystal.frac_coords + k * step * push @ np.linalg.inv(crystal.lattice))
            for k in (-2, -1, 1, 2)
        ]
        strained = [replace(crystal, lattice=crystal.lattice @ (np.eye(3) + k * step * strain)) for k in (-2, -1, 1, 2)]
        by_push, by_strain = (
            np.dot([1, -8, 8, -1], [output.energy for output in potential.evaluate(some)]) / (12 * step)
            for some in (pushed, strained)
        )
        assert -(found.forces * push).sum() == pytest.approx(by_push, rel=1e-3, abs=2e-3)
        assert (found.stress * strain).sum() * crystal.volume == pytest.approx(by_strain, rel=1e-3, abs=2e-3)
        assert found.forces.sum(0) == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_crystal_described_differently(version: str) -> None:
    potential, rng, crystal = load_chgnet(version), np.random.default_rng(3), shaken(layered(), 0.1)
    energy, size = potential.forces(crystal).energy, np.linalg.norm(potential.forces(crystal).forces, axis=1)
    for other in (shifted(crystal, rng), rotated(crystal, rng), permuted(crystal, rng)):
        found = potential.forces(other)
        assert found.energy == pytest.approx(energy, abs=1e-5 * len(crystal))
        assert np.sort(np.linalg.norm(found.forces, axis=1)) == pytest.approx(np.sort(size), abs=2e-4)


@pytest.mark.parametrize("version", VERSIONS)
def test_neighbours_in_a_batch_change_nothing(version: str) -> None:
    """The package gives bonds of a crystal without angles what those of its neighbours get (version 0.2.0)."""
    potential = load_chgnet(version)
    for crystal, one in zip(CRYSTALS, potential.evaluate(CRYSTALS), strict=True):
        (alone,) = potential.evaluate([crystal])
        assert one.energy == pytest.approx(alone.energy, abs=5e-6 * len(crystal))
        assert one.features == pytest.approx(alone.features, abs=1e-3)


def test_few_rows_at_once_are_all(monkeypatch: pytest.MonkeyPatch) -> None:
    potential, crystal = load_chgnet(), shaken(layered(), 0.1)
    whole = potential.forces(crystal)
    monkeypatch.setattr(graphs, "TOGETHER", 10)
    assert graphs.graph_of([crystal], 6.0, 3.0).at_atoms.largest > 10  # no group is cut
    pieces = potential.forces(crystal)
    assert pieces.energy == pytest.approx(whole.energy, abs=1e-5)
    assert pieces.forces == pytest.approx(whole.forces, abs=1e-5)


def test_memory_is_used_again_and_by_one_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    potential = load_chgnet()
    alone = [potential.forces(crystal) for crystal in CRYSTALS]
    with ThreadPoolExecutor(4) as pool:
        crowd = list(pool.map(potential.forces, CRYSTALS * 5))
    for one, other in zip(alone * 5, crowd, strict=True):
        assert other.energy == one.energy
        np.testing.assert_array_equal(other.forces, one.forces)
    monkeypatch.setattr(messages, "LARGEST_ROOM", 0)
    fresh = messages.Room()
    fresh.take(100, 3)
    fresh.leave()
    assert fresh.block.size == 0


def test_taken_memory_does_not_overlap() -> None:
    room = messages.Room()
    for _ in range(3):  # the first time all is fresh, then all in one block
        parts = [room.take(7, 3), room.take(0, 128), room.share("a", 5), room.take(2, 2), room.share("a", 9)]
        for number, part in enumerate(parts):
            part[:] = number
        assert [set(np.unique(part)) for part in parts] == [{0.0}, set(), {2.0}, {3.0}, {4.0}]
        assert np.shares_memory(room.share("a", 4), parts[4])
        room.leave()
    assert room.block.size > 0
    assert room.block.ctypes.data % 64 == 0


@pytest.mark.parametrize("n", [0, 1, 63, 64, 200])
def test_products_in_pieces_are_whole(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows as they come: halves of wider rows, and columns of functions; no product is larger than one thread takes."""
    rng, sizes, multiply = np.random.default_rng(0), [], np.matmul

    def watched(rows: np.ndarray, matrix: np.ndarray, out: np.ndarray) -> None:
        sizes.append(rows.shape[-2] * matrix.size)
        multiply(rows, matrix, out=out)

    monkeypatch.setattr(np, "matmul", watched)
    map_ = linear.Linear.of(rng.normal(size=(64, 128)))
    for rows in (rng.normal(size=(n, 130)).astype(np.float32)[:, 2:66], rng.normal(size=(64, n)).astype(np.float32).T):
        out = np.full((n, 300), np.nan, dtype=np.float32)
        map_(rows, out=out[:, 100:228])
        np.testing.assert_allclose(out[:, 100:228], rows @ map_.matrix, atol=1e-4)
        assert np.isnan(out[:, :100]).all()
        assert np.isnan(out[:, 228:]).all()
        np.testing.assert_allclose(map_.back(out[:, 100:228]), rows @ map_.matrix @ map_.matrix.T, atol=5e-3)
    assert max(sizes, default=0) <= linear.MULTIPLICATIONS


WITHOUT_TORCH = """
import sys
import numpy as np

sys.modules["torch"] = None  # an import of it fails
from ionvolt.physics.potentials.chgnet import VERSIONS, load_chgnet
from ionvolt.structures.crystal import Crystal

cell = 0.5 * 5.64 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
salt = Crystal(cell, np.array([11, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.51]]))
for version in VERSIONS:
    potential = load_chgnet(version)
    energy = potential.evaluate([salt])[0].energy
    assert abs(potential.forces(salt).energy - energy) < 1e-5
    print(energy)
assert "chgnet" not in sys.modules
"""


def test_with_kept_weights_nothing_imports_pytorch() -> None:
    cell = 0.5 * 5.64 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    salt = Crystal(cell, np.array([11, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.51]]))
    expected = [load_chgnet(version).evaluate([salt])[0].energy for version in VERSIONS]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [float(line) for line in done.stdout.split()] == pytest.approx(expected, abs=1e-5)


def test_weights_are_kept_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept.find("0.3.0") is None
    first = CHGNetPotential()
    assert first._package is not None
    again = CHGNetPotential()
    assert again._package is None
    (path,) = tmp_path.rglob("*.npz")
    whole = path.read_bytes()
    arrays = dict(np.load(path))
    np.savez(path, **{name: array for name, array in arrays.items() if "site_wise" not in name})
    old = path.read_bytes()
    for damaged in (b"", whole[:5000], whole[:500_000] + b"0000" + whole[500_004:], old):
        path.write_bytes(damaged)
        assert kept.find("0.3.0") is None
        made = CHGNetPotential()
        assert made._package is not None
        assert kept.find("0.3.0") is not None
        assert made.evaluate([disulfide()])[0].energy == again.evaluate([disulfide()])[0].energy
    monkeypatch.setattr(kept, "FORMAT", kept.FORMAT + 1)
    assert kept.find("0.3.0") is None
    assert kept.find("no such version") is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    expected = load_chgnet().evaluate([disulfide()])[0].energy
    assert CHGNetPotential().evaluate([disulfide()])[0].energy == expected


def test_without_numba_the_packages_layers_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ionvolt.physics.potentials.chgnet_compiled", None)
    potential, compiled = CHGNetPotential(), load_chgnet()
    assert potential.compiled is None
    for crystal in (NO_ANGLES, disulfide()):
        one, other = potential.evaluate([crystal])[0], compiled.evaluate([crystal])[0]
        assert one.energy == pytest.approx(other.energy, abs=1e-5 * len(crystal))
        assert potential.forces(crystal).forces == pytest.approx(compiled.forces(crystal).forces, abs=1e-4)


@pytest.mark.parametrize(
    ("setting", "value"), [("atom_fea_dim", 32), ("mlp_first", False), ("conv_norm", "layer"), ("final_mlp", "gated")]
)
def test_a_network_built_otherwise_is_left_to_the_package(
    setting: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_chgnet().network
    weights.to_arrays(network)
    monkeypatch.setitem(network.model_args, setting, value)
    with pytest.raises(NotImplementedError):
        weights.to_arrays(network)
