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
from ionvolt.models.mlip.delta_network import DeltaNetwork, EndMemberPair, corrections, network_arrays, networks_from
from ionvolt.models.mlip.foundation_model import INFORMED, kernel_voltages, network_voltages
from ionvolt.models.mlip.pair_features import crystal_corrections
from ionvolt.models.mlip.trial_features import TrialFeatures
from ionvolt.models.tensors import Arrays
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
    """Answer for a charged host with the ion tried in it.

    Attributes:
        networks: Members that differ in their random start.
        crystal_krr: A learner of another kind.
        atomic_gp: Is not shipped; None in fitted models.
    """

    networks: list[DeltaNetwork]
    crystal_krr: CrystalIonKRR
    atomic_gp: AtomicGP | None

    def voltages(self, trials: Sequence[TrialFeatures]) -> Voltages:
        """What each learner says of hosts."""
        found = {
            "networks": network_voltages(self.networks, trials),
            "crystal_krr": kernel_voltages(self.crystal_krr, trials),
        }
        if self.atomic_gp is not None:
            pairs = [trial.pair for trial in trials]
            physics = np.array([pair.physics for pair in pairs])
            found["atomic_gp"] = physics + self.atomic_gp.corrections(pairs)
        return found

    def arrays(self) -> Arrays:
        """All that is kept, by name."""
        more = {} if self.atomic_gp is None else self.atomic_gp.arrays()
        return network_arrays(self.networks) | self.crystal_krr.arrays() | more

    @classmethod
    def from_arrays(cls, arrays: Arrays, settings: MlipSettings) -> HostLearners:
        """What stored arrays say."""
        atoms = AtomicGP.from_arrays(arrays) if "atom_kernel.mean" in arrays else None
        return cls(networks_from(arrays), CrystalIonKRR.from_arrays(arrays, settings.host_kernel), atoms)


@dataclass(frozen=True, eq=False)
class AllHostLearners:
    """Those of hosts alone, and those of hosts whose discharged composition is known.

    Attributes:
        alone: Have learned from as many ions as a host's electrons allow.
        informed: From as many as go in; None where that was not asked for.
    """

    alone: HostLearners
    informed: HostLearners | None

    def answers(self, rows: PartRows, places: Indices) -> dict[Case, Voltages]:
        """See ``Learners``."""
        found: dict[Case, Voltages] = {"charged": self.alone.voltages([rows.trials[i] for i in places])}
        if self.informed is not None:
            found["composition"] = self.informed.voltages([rows.informed[i] for i in places])
        return found

    def arrays(self) -> Arrays:
        """See ``Learners``."""
        more = {} if self.informed is None else self.informed.arrays()
        return self.alone.arrays() | {f"{INFORMED}{name}": array for name, array in more.items()}


def fit_learners(
    rows: PartRows,
    train: Indices,
    settings: MlipSettings,
    seeds: Sequence[int],
    *,
    compared: bool = True,
    informed: bool = True,
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
        informed: Whether those are fitted that know the discharged composition.
        folder: Where unfinished networks are kept; a killed run goes on from there.
        log: Told what is being done.
    """
    corrections_of = settings.corrections[rows.part]

    def networks(pairs: Sequence[EndMemberPair], kind: str = "") -> list[DeltaNetwork]:
        found = []
        for seed in seeds:
            log(f"network {seed}{kind}")
            kept = folder / f"{seed}{kind}" if folder else None
            found.append(train_delta_network(pairs, rows.target, train, corrections_of, seed, folder=kept))
        return found

    def on_hosts(trials: Sequence[TrialFeatures], kind: str = "") -> HostLearners:
        pairs = [trial.pair for trial in trials]
        own = networks(pairs, kind)
        log("kernels")
        atoms = train_atomic_gp(pairs, rows.target, train, corrections_of) if compared and not kind else None
        return HostLearners(own, train_host_krr(trials, rows.target, train, settings.host_kernel), atoms)

    if rows.part == "charged":
        return AllHostLearners(on_hosts(rows.trials), on_hosts(rows.informed, "-informed") if informed else None)
    shape = settings.pair_kernels.get(rows.part)
    own = networks(rows.pairs)
    log("kernels")
    return PairLearners(
        rows.part,
        own,
        train_atomic_gp(rows.pairs, rows.target, train, corrections_of),
        train_pair_krr(rows.pairs, rows.target, train, shape) if shape else None,
    )


def learners_from(arrays: Mapping[str, NDArray[np.generic]], part: Part, settings: MlipSettings) -> Learners:
    """What stored arrays say.

    Raises:
        KeyError: An array is missing.
    """
    own = dict(arrays)
    if part == "charged":
        told = {name.removeprefix(INFORMED): array for name, array in own.items() if name.startswith(INFORMED)}
        informed = HostLearners.from_arrays(told, settings) if told else None
        return AllHostLearners(HostLearners.from_arrays(own, settings), informed)
    shape = settings.pair_kernels.get(part)
    kernel = CrystalIonKRR.from_arrays(own, shape) if shape else None
    return PairLearners(part, networks_from(own), AtomicGP.from_arrays(own), kernel)
