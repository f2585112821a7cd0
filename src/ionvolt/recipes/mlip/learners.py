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

from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.mlip import delta_model
from ionvolt.models.mlip.atomic_gp import AtomicGP
from ionvolt.models.mlip.delta_network import DeltaNetwork, EndMemberPair, corrections, network_arrays, networks_from
from ionvolt.models.mlip.foundation_model import INFORMED, machine_voltages, network_voltages
from ionvolt.models.mlip.trial_features import TrialFeatures
from ionvolt.models.tensors import Arrays, under
from ionvolt.recipes.mlip.rows import PartRows
from ionvolt.recipes.mlip.settings import CASES, Case, MlipSettings, Part
from ionvolt.training.mlip.fit import train_atomic_gp, train_delta_network, train_host_machine, train_pair_machine
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
        atomic_gp: A learner of another kind than the members; None in fitted models that do not ask it.
        machine: A third one, on whole electrodes; None where the part has none.
    """

    part: Part
    networks: list[DeltaNetwork]
    atomic_gp: AtomicGP | None
    machine: LaplacianMachine | None = None

    def voltages(self, pairs: Sequence[EndMemberPair], known: Array) -> Voltages:
        """What each learner says of pairs, whether they stand in the data or not; see ``PartRows`` for ``known``."""
        physics = np.array([pair.physics for pair in pairs])
        found = {
            "networks": physics + corrections(self.networks, pairs),
        }
        if self.atomic_gp is not None:
            found["atomic_gp"] = physics + self.atomic_gp.corrections(pairs)
        if self.machine is not None:
            found["support_vectors"] = physics + self.machine.predict(delta_model.rows_of(pairs, known))
        return found

    def answers(self, rows: PartRows, places: Indices) -> dict[Case, Voltages]:
        """See ``Learners``."""
        case: Case = "both" if self.part == "both" else "discharged"
        return {case: self.voltages([rows.pairs[i] for i in places], rows.known[places])}

    def arrays(self) -> Arrays:
        """See ``Learners``."""
        found = network_arrays(self.networks)
        for kernel in (self.atomic_gp, self.machine):
            if kernel is not None:
                found |= kernel.arrays()
        return found


@dataclass(frozen=True, eq=False)
class HostLearners:
    """Answer for a charged host with the ion tried in it.

    Attributes:
        networks: Members that differ in their random start.
        machine: A learner of another kind.
        atomic_gp: Is not shipped; None in fitted models.
    """

    networks: list[DeltaNetwork]
    machine: LaplacianMachine
    atomic_gp: AtomicGP | None

    def voltages(self, trials: Sequence[TrialFeatures], known: Array) -> Voltages:
        """What each learner says of hosts; see ``PartRows`` for what is ``known``."""
        found = {
            "networks": network_voltages(self.networks, trials),
            "support_vectors": machine_voltages(self.machine, trials, known),
        }
        if self.atomic_gp is not None:
            pairs = [trial.pair for trial in trials]
            physics = np.array([pair.physics for pair in pairs])
            found["atomic_gp"] = physics + self.atomic_gp.corrections(pairs)
        return found

    def arrays(self) -> Arrays:
        """All that is kept, by name."""
        more = {} if self.atomic_gp is None else self.atomic_gp.arrays()
        return network_arrays(self.networks) | self.machine.arrays() | more

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> HostLearners:
        """What stored arrays say."""
        return cls(networks_from(arrays), LaplacianMachine.from_arrays(arrays), atoms_from(arrays))


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
        known = rows.known[places]
        found: dict[Case, Voltages] = {"charged": self.alone.voltages([rows.trials[i] for i in places], known)}
        if self.informed is not None:
            found["composition"] = self.informed.voltages([rows.informed[i] for i in places], known)
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

    def on_hosts(kind: str = "") -> HostLearners:
        trials = rows.informed if kind else rows.trials
        own = networks([trial.pair for trial in trials], kind)
        log("support vectors")
        atoms = train_atomic_gp(rows.pairs, rows.target, train, corrections_of) if compared and not kind else None
        machine = train_host_machine(trials, rows.known, rows.target, train, settings.machines["charged"])
        return HostLearners(own, machine, atoms)

    if rows.part == "charged":
        return AllHostLearners(on_hosts(), on_hosts("-informed") if informed else None)
    shape = settings.machines.get(rows.part)
    atoms = compared or any("atomic_gp" in settings.shipped[case] for case in CASES[rows.part])
    own = networks(rows.pairs)
    log("kernels")
    return PairLearners(
        rows.part,
        own,
        train_atomic_gp(rows.pairs, rows.target, train, corrections_of) if atoms else None,
        train_pair_machine(rows.pairs, rows.known, rows.target, train, shape) if shape else None,
    )


def learners_from(arrays: Mapping[str, NDArray[np.generic]], part: Part, settings: MlipSettings) -> Learners:
    """What stored arrays say.

    Raises:
        KeyError: An array is missing.
    """
    own = dict(arrays)
    if part == "charged":
        told = under(own, INFORMED)
        informed = HostLearners.from_arrays(told) if told else None
        return AllHostLearners(HostLearners.from_arrays(own), informed)
    machine = LaplacianMachine.from_arrays(own) if part in settings.machines else None
    return PairLearners(part, networks_from(own), atoms_from(own), machine)


def atoms_from(arrays: Arrays) -> AtomicGP | None:
    """The Gaussian process on atoms among stored arrays, if there is one."""
    return AtomicGP.from_arrays(arrays) if "atom_kernel.mean" in arrays else None
