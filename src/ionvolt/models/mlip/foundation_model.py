"""Voltages from the charged host alone, on the vectors of a universal potential, for all ions at once.

The ion is tried in the host's voids (``physics.trial_insertion``). Learners of two kinds answer, and their mean counts:
small networks that correct the voltage of the trial atom by atom, as in the Δ-model, and kernel ridge regression on the
crystal (``crystal_krr.CrystalIonKRR``). Where the discharged composition is known, so many ions are tried, and learners
answer that have learned from such trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import ModelError
from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.interface import AtomContributions, Estimate, Query, with_interval
from ionvolt.models.mlip.attribution import attribute_host
from ionvolt.models.mlip.crystal_krr import CrystalIonKRR, KRRSettings
from ionvolt.models.mlip.delta_network import IONS, DeltaNetwork, corrections, network_arrays
from ionvolt.models.mlip.trial_features import FEATURES, TrialFeatures, featurise_trials
from ionvolt.models.storage import read_model, write_model
from ionvolt.models.tensors import Arrays, load_arrays
from ionvolt.models.uncertainty.domain import ApplicabilityDomain, difficulty_features, ensemble_mean, ensemble_std
from ionvolt.typing import Array

KIND = "foundation"
BATCH_SIZE = 64
"""Hosts that are held at once."""


@dataclass(frozen=True)
class FoundationParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        n_members: Networks of either kind of learners.
        kernel: Shape of their kernels on crystals.
    """

    n_members: int
    kernel: KRRSettings


@dataclass(eq=False)
class HostLearners:
    """What answers, and what judges the answers.

    Attributes:
        networks: Members that differ in their random start.
        kernel: The kernel on the crystal.
        domain: Judges the answers.
    """

    networks: list[DeltaNetwork]
    kernel: CrystalIonKRR
    domain: ApplicabilityDomain

    def voltages(self, trials: Sequence[TrialFeatures]) -> tuple[Array, Array]:
        """What every network says, V, shape (n_members, n), and the kernel, shape (n,)."""
        return network_voltages(self.networks, trials), kernel_voltages(self.kernel, trials)

    def arrays(self) -> Arrays:
        """All that is stored, by name."""
        return self.kernel.arrays() | self.domain.arrays() | network_arrays(self.networks)

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_members: int, kernel: KRRSettings) -> HostLearners:
        """What stored arrays say."""
        return cls(
            [DeltaNetwork.from_arrays(arrays, f"network.{m}.") for m in range(n_members)],
            CrystalIonKRR.from_arrays(arrays, kernel),
            ApplicabilityDomain.from_arrays(arrays),
        )


