"""Voltages from the charged host alone in some two milliseconds: redox couples and sites in numbers, one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ionvolt.descriptors.host_and_ion import HOST_AND_ION_FEATURES, ElementData
from ionvolt.errors import ModelError
from ionvolt.ions import WORKING_IONS, EndMembers
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.interface import AtomContributions, Estimate, Query, with_interval
from ionvolt.models.laplacian import LaplacianMachine
from ionvolt.models.storage import read_model, write_model
from ionvolt.models.tensors import load_arrays
from ionvolt.models.uncertainty.domain import Judge, difficulty_features
from ionvolt.typing import Array

KIND = "quick"
BATCH_SIZE = 256
"""Hosts that are worked on together."""

_IONS = list(WORKING_IONS)


class QuickJudge(Judge):
    """Judges by the electrodes that are the most similar."""

    spread_words: ClassVar[tuple[str, str]] = ("the most similar electrodes differ from the answer by", "those")


@dataclass(frozen=True)
class QuickParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        features: Names of the features that it reads, in their order.
    """

    features: list[str]


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to n questions and the signs by which they are judged; all of shape (n,).

    Attributes:
        voltage: V.
        spread: How far the most similar electrodes lie from it, V.
        distance: To the nearest training electrode.
    """

    voltage: Array
    spread: Array
    distance: Array

    def difficulty(self, middle: float) -> Array:
        """Difficulty features; voltages far from the ``middle`` (V) are rarer, and harder."""
        return difficulty_features(self.spread, self.distance, self.voltage - middle)


def answers_of(machine: LaplacianMachine, rows: Array) -> Answers:
    """What a machine says of feature rows."""
    distances = machine.distances(rows)
    voltage = machine.answers(distances)
    return Answers(voltage, machine.spread(distances, voltage), distances.min(1).astype(np.float64))


@dataclass(eq=False)
class QuickModel:
    """Host in, voltage out.

    Attributes:
        machine: Answers feature rows.
        data: Element data that it was trained with.
        judge: Judges the answers.
        card: The model card.
    """

    machine: LaplacianMachine
    data: ElementData
    judge: QuickJudge
    card: ModelCard

    def __post_init__(self) -> None:
        self.card.kind = KIND
        if self.machine.n_features != len(HOST_AND_ION_FEATURES):
            raise ValueError(f"the machine reads {self.machine.n_features} features, not {len(HOST_AND_ION_FEATURES)}")

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged"})
    explains: ClassVar[bool] = False

    @property
    def ions(self) -> list[str]:
        """Working ions that it answers for."""
        return list(self.card.ions)

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.card, ions)

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; it cannot."""
        raise ModelError(f"{self.card.name}: a model on features of crystals, which does not share its answers out")

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``; it judges by the charged host alone."""
        self.require([query.ion for query in queries])
        found: list[Estimate] = []
        for start in range(0, len(queries), BATCH_SIZE):
            found += self._estimate(queries[start : start + BATCH_SIZE])
        return found

    def _estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        hosts, ions = [query.host for query in queries], [query.ion for query in queries]
        answers = answers_of(self.machine, self.data.rows(hosts, ions))
        widths = self.judge.conformal.half_widths(answers.difficulty(self.machine.voltages.mean()), ion_numbers(ions))
        found = []
        for query, *numbers in zip(queries, answers.voltage, answers.spread, answers.distance, widths, strict=True):
            voltage, spread, distance, width = (float(number) for number in numbers)
            reasons = self.judge.reasons(query.host, distance, spread, width)
            # The spread is one of labels; a single machine has no members that differ.
            found.append(replace(with_interval(voltage, width, spread, reasons, self.card.name), epistemic_std=None))
        return found


def ion_numbers(ions: Sequence[str]) -> NDArray[np.int64]:
    """Index of each ion in ``WORKING_IONS``, shape (n,)."""
    return np.array([_IONS.index(ion) for ion in ions], dtype=np.int64)


def save_quick(model: QuickModel, folder: Path) -> None:
    """Write the model's folder."""
    model.card.hyperparameters = {"features": list(HOST_AND_ION_FEATURES)}
    write_model(folder, model.machine.arrays() | model.data.arrays() | model.judge.arrays(), model.card)


def load_quick(folder: Path) -> QuickModel:
    """Read a model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, features of another version, or arrays that do not fit.
    """
    card, content = read_model(folder)
    with load_arrays(folder, card, KIND, content) as arrays:
        if tuple(parameters_of(card, QuickParameters, folder).features) != HOST_AND_ION_FEATURES:
            raise ModelError(f"{folder}: it reads other features than this version of IonVolt makes. Train it again")
        data, judge = ElementData.from_arrays(arrays), QuickJudge.from_arrays(arrays)
        return QuickModel(LaplacianMachine.from_arrays(arrays), data, judge, card)
