"""Voltages from the charged host alone, on the vectors of a universal potential, for all ions at once.

The ion is tried in the host's voids (``physics.trial_insertion``). Learners of two kinds answer, and their mean counts:
small networks that correct the voltage of the trial atom by atom, as in the Δ-model, and support vectors that add to
half of it by comparing whole crystals, by what the potential says of them and by what element tables and geometry say
(``descriptors.host_and_ion``). Where the discharged composition is known, so many ions are tried, and learners
answer that have learned from such trials. The models know relaxed hosts: one that was made by taking other ions out is
settled first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.host_and_ion import HOST_AND_ION_FEATURES, ElementData
from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.interface import AtomContributions, Estimate, Query, with_interval
from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.mlip.attribution import attribute_host
from ionvolt.models.mlip.crystal_machine import known_of, machine_rows, older_version, row_size
from ionvolt.models.mlip.delta_network import IONS, DeltaNetwork, corrections, network_arrays, networks_from
from ionvolt.models.mlip.latent_features import ATOM_SIZE
from ionvolt.models.mlip.settled_host import settled_query
from ionvolt.models.mlip.trial_features import FEATURES, TrialFeatures, featurise_trials
from ionvolt.models.storage import read_model, write_model
from ionvolt.models.tensors import Arrays, load_arrays, under
from ionvolt.models.uncertainty.domain import ApplicabilityDomain, difficulty_features, ensemble_mean, ensemble_std
from ionvolt.physics.settling import STEPS
from ionvolt.physics.trial_insertion import LARGE_STEPS
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

KIND = "foundation"
BATCH_SIZE = 64
"""Hosts that are held at once."""
TAKEN_AS_IT_IS = 0.5
"""Share of a trial's voltage that the support vectors add to; chosen on framework folds 0 to 2 of seed 0."""
SETTLING_STEPS = [STEPS, LARGE_STEPS]
"""Of the filled trials, with small and with large ions."""
FEWEST_IONS = 0.25
"""In a primitive cell of a host, of all electrodes that the model learned from."""


@dataclass(frozen=True)
class FoundationParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        n_members: Networks of either kind of learners.
        features: Names of the features of host and ion that the machines read beside those of trials, in their order.
        settling_steps: Of relaxation of the filled trials that it learned from, by small and by large ions.
    """

    n_members: int
    features: list[str]
    settling_steps: list[int]


@dataclass(eq=False)
class HostLearners:
    """What answers, and what judges the answers.

    Attributes:
        networks: Members that differ in their random start.
        machine: Compares whole crystals; it reads ``rows_of``.
        domain: Judges the answers.
    """

    networks: list[DeltaNetwork]
    machine: LaplacianMachine
    domain: ApplicabilityDomain

    def voltages(self, trials: Sequence[TrialFeatures], known: Array) -> tuple[Array, Array]:
        """What every network says, V, shape (n_members, n), and the machine, shape (n,).

        Args:
            trials: Hosts with the ion tried in them.
            known: What element tables and geometry say of them, shape (n, len(HOST_AND_ION_FEATURES)).
        """
        return network_voltages(self.networks, trials), machine_voltages(self.machine, trials, known)

    def arrays(self) -> Arrays:
        """All that is stored, by name."""
        return self.machine.arrays() | self.domain.arrays() | network_arrays(self.networks)

    @classmethod
    def from_arrays(cls, arrays: Arrays, n_members: int) -> HostLearners:
        """What stored arrays say."""
        return cls(
            networks_from(arrays, n_members, ATOM_SIZE),
            LaplacianMachine.from_arrays(arrays),
            ApplicabilityDomain.from_arrays(arrays),
        )


@dataclass(eq=False)
class FoundationModel:
    """Host in, voltage out.

    Attributes:
        alone: Answer where nothing but the host is known.
        informed: Answer where its discharged composition is known, too; they have learned from hosts with so many ions.
        data: Element data that they were trained with.
        middle: Mean voltage of the electrodes, V: answers far from it are rarer, and harder.
        card: The model card.
    """

    alone: HostLearners
    informed: HostLearners
    data: ElementData
    middle: float
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
        for some in _batches(queries):
            answers += self.estimate_featurised(self._trials(some), some)
        return answers

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; what the support vectors add is the remainder."""
        self.require([query.ion for query in queries])
        found: list[AtomContributions] = []
        for some in _batches(queries):
            trials = self._trials(some)
            for query, trial, answer in zip(some, trials, self.estimate_featurised(trials, some), strict=True):
                assert trial.cell is not None
                assert trial.filled is not None
                networks = self._learners(query).networks
                found.append(
                    attribute_host(trial.pair, answer, networks, query.host, trial.cell, trial.filled, TAKEN_AS_IT_IS)
                )
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
        hosts, ions = [query.host for query in queries], [query.ion for query in queries]
        members, whole = learners.voltages(trials, known_of(hosts, ions, self.data))
        voltages = ensemble_mean(members, whole)
        spread = ensemble_std(members, whole)
        domain = learners.domain
        distances = domain.distances([trial.host for trial in trials])
        difficulty = difficulty_features(spread, distances, voltages - self.middle)
        widths = domain.conformal.half_widths(difficulty, ions_of(trials))
        answers = []
        for i, query in enumerate(queries):
            reasons = domain.reasons(query.host, float(distances[i]), float(spread[i]), float(widths[i]))
            reasons += too_few(query, trials[i])
            answers.append(
                with_interval(float(voltages[i]), float(widths[i]), float(spread[i]), reasons, self.card.name)
            )
        return answers


