"""An equivariant universal potential, SevenNet-l3i5: five times slower than CHGNet, voltages twice as good.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024). Beside it stands SevenNet-MF-0, a network with two outputs, for
PBE+U and for r2SCAN, at a quarter of the cost. All weights are part of the package ``sevenn``: nothing is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.device import gpu
from ionvolt.errors import InputError
from ionvolt.physics.potentials.chgnet_graph import require_known
from ionvolt.physics.potentials.gpu_memory import as_memory_allows
from ionvolt.physics.potentials.interface import Forces, PotentialOutput, chunks
from ionvolt.physics.potentials.sevennet_bonds import BondSlopes
from ionvolt.physics.potentials.sevennet_package import N_LAYERS, PackageNetwork, build, build_shipped, import_package
from ionvolt.quiet import silenced
from ionvolt.store.checkpoints import TRUST, read_checkpoint
from ionvolt.structures.crystal import SYMBOLS, Crystal
from ionvolt.structures.pairs import find_pairs
from ionvolt.structures.wording import refusal

if TYPE_CHECKING:
    from ionvolt.physics.potentials.sevennet_inference import CompiledNetwork

VERSION = "7net-l3i5"

PBE_HEAD = "7net-mf-0:pbe"
R2SCAN_HEAD = "7net-mf-0:r2scan"
"""The two outputs of SevenNet-MF-0."""

N_SCALARS = 128
"""Numbers of an atom that do not turn with the crystal, in each layer."""

ATOMS_TOGETHER, ATOMS_ON_GPU = 400, 1000
"""Atoms of crystals that are evaluated together, on the processor and on a GPU (some 4 MB of its memory each)."""

MOST_BYTES = 2_000_000_000
"""In a checkpoint that the user brings."""

REMEDY = "Give a checkpoint written by SevenNet"


class SevenNetPotential:
    """SevenNet on the processor or on a GPU. One object serves many threads.

    Attributes:
        version: Name of the network, or of the checkpoint that a user brings.
        device: As PyTorch calls it; empty: the processor, with compiled passes.
        compiled: What answers in the package's place; None where it cannot.
    """

    version: str
    device: str
    compiled: CompiledNetwork | None
    _build: Callable[[], PackageNetwork]
    _built: PackageNetwork | None
    _building: threading.Lock

    def __init__(self, version: str = VERSION, device: str = "") -> None:
        """Load weights from the installed package.

        Args:
            version: ``VERSION``, ``PBE_HEAD`` or ``R2SCAN_HEAD``.
            device: A device of PyTorch, on which the package's own layers run; empty: the processor.
        """
        self._set(version, device, lambda: build_shipped(version, device), None if device else _kept(version))
        if not device and self.compiled is None and (compiled := _compiled(self.package.network)):
            self.compiled = compiled
            _keep(version, compiled)

    def _set(
        self, version: str, device: str, build: Callable[[], PackageNetwork], compiled: CompiledNetwork | None
    ) -> None:
        self.version = version
        self.device = device
        self.compiled = compiled
        self._build, self._built, self._building = build, None, threading.Lock()

    @property
    def package(self) -> PackageNetwork:
        """The package's own network, built when it is first asked for: where nothing is compiled."""
        with self._building:
            if self._built is None:
                self._built = self._build()
            return self._built

    @property
    def cutoff(self) -> float:
        """Length of the longest bonds, Å."""
        return (self.compiled or self.package).cutoff

    @classmethod
    def from_checkpoint(
        cls, path: Path, head: str = "", *, trusted: bool = False, device: str = ""
    ) -> SevenNetPotential:
        """Load a checkpoint that the user brings.

        Its version is its name with the beginning of the file's SHA-256: other numbers, another version.

        Args:
            path: A ``.pth`` file of SevenNet's.
            head: Which of several outputs, whatever the case of its letters; needed where there are several.
            trusted: Whether objects of any kind may be made of the file, which can run code. By default numbers, text
                and tensors only.
            device: As above.

        Raises:
            InputError: No such checkpoint, not to be read as numbers only, or it has no such head.
        """
        read = read_checkpoint(path, MOST_BYTES, REMEDY, trusted=trusted, may_trust=TRUST)
        import_package()
        potential = cls.__new__(cls)
        try:
            checkpoint = _checkpoint(path, read.content)
            heads = list(checkpoint.config.get("_modal_map") or {})
            chosen = _head(path, head, heads)
            package = build(checkpoint, chosen, device)
        except InputError:
            raise
        except Exception as error:  # settings are read all over the package, and fail in any way where they are none
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(str(path), f"no network of SevenNet comes of it ({reason})", REMEDY) from error
        version = f"{path.name}{':' if chosen else ''}{chosen} {read.sha256[:12]}"
        potential._set(version, device, lambda: package, None if device else _compiled(package.network))
        return potential

    def evaluate(self, crystals: Sequence[Crystal]) -> list[PotentialOutput]:
        """Energies and atom vectors of crystals as they are, in their order.

        Energies lack the Materials Project's corrections of elements and anions, which voltages do not feel. Vectors
        are those of the last two convolutions, shape (n_atoms, 2, 128) for the shipped ones; there are no moments.

        Raises:
            InputError: A crystal holds an isolated atom or an element that the potential does not know, or a GPU's
                memory does not hold it.
        """
        if self.device:
            return [
                output for some in chunks(crystals, ATOMS_ON_GPU) for output in as_memory_allows(self._forward, some)
            ]
        answer = self._forward if self.compiled is None else self._together
        return [output for some in chunks(crystals, ATOMS_TOGETHER) for output in answer(some)]

    def _together(self, crystals: Sequence[Crystal]) -> Iterator[PotentialOutput]:
        """The same from the compiled network; bonds that crystals have in common cost less."""
        assert self.compiled is not None
        bonds = [self._bonds(crystal) for crystal in crystals]
        begins = np.cumsum([0, *map(len, crystals)])
        kinds = [self.compiled.kinds[number] for crystal in crystals for number in crystal.numbers.tolist()]
        ends = np.concatenate([ends + begin for (ends, _), begin in zip(bonds, begins, strict=False)], axis=1)
        vectors = np.concatenate([vectors for _, vectors in bonds])
        energies, layers = self.compiled(kinds, ends, vectors)
        features = _features(layers)
        for begin, end in pairwise(begins):
            yield PotentialOutput(
                float(energies[begin:end].sum()), features[begin:end].copy(), None, energies[begin:end].copy()
            )

    def _forward(self, crystals: Sequence[Crystal]) -> Iterator[PotentialOutput]:
        """The same from the package's network."""
        import torch

        package = self.package
        with torch.no_grad():
            answer, vectors = package.run(self._data(crystals))
        energies = answer[package.keys.ATOMIC_ENERGY].double().reshape(-1).cpu().numpy()
        features = torch.stack(vectors, dim=1).cpu().numpy()
        for begin, end in pairwise(np.cumsum([0, *map(len, crystals)])):
            own = energies[begin:end].copy()
            yield PotentialOutput(float(own.sum()), features[begin:end].copy(), None, own)

    def forces(self, crystal: Crystal) -> Forces:
        """Energy, forces and stress of a crystal.

        Raises:
            InputError: As ``evaluate``.
        """
        if self.device:
            return as_memory_allows(lambda one: [self._forces(*one)], [crystal])[0]
        return self._forces(crystal)

    def _forces(self, crystal: Crystal) -> Forces:
        found = self._slopes(crystal)
        # A bond goes from its first atom to its second.
        forces = np.zeros((len(crystal), 3))
        np.add.at(forces, found.ends[0], found.slopes)
        np.subtract.at(forces, found.ends[1], found.slopes)
        stress = found.vectors.T @ found.slopes / crystal.volume
        energy = float(found.energies.sum())
        output = PotentialOutput(energy, _features(found.scalars), None, found.energies) if found.scalars else None
        return Forces(energy, forces, (stress + stress.T) / 2, output)

    def _slopes(self, crystal: Crystal) -> BondSlopes:
        if self.compiled is not None:
            from ionvolt.physics.potentials.sevennet_slopes import bond_slopes

            bonds = self._bonds(crystal)  # refuses elements that it does not know
            kinds = [self.compiled.kinds[number] for number in crystal.numbers.tolist()]
            return bond_slopes(self.compiled, kinds, *bonds)
        import torch

        package, data = self.package, self._data([crystal])
        keys = package.keys
        edges = data[keys.EDGE_VEC].requires_grad_()
        with torch.enable_grad():
            answer, _ = package.run(data)
            (slopes,) = torch.autograd.grad(answer[keys.ATOMIC_ENERGY].sum(), [edges])
        energies, vectors, along = (
            tensor.detach().double().cpu().numpy() for tensor in (answer[keys.ATOMIC_ENERGY], edges, slopes)
        )
        return BondSlopes(energies.reshape(-1), data[keys.EDGE_IDX].cpu().numpy(), vectors, along)

    def _bonds(self, crystal: Crystal) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """First and second atoms of the directed bonds, shape (2, n), all one way, then all the other; vectors in Å."""
        network = self.compiled or self.package
        bonds = find_pairs(crystal, self.cutoff, both=False)
        require_known(crystal, bonds, self.cutoff)
        unknown = sorted(set(crystal.numbers.tolist()) - set(network.kinds))
        if unknown:
            names = ", ".join(SYMBOLS[number] for number in unknown)
            raise refusal(crystal.source, f"SevenNet does not know {names}", "Leave it out")
        frac = crystal.wrapped
        vectors = (frac[bonds.j] + bonds.image - frac[bonds.i]) @ crystal.lattice
        ends = np.stack([np.concatenate([bonds.i, bonds.j]), np.concatenate([bonds.j, bonds.i])])
        return ends, np.concatenate([vectors, -vectors])

    def _data(self, crystals: Sequence[Crystal]) -> dict[str, Any]:
        """What the package's network takes: crystals side by side, as one that falls into pieces.

        Bonds all go one way first, then all the other.
        """
        import torch

        bonds = [self._bonds(crystal) for crystal in crystals]
        begins = np.cumsum([0, *map(len, crystals)])
        ways = [
            (ends[:, half] + begin, vectors[half])
            for back in (False, True)
            for (ends, vectors), begin in zip(bonds, begins, strict=False)
            for half in [slice(len(vectors) // 2, None) if back else slice(len(vectors) // 2)]
        ]
        where = self.package.device
        numbers = torch.from_numpy(np.concatenate([crystal.numbers for crystal in crystals]).astype(np.int64)).to(where)
        vectors = np.concatenate([vectors for _, vectors in ways]).astype(np.float32)
        keys = self.package.keys
        return {
            keys.NODE_FEATURE: numbers,
            keys.ATOMIC_NUMBERS: numbers,
            keys.EDGE_IDX: torch.from_numpy(np.concatenate([ends for ends, _ in ways], axis=1)).to(where),
            keys.EDGE_VEC: torch.from_numpy(vectors).to(where),
            keys.CELL_VOLUME: torch.tensor(sum(crystal.volume for crystal in crystals)),
            keys.NUM_ATOMS: torch.tensor(len(numbers)),
        }


def _features(layers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Atom vectors from the scalars after each layer of a compiled network."""
    some = layers[-N_LAYERS:]
    n_scalars = min(layer.shape[1] for layer in some)
    return np.stack([layer[:, :n_scalars] for layer in some], axis=1)


def _compiled(network: Any) -> CompiledNetwork | None:
    """What answers in the network's place; None without numba, or if it is another."""
    try:
        from ionvolt.physics.potentials.sevennet_compiling import compile_network
    except ImportError:
        return None
    try:
        return compile_network(network)
    except NotImplementedError:
        return None


def _kept(version: str) -> CompiledNetwork | None:
    """The network that an earlier process compiled; None without numba."""
    try:
        from ionvolt.physics.potentials import sevennet_kept
    except ImportError:
        return None
    return sevennet_kept.find(version)


def _keep(version: str, compiled: CompiledNetwork) -> None:
    from ionvolt.physics.potentials import sevennet_kept

    sevennet_kept.keep(version, compiled)


def _checkpoint(path: Path, content: Any) -> Any:
    """The package's own object, filled with what was read, so that it reads nothing itself."""
    from sevenn.checkpoint import SevenNetCheckpoint, _config_cp_routine

    made: Any = SevenNetCheckpoint(path)
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise InputError(str(path), "it holds no settings of a network", REMEDY)
    with silenced():
        made._config = _config_cp_routine(content["config"])  # type: ignore[no-untyped-call]
    made._model_state_dict = dict(content["model_state_dict"])
    made._loaded = True
    return made


def _head(path: Path, wanted: str, heads: list[str]) -> str:
    """The head's own name; empty where the network has one output."""
    if not heads and wanted:
        raise InputError(str(path), f"it has no head {wanted!r}, but a single output", "Leave the head out")
    chosen = next((head for head in heads if head.lower() == wanted.lower()), "")
    if heads and not chosen:
        rule = f"it has no head {wanted!r}" if wanted else "it has several heads"
        raise InputError(str(path), rule, f"Choose one, as in {path}:{heads[-1]}: {', '.join(heads)}")
    return chosen


def load_sevennet(version: str = VERSION) -> SevenNetPotential:
    """The potential of a version, loaded once in a process, on the device that ``ionvolt.device`` names."""
    return _loaded(version, gpu())


@lru_cache(maxsize=3)
def _loaded(version: str, device: str) -> SevenNetPotential:
    return SevenNetPotential(version, device)
