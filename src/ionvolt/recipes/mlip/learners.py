"""The learners of each part: how they are fitted, what they answer, what is kept of them.

To exchange a learner, change it here (and, where shipped models must load it, in ``models.mlip``); cross-validation,
calibration and release take whatever stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.mlip.atomic_gp import AtomicGP
from ionvolt.models.mlip.crystal_krr import CrystalIonKRR
from ionvolt.models.mlip.delta_network import DeltaNetwork, EndMemberPair, corrections
from ionvolt.models.mlip.foundation_model import kernel_voltages, network_voltages
from ionvolt.models.mlip.pair_features import crystal_corrections
from ionvolt.models.tensors import Arrays, fill, named_arrays
from ionvolt.recipes.mlip.rows import PartRows
from ionvolt.recipes.mlip.settings import Case, MlipSettings, Part
from ionvolt.training.mlip.fit import train_atomic_gp, train_delta_network, train_host_krr, train_pair_krr
from ionvolt.typing import Array, Indices, LogCallback

Voltages = dict[str, Array]
"""V, by learner: shape (n,), and (n_members, n) of ``networks``."""


class Learners(Protocol):
    """Fitted learners of one part."""

    def answers(self, rows: PartRows, places: Indices) -> dict[Case, Voltages]:
        """What each learner says of some rows, case by case."""
        ...

    def arrays(self) -> Arrays:
        """All that is kept, by name."""
        ...


@dataclass(frozen=True, eq=False)
class PairLearners:
    """Correct the voltage of both end members' energies.

    Attributes:
        part: ``both`` or ``discharged``.
        networks: Members that differ in their random start.
        atomic_gp: A learner of another kind than the members.
        crystal_krr: A third one; None where the part has none.
    """

    part: Part
    networks: list[DeltaNetwork]
    atomic_gp: AtomicGP
    crystal_krr: CrystalIonKRR | None = None

    def voltages(self, pairs: Sequence[EndMemberPair]) -> Voltages:
        """What each learner says of pairs, whether they stand in the data or not."""
        physics = np.array([pair.physics for pair in pairs])
        found = {
            "networks": physics + corrections(self.networks, pairs),
            "atomic_gp": physics + self.atomic_gp.corrections(pairs),
        }
        if self.crystal_krr is not None:
            found["crystal_krr"] = physics + crystal_corrections(self.crystal_krr, pairs)
        return found

    def answers(self, rows: PartRows, places: Indices) -> dict[Case, Voltages]:
        """See ``Learners``."""
        case: Case = "both" if self.part == "both" else "discharged"
        return {case: self.voltages([rows.pairs[i] for i in places])}

    def arrays(self) -> Arrays:
        """See ``Learners``."""
        more = {} if self.crystal_krr is None else self.crystal_krr.arrays()
        return network_arrays(self.networks) | self.atomic_gp.arrays() | more


@dataclass(frozen=True, eq=False)
class HostLearners:
    """Answer for a charged host with the ion tried in it, with and without the discharged composition.

    Attributes:
        networks: Members that differ in their random start; they do not know the composition.
        crystal_krr: Knows the composition, and shifts the others by what it makes of it.
        atomic_gp: Is not shipped; None in fitted models.
    """

    networks: list[DeltaNetwork]
    crystal_krr: CrystalIonKRR
    atomic_gp: AtomicGP | None

    def answers(self, rows: PartRows, places: Indices) -> dict[Case, Voltages]:
        """See ``Learners``."""
        some, ions = [rows.trials[i] for i in places], rows.ions[places]
        without, _ = kernel_voltages(self.crystal_krr, some, ions, np.full(len(places), np.nan))
        known, _ = kernel_voltages(self.crystal_krr, some, ions, rows.content[places])
        alone: Voltages = {"networks": network_voltages(self.networks, some)}
        if self.atomic_gp is not None:
            pairs = [trial.pair for trial in some]
            physics = np.array([pair.physics for pair in pairs])
            alone["atomic_gp"] = physics + self.atomic_gp.corrections(pairs)
        shifted = {name: voltages + (known - without) for name, voltages in alone.items()}
        return {"charged": alone | {"crystal_krr": without}, "composition": shifted | {"crystal_krr": known}}

    def arrays(self) -> Arrays:
        """See ``Learners``."""
        more = {} if self.atomic_gp is None else self.atomic_gp.arrays()
        return network_arrays(self.networks) | self.crystal_krr.arrays() | more


def fit_learners(
    rows: PartRows,
    train: Indices,
    settings: MlipSettings,
    seeds: Sequence[int],
    *,
    compared: bool = True,
    folder: Path | None = None,
    log: LogCallback = lambda words: None,
) -> Learners:
    """Fit a part's learners on some of its rows.

    Args:
        rows: Rows of the part.
        train: Places within them to learn from.
        settings: Settings of the recipe.
        seeds: One for each network.
        compared: Whether learners that are not shipped are fitted, too.
        folder: Where unfinished networks are kept; a killed run goes on from there.
        log: Told what is being done.
    """
    corrections_of = settings.corrections[rows.part]
    networks = []
    for seed in seeds:
        log(f"network {seed}")
        networks.append(
            train_delta_network(
                rows.pairs, rows.target, train, corrections_of, seed, folder=folder / str(seed) if folder else None
            )
        )
    log("kernels")
    if rows.part != "charged":
        shape = settings.pair_kernels.get(rows.part)
        return PairLearners(
            rows.part,
            networks,
            train_atomic_gp(rows.pairs, rows.target, train, corrections_of),
            train_pair_krr(rows.pairs, rows.target, train, shape) if shape else None,
        )
    atoms = train_atomic_gp(rows.pairs, rows.target, train, corrections_of) if compared else None
    return HostLearners(networks, train_host_krr(rows.host_rows, train, settings.host_kernel), atoms)


def learners_from(arrays: Mapping[str, NDArray[np.generic]], part: Part, settings: MlipSettings) -> Learners:
    """What stored arrays say.

    Raises:
        KeyError: An array is missing.
    """
    own = dict(arrays)
    n_members = len({name.split(".")[1] for name in own if name.startswith("network.")})
    networks = [fill(DeltaNetwork(), f"network.{m}", own) for m in range(n_members)]
    atoms = AtomicGP.from_arrays(own) if "atom_kernel.mean" in own else None
    if part == "charged":
        return HostLearners(networks, CrystalIonKRR.from_arrays(own, settings.host_kernel), atoms)
    if atoms is None:
        raise KeyError("atom_kernel.mean")
    shape = settings.pair_kernels.get(part)
    return PairLearners(part, networks, atoms, CrystalIonKRR.from_arrays(own, shape) if shape else None)


def network_arrays(networks: Sequence[DeltaNetwork]) -> Arrays:
    """The networks' weights, by name."""
    return {name: a for m, network in enumerate(networks) for name, a in named_arrays(f"network.{m}", network).items()}
