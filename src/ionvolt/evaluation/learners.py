"""What can be run under a protocol: classical models in three settings, trained models as they are, and all by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import ModelError
from ionvolt.evaluation.leakage import drop_leaking_rows, groups_disjoint
from ionvolt.evaluation.learner import Learner, Mean
from ionvolt.models.interface import Predictor, Query
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Indices, LogCallback

if TYPE_CHECKING:
    from ionvolt.models.card import ModelCard
    from ionvolt.training.classical.fit import Name

Setting = Literal["ion", "li", "all"]
"""What a classical model learns from: the ion's own rows, Li's (the paper's way), or all ions' with ion features."""

_features: WeakKeyDictionary[Crystal, Array] = WeakKeyDictionary()


class Classical:
    """A classical model whose settings are searched inside the training part; it learns from the validation part too.

    Args:
        learner: ``svr``, ``kernel-ridge``, ``random-forest`` or ``extra-trees``.
        setting: What it learns from.
    """

    def __init__(self, learner: Name, setting: Setting = "ion") -> None:
        self.learner = learner
        self.setting = setting
        self.name = learner if setting == "ion" else f"{learner}-{setting}"

    @property
    def settings(self) -> str:
        """What its results hang on, besides the rows."""
        from ionvolt.training.classical.fit import recipe

        return recipe(self.learner)

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``Learner``."""
        pool = np.sort(np.concatenate([train, validation]))
        if self.setting == "all":
            return self._fit(data, drop_leaking_rows(data, pool, test), test, seed, log)
        if self.setting == "li":
            return self._fit(data, drop_leaking_rows(data, pool[data.ions[pool] == "Li"], test), test, seed, log)
        result = np.empty(len(test))
        for ion in np.unique(data.ions[test]):
            log(str(ion))
            of_ion = data.ions[test] == ion
            result[of_ion] = self._fit(data, pool[data.ions[pool] == ion], test[of_ion], seed, log)
        return result

    def _fit(self, data: ElectrodeSet, train: Indices, test: Indices, seed: int, log: LogCallback) -> Array:
        from ionvolt.training.classical.fit import fit_classical

        if len(train) < 2:
            whose = "Li's rows" if self.setting == "li" else "the ion's own rows"
            raise ModelError(
                f"{self.name} learns from {whose}, of which this split leaves {len(train)}. "
                f"Take {self.learner}-all, or another split"
            )
        groups = data.frameworks[train] if groups_disjoint(data, train, test) else None
        rows = features_of(data[np.concatenate([train, test])], log, with_ion=self.setting == "all")
        fit = fit_classical(self.learner, rows[: len(train)], data.voltages[train], groups=groups, seed=seed)
        return fit.predictor.predict(rows[len(train) :])


class Quick:
    """The kernel machine of the quick model, all ions at once; it learns from the validation part too."""

    name = "quick"

    @property
    def settings(self) -> str:
        """What its results hang on, besides the rows."""
        from ionvolt.training.laplacian import LaplacianSettings

        return repr(LaplacianSettings())

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``protocol.Learner``."""
        from ionvolt.training.laplacian import LaplacianSettings, element_data, fit_laplacian

        pool = drop_leaking_rows(data, np.sort(np.concatenate([train, validation])), test)
        rows = np.concatenate([pool, test])
        log(f"features of {len(rows)} hosts")
        found = element_data().rows(data[rows].hosts, data.ions[rows].tolist())
        machine = fit_laplacian(found[: len(pool)], data.voltages[pool], LaplacianSettings())
        return machine.predict(found[len(pool) :])


class Trained:
    """A model that was trained before, applied as it is.

    Args:
        model: Any predictor.
    """

    def __init__(self, model: Predictor) -> None:
        self.model = model
        self.card: ModelCard = model.card
        self.name = self.card.name
        self.settings = self.card.weights_sha256

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``Learner``; nothing is learned.

        Raises:
            ModelError: The model does not know one of the ions.
        """
        unknown = sorted(set(data.ions[test].tolist()) - set(self.model.ions))
        if unknown:
            raise ModelError(
                f"{self.name}: not trained for {', '.join(unknown)}. Choose among its ions with --ion: "
                f"{', '.join(self.model.ions)}"
            )
        result = np.empty(len(test))
        for ion in np.unique(data.ions[test]):
            log(str(ion))
            of_ion = data.ions[test] == ion
            result[of_ion] = voltages_of(self.model, data[test[of_ion]], str(ion))
        return result

    def seen(self, data: ElectrodeSet, test: Indices) -> int | None:
        """How many test rows have a framework that the model was trained on; None where its card does not say.

        The card's ``training`` names them, or the facts of each ion do.
        """
        listed = self.card.frameworks()
        return int(np.isin(data.frameworks[test], sorted(listed)).sum()) if listed else None

    def unlisted(self, data: ElectrodeSet, test: Indices) -> list[str]:
        """Tested ions whose last layers learned from rows of which the card lists no framework."""
        facts = {ion: self.card.ion_training(ion) for ion in dict.fromkeys(data.ions[test].tolist())}
        return [
            ion for ion, of in facts.items() if of.get("mode") == "head" and "n_rows" in of and "frameworks" not in of
        ]


def voltages_of(model: Predictor, data: ElectrodeSet, ion: str) -> Array:
    """What a trained model says of electrodes, V, shape (n,): from the hosts alone, or from both ends where it asks."""
    both = "charged" not in model.accepts
    queries = [
        Query(ion, e.host, "both", e.discharged) if both and e.discharged is not None else Query(ion, e.host)
        for e in data
    ]
    return np.array([answer.voltage for answer in model.estimate(queries)], dtype=np.float64)


def features_of(data: ElectrodeSet, log: LogCallback, *, with_ion: bool = False) -> Array:
    """Features of all hosts of a set, and of the ion where asked for, one row each; a host's are made once."""
    from ionvolt.descriptors import element_table, features, ion_features

    hosts = data.hosts
    new = list(dict.fromkeys(host for host in hosts if host not in _features))
    if new:
        log(f"features of {len(new)} hosts")
        _features.update(zip(new, features(new), strict=True))
    rows = np.array([_features[host] for host in hosts])
    return np.hstack([rows, ion_features(data.ions.tolist(), element_table())]) if with_ion else rows


def recipes() -> dict[str, Learner]:
    """Everything that can be trained under a protocol, by name."""
    from ionvolt.evaluation.joint_networks import CgcnnDistilled, CgcnnJoint
    from ionvolt.evaluation.networks import CgcnnScratch, CgcnnTransfer, LiModel
    from ionvolt.training.classical.fit import NAMES

    settings: tuple[Setting, ...] = ("ion", "li", "all")
    found: list[Learner] = [Mean(), *(Classical(name, setting) for name in NAMES for setting in settings)]
    found += [Quick(), CgcnnScratch(), CgcnnTransfer(), LiModel(), CgcnnJoint(), CgcnnDistilled()]
    return {learner.name: learner for learner in found}