def _batches(queries: Sequence[Query]) -> Iterator[list[Query]]:
    """Some at a time; hosts that were made of other crystals are settled, each once for ions that come together."""
    for start in range(0, len(queries), BATCH_SIZE):
        known: dict[int, Crystal] = {}
        yield [settled_query(query, known) for query in queries[start : start + BATCH_SIZE]]


def too_few(query: Query, trial: TrialFeatures) -> tuple[str, ...]:
    """Why a trial says nothing of a composition with next to no ions, in plain words; none: it does."""
    content = FEWEST_IONS if query.n_ions is None else query.n_ions / len(query.host) * len(trial.host)
    if content > 0.99 * FEWEST_IONS:
        return ()
    return (
        f"the discharged composition means {content:.2g} {query.ion} in a primitive cell, fewer than in any electrode "
        "that the model was trained on: one was tried",
    )


def ions_of(trials: Sequence[TrialFeatures]) -> NDArray[np.int64]:
    """Index of each trial's ion in ``IONS``."""
    return np.array([IONS.index(trial.pair.ion) for trial in trials], dtype=np.int64)


def network_voltages(networks: Sequence[DeltaNetwork], inserted: Sequence[TrialFeatures]) -> Array:
    """What every member says, in V, shape (n_members, n_hosts)."""
    pairs = [host.pair for host in inserted]
    return np.array([pair.physics for pair in pairs]) + corrections(networks, pairs)


def machine_voltages(machine: LaplacianMachine, trials: Sequence[TrialFeatures], known: Array) -> Array:
    """What the support vectors say, V, shape (n,): they have learned what a part of the trials' voltages lacks."""
    return taken_as_it_is(trials) + machine.predict(rows_of(trials, known))


def taken_as_it_is(trials: Sequence[TrialFeatures]) -> Array:
    """The part of the trials' voltages that the support vectors do not learn, V, shape (n,)."""
    return TAKEN_AS_IT_IS * np.array([trial.pair.physics for trial in trials])


def rows_of(trials: Sequence[TrialFeatures], known: Array) -> Array:
    """What the machine reads of trials; see ``crystal_machine.machine_rows``."""
    return machine_rows(np.stack([trial.features for trial in trials]), [trial.pair for trial in trials], known)


INFORMED = "informed."
"""Begins the names of the arrays of those that know the composition."""


def save_foundation(model: FoundationModel, folder: Path) -> None:
    """Write the model's folder."""
    informed = {f"{INFORMED}{name}": array for name, array in model.informed.arrays().items()}
    model.card.hyperparameters = {
        "n_members": len(model.alone.networks),
        "features": list(HOST_AND_ION_FEATURES),
        "settling_steps": SETTLING_STEPS,
    }
    middle = {"middle": np.array([model.middle])}
    write_model(folder, model.alone.arrays() | informed | model.data.arrays() | middle, model.card)


def load_foundation(folder: Path) -> FoundationModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        if "machine.references" not in arrays:
            raise older_version(folder)
        parameters = parameters_of(card, FoundationParameters, folder)
        if tuple(parameters.features) != HOST_AND_ION_FEATURES or parameters.settling_steps != SETTLING_STEPS:
            raise older_version(folder)
        alone, informed = (
            HostLearners.from_arrays(some, parameters.n_members) for some in (arrays, under(arrays, INFORMED))
        )
        if any(of.machine.n_features != row_size(FEATURES) for of in (alone, informed)):
            raise older_version(folder)
        return FoundationModel(alone, informed, ElementData.from_arrays(arrays), float(arrays["middle"][0]), card)
