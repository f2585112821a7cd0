"""Voltages from the charged host alone, on the vectors of a universal potential, for all ions at once.

The ion is tried in the host's voids (``inserted``). Learners of two kinds answer, and their mean counts: small networks
that correct the voltage of the trial atom by atom, as in the Δ-model, and kernel ridge regression on the crystal
(``crystal_krr.CrystalIonKRR``), which also uses the discharged composition where it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.interface import AtomContributions, Estimate, Query, with_interval
from ionvolt.models.mlip.attribution import attribute_host
from ionvolt.models.mlip.crystal_krr import CrystalIonKRR, KRRSettings
from ionvolt.models.mlip.delta_network import IONS, DeltaNetwork, corrections
from ionvolt.models.mlip.trial_features import TrialFeatures, featurise_trials
from ionvolt.models.storage import read_model, write_model
from ionvolt.models.tensors import Arrays, fill, load_arrays, named_arrays
from ionvolt.models.uncertainty.domain import ApplicabilityDomain, difficulty_features, ensemble_mean, ensemble_std
from ionvolt.typing import Array

KIND = "foundation"
BATCH_SIZE = 64
"""Hosts that are held at once."""


@dataclass(frozen=True)
class FoundationParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        n_members: Networks.
        kernel: Shape of the kernel on crystals.
    """

    n_members: int
    kernel: KRRSettings


@dataclass(eq=False)
class FoundationModel:
    """Host in, voltage out.

    Attributes:
        networks: Members that differ in their random start.
        kernel: The kernel on the crystal.
        domain: Judges the answers.
        card: The model card.
    """

    networks: list[DeltaNetwork]
    kernel: CrystalIonKRR
    domain: ApplicabilityDomain
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
            inserted = featurise_trials([query.host for query in some], [query.ion for query in some])
            answers += self.estimate_featurised(inserted, some)
        return answers

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; the kernel's half of the answer is the remainder."""
        self.require([query.ion for query in queries])
        found: list[AtomContributions] = []
        for start in range(0, len(queries), BATCH_SIZE):
            some = queries[start : start + BATCH_SIZE]
            trials = featurise_trials([query.host for query in some], [query.ion for query in some])
            for query, trial, answer in zip(some, trials, self.estimate_featurised(trials, some), strict=True):
                assert trial.cell is not None
                assert trial.filled is not None
                found.append(attribute_host(trial.pair, answer, self.networks, query.host, trial.cell, trial.filled))
        return found

    def estimate_featurised(self, inserted: Sequence[TrialFeatures], queries: Sequence[Query]) -> list[Estimate]:
        """Answers for hosts whose trials are known."""
        content = np.array([np.nan if q.n_ions is None else q.n_ions / len(q.host) for q in queries])
        ions = np.array([IONS.index(query.ion) for query in queries])
        kernel, shift = kernel_voltages(self.kernel, inserted, ions, content)
        members = network_voltages(self.networks, inserted) + shift
        voltages = ensemble_mean(members, kernel)
        spread = ensemble_std(members, kernel)
        distances = self.domain.distances([host.host for host in inserted])
        # Voltages far from the middle are rarer, and harder.
        widths = self.domain.conformal.half_widths(
            difficulty_features(spread, distances, voltages - self.kernel.target_mean), ions
        )
        answers = []
        for i, query in enumerate(queries):
            reasons = self.domain.reasons(query.host, float(distances[i]), float(spread[i]), float(widths[i]))
            answers.append(
                with_interval(float(voltages[i]), float(widths[i]), float(spread[i]), reasons, self.card.name)
            )
        return answers


def network_voltages(networks: Sequence[DeltaNetwork], inserted: Sequence[TrialFeatures]) -> Array:
    """What every member says, in V, shape (n_members, n_hosts)."""
    pairs = [host.pair for host in inserted]
    return np.array([pair.physics for pair in pairs]) + corrections(networks, pairs)


def kernel_voltages(
    kernel: CrystalIonKRR, inserted: Sequence[TrialFeatures], ions: NDArray[np.int64], content: Array
) -> tuple[Array, Array]:
    """What the kernel on crystals says, in V, shape (n_hosts,), and by how much the ion content moved it.

    The networks do not know the content: what it does to the kernel's voltage is done to theirs.
    """
    parts, moved = [], []
    for start in range(0, len(inserted), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        distances = kernel.distances(np.stack([host.features for host in inserted[part]]))
        parts.append(kernel.voltages(distances, ions[part], content[part]))
        moved.append(parts[-1] - kernel.voltages(distances, ions[part], np.full(len(content[part]), np.nan)))
    return np.concatenate(parts), np.concatenate(moved)


def save_foundation(model: FoundationModel, folder: Path) -> None:
    """Write the model's folder."""
    arrays: Arrays = {}
    for index, network in enumerate(model.networks):
        arrays |= named_arrays(f"network.{index}", network)
    model.card.hyperparameters = {"n_members": len(model.networks), "kernel": asdict(model.kernel.settings)}
    write_model(folder, arrays | model.kernel.arrays() | model.domain.arrays(), model.card)


def load_foundation(folder: Path) -> FoundationModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        parameters = parameters_of(card, FoundationParameters, folder)
        kernel = CrystalIonKRR.from_arrays(arrays, parameters.kernel)
        networks = [fill(DeltaNetwork(), f"network.{m}", arrays) for m in range(parameters.n_members)]
        return FoundationModel(networks, kernel, ApplicabilityDomain.from_arrays(arrays), card)
