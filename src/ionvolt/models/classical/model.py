"""Classical models on composition and structure features: kernel machines and forests.

They are trained with scikit-learn (``training.classical``) and answer with numpy alone. A model is a folder like any
other: ``weights.safetensors`` (plain arrays, the element table among them) and ``card.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from ionvolt.descriptors import FEATURES, ION_FEATURES, ElementTable, features, ion_features
from ionvolt.errors import ModelError
from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard, parameters_of, require_ions
from ionvolt.models.classical.forests import Forest
from ionvolt.models.differences import standardised
from ionvolt.models.interface import AtomContributions, Estimate, Query
from ionvolt.models.storage import WEIGHTS_FILE, read_model, write_model
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array

KIND = "classical"
_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class KernelMachine:
    """A support vector or kernel ridge regression with Gaussian kernel: V = sum_i c_i exp(-gamma |x - x_i|^2) + b.

    Attributes:
        mean: Mean of each feature in training, shape (p,).
        scale: Deviation of each feature in training, shape (p,): x is standardised.
        clip: How many deviations x goes at most: one host with a rare element must not be far from all others.
        support: Standardised training rows, shape (m, p).
        coefficients: Their weights in V, shape (m,).
        intercept: b in V.
        gamma: Gamma of the kernel.
    """

    mean: Array
    scale: Array
    support: Array
    coefficients: Array
    intercept: float
    gamma: float
    clip: float

    def __post_init__(self) -> None:
        p = self.mean.shape
        m = self.coefficients.shape
        if len(p) != 1 or self.scale.shape != p or len(m) != 1 or self.support.shape != (*m, *p):
            raise ValueError("the arrays of the kernel machine do not fit together")

    @property
    def n_features(self) -> int:
        """Columns that it reads."""
        return int(self.mean.size)

    def predict(self, rows: Array) -> Array:
        """Voltages in V of feature rows, shape (n, p) -> (n,)."""
        result = np.empty(len(rows))
        of_support = (self.support**2).sum(1)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            x = standardised(rows[start : start + _ROWS_AT_ONCE], self.mean, self.scale, self.clip)
            squares = (x**2).sum(1)[:, None] + of_support - 2 * x @ self.support.T
            kernel = np.exp(-self.gamma * np.maximum(squares, 0))
            result[start : start + len(x)] = kernel @ self.coefficients + self.intercept
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that is stored, by name."""
        scalars = np.array([self.intercept, self.gamma, self.clip])
        return {
            "mean": self.mean,
            "scale": self.scale,
            "support": self.support,
            "coefficients": self.coefficients,
            "scalars": scalars,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> KernelMachine:
        """The machine of stored arrays."""
        intercept, gamma, clip = (float(v) for v in arrays["scalars"])
        kept = {name: arrays[name].astype(np.float64) for name in ("mean", "scale", "support", "coefficients")}
        return cls(**kept, intercept=intercept, gamma=gamma, clip=clip)


Predictor: TypeAlias = KernelMachine | Forest


@dataclass(frozen=True)
class ClassicalParameters:
    """What the model needs to answer, besides its weights.

    Attributes:
        features: Names of the features that it reads, in their order.
    """

    features: list[str]


@dataclass(eq=False)
class ClassicalModel:
    """A predictor with all that it needs to answer for a crystal.

    Attributes:
        predictor: Answers feature rows.
        table: Element properties that it was trained with.
        card: What it is; ``card.ions`` are those that it was trained for.
        reads_ion: Whether the ion's own features stand behind those of the host.
    """

    predictor: Predictor
    table: ElementTable
    card: ModelCard
    reads_ion: bool

    def __post_init__(self) -> None:
        self.card.kind = KIND
        n = len(FEATURES) + (len(ION_FEATURES) if self.reads_ion else 0)
        if self.predictor.n_features != n:
            raise ValueError(f"the predictor reads {self.predictor.n_features} features, not {n}")

    accepts: ClassVar[frozenset[EndMembers]] = frozenset({"charged"})
    explains: ClassVar[bool] = False

    @property
    def ions(self) -> list[str]:
        """Working ions that it answers for."""
        return list(self.card.ions)

    def require(self, ions: Sequence[str]) -> None:
        """See ``interface.Predictor``."""
        require_ions(self.card, ions)

    def voltages_of_hosts(self, hosts: Sequence[Crystal], ion: str) -> Array:
        """Voltages in V of charged hosts for one ion, shape (n_hosts,).

        Raises:
            ModelError: It was not trained for that ion.
        """
        self.require([ion])
        return self.voltages_of(features(hosts, self.table), ion)

    def voltages_of(self, rows: Array, ion: str) -> Array:
        """``voltages_of_hosts`` of feature rows that are known, shape (n, len(FEATURES))."""
        if self.reads_ion:
            rows = np.hstack([rows, ion_features([ion] * len(rows), self.table)])
        return self.predictor.predict(rows)

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """See ``interface.Predictor``; it cannot."""
        raise ModelError(f"{self.card.name}: a model on features of crystals, which does not share its answers out")

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """See ``interface.Predictor``; it judges by the charged host alone and gives no interval."""
        answers: list[Estimate | None] = [None] * len(queries)
        for ion in dict.fromkeys(query.ion for query in queries):
            places = [i for i, query in enumerate(queries) if query.ion == ion]
            voltages = self.voltages_of_hosts([queries[i].host for i in places], ion)
            for i, voltage in zip(places, voltages, strict=True):
                answers[i] = Estimate(float(voltage), model=self.card.name)
        return [answer for answer in answers if answer is not None]


def save_classical(model: ClassicalModel, folder: Path) -> None:
    """Write ``weights.safetensors`` and ``card.json``; the card's checksum is brought up to date."""
    family = "forest" if isinstance(model.predictor, Forest) else "kernel"
    arrays = {f"{family}.{name}": np.ascontiguousarray(a) for name, a in model.predictor.arrays().items()}
    arrays["elements"] = np.ascontiguousarray(model.table.values)
    card = model.card
    card.hyperparameters = {"features": list(FEATURES + (ION_FEATURES if model.reads_ion else ()))}
    write_model(folder, arrays, card)


def load_classical(folder: Path) -> ClassicalModel:
    """Read a classical model and check it before any number of it is used.

    Raises:
        ModelError: Files missing, checksum wrong, features of another version, or arrays that make no sense.
    """
    card, content = read_model(folder)
    path = folder / WEIGHTS_FILE
    if card.kind != KIND:
        raise ModelError(f"{folder}: a {card.kind} model, no classical one. Load it as what it is")
    names = tuple(parameters_of(card, ClassicalParameters, folder).features)
    reads_ion = names == FEATURES + ION_FEATURES
    if not reads_ion and names != FEATURES:
        raise ModelError(f"{folder}: it reads other features than this version of IonVolt makes. Train the model again")
    try:
        arrays = load(content)
        table = ElementTable(arrays.pop("elements").astype(np.float64))
        family = Forest if any(name.startswith("forest.") for name in arrays) else KernelMachine
        predictor = family.from_arrays({name.split(".", 1)[1]: array for name, array in arrays.items()})
        if not all(np.isfinite(a).all() for n, a in predictor.arrays().items() if n != "threshold"):
            raise ValueError("a number is not finite")
        return ClassicalModel(predictor, table, card, reads_ion)
    except (SafetensorError, KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelError(
            f"{path}: the weights do not fit a classical model ({error}). Write the model again"
        ) from error