@dataclass(eq=False)
class FoundationModel:
    """Host in, voltage out.

    Attributes:
        alone: Answer where nothing but the host is known.
        informed: Answer where its discharged composition is known, too; they have learned from hosts with so many ions.
        card: The model card.
    """

    alone: HostLearners
    informed: HostLearners
    card: ModelCard

    def __post_init__(self) -> None:
        self.card.kind = KIND

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged"})
    explains: ClassVar[bool] = True

    @property
    def ions(self) -> list[str]:
        """Working ions that it knows."""
        return list(self.card.ions)

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.card, ions)

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``."""
        self.require([query.ion for query in queries])
        answers: list[Estimate] = []
        for start in range(0, len(queries), BATCH_SIZE):
            some = queries[start : start + BATCH_SIZE]
            answers += self.estimate_featurised(self._trials(some), some)
        return answers

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; the kernel's half of the answer is the remainder."""
        self.require([query.ion for query in queries])
        found: list[AtomContributions] = []
        for start in range(0, len(queries), BATCH_SIZE):
            some = queries[start : start + BATCH_SIZE]
            trials = self._trials(some)
            for query, trial, answer in zip(some, trials, self.estimate_featurised(trials, some), strict=True):
                assert trial.cell is not None
                assert trial.filled is not None
                networks = self._learners(query).networks
                found.append(attribute_host(trial.pair, answer, networks, query.host, trial.cell, trial.filled))
        return found

    def _learners(self, query: Query) -> HostLearners:
        return self.alone if query.n_ions is None else self.informed

    def _trials(self, queries: Sequence[Query]) -> list[TrialFeatures]:
        hosts, ions, n_ions = zip(*((query.host, query.ion, query.n_ions) for query in queries), strict=True)
        return featurise_trials(hosts, ions, n_ions)

    def estimate_featurised(self, trials: Sequence[TrialFeatures], queries: Sequence[Query]) -> list[Estimate]:
        """Answers for hosts whose trials are known: with as many ions in them as a query says, if it does."""
        answers: dict[int, Estimate] = {}
        for learners in (self.alone, self.informed):
            chosen = [i for i, query in enumerate(queries) if self._learners(query) is learners]
            if chosen:
                some = self._answers(learners, [trials[i] for i in chosen], [queries[i] for i in chosen])
                answers |= dict(zip(chosen, some, strict=True))
        return [answers[i] for i in range(len(queries))]

    def _answers(
        self, learners: HostLearners, trials: Sequence[TrialFeatures], queries: Sequence[Query]
    ) -> list[Estimate]:
        members, kernel = learners.voltages(trials)
        voltages = ensemble_mean(members, kernel)
        spread = ensemble_std(members, kernel)
        domain = learners.domain
        distances = domain.distances([trial.host for trial in trials])
        # Voltages far from the middle are rarer, and harder.
        difficulty = difficulty_features(spread, distances, voltages - learners.kernel.target_mean)
        widths = domain.conformal.half_widths(difficulty, ions_of(trials))
        answers = []
        for i, query in enumerate(queries):
            reasons = domain.reasons(query.host, float(distances[i]), float(spread[i]), float(widths[i]))
            answers.append(
                with_interval(float(voltages[i]), float(widths[i]), float(spread[i]), reasons, self.card.name)
            )
        return answers


def ions_of(trials: Sequence[TrialFeatures]) -> NDArray[np.int64]:
    """Index of each trial's ion in ``IONS``."""
    return np.array([IONS.index(trial.pair.ion) for trial in trials], dtype=np.int64)


def network_voltages(networks: Sequence[DeltaNetwork], inserted: Sequence[TrialFeatures]) -> Array:
    """What every member says, in V, shape (n_members, n_hosts)."""
    pairs = [host.pair for host in inserted]
    return np.array([pair.physics for pair in pairs]) + corrections(networks, pairs)


def kernel_voltages(kernel: CrystalIonKRR, trials: Sequence[TrialFeatures]) -> Array:
    """What the kernel on crystals says, V, shape (n_hosts,)."""
    parts = []
    for start in range(0, len(trials), BATCH_SIZE):
        some = trials[start : start + BATCH_SIZE]
        distances = kernel.distances(np.stack([trial.features for trial in some]))
        parts.append(kernel.voltages(distances, ions_of(some), np.full(len(some), np.nan)))
    return np.concatenate(parts)


INFORMED = "informed."
"""Begins the names of the arrays of those that know the composition."""


def save_foundation(model: FoundationModel, folder: Path) -> None:
    """Write the model's folder."""
    informed = {f"{INFORMED}{name}": array for name, array in model.informed.arrays().items()}
    kernel = model.alone.kernel.settings
    model.card.hyperparameters = {"n_members": len(model.alone.networks), "kernel": asdict(kernel)}
    write_model(folder, model.alone.arrays() | informed, model.card)


def load_foundation(folder: Path) -> FoundationModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        parameters = parameters_of(card, FoundationParameters, folder)
        members, kernel = parameters.n_members, parameters.kernel
        own = {name.removeprefix(INFORMED): array for name, array in arrays.items() if name.startswith(INFORMED)}
        if not own or arrays["kernel.references"].shape[1:] != (FEATURES,):
            raise ModelError(f"{folder}: written by an older version. Make it again: ionvolt recipe run mlip")
        return FoundationModel(
            HostLearners.from_arrays(arrays, members, kernel), HostLearners.from_arrays(own, members, kernel), card
        )
