"""Crystal graph networks under a protocol: from scratch, transferred from Li, or the Li networks as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from ionvolt.datasets import ElectrodeSet, validation_folds
from ionvolt.errors import ModelError
from ionvolt.evaluation.leakage import data_fingerprint, drop_leaking_rows, groups_disjoint
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, Indices, LogCallback, MemberCallback

if TYPE_CHECKING:
    from ionvolt.graphs import CrystalGraph
    from ionvolt.models.cgcnn.network import CGCNN


_graphs: WeakKeyDictionary[Crystal, CrystalGraph] = WeakKeyDictionary()
_li_networks: dict[tuple[Any, ...], Fitted] = {}


@dataclass(frozen=True, eq=False)
class Fitted:
    """Networks that answer for one ion.

    Attributes:
        networks: Their mean answers.
        parts: Rows that each network learned from and chose its epoch by.
    """

    networks: list[CGCNN]
    parts: list[tuple[Indices, Indices]]


class NetworkLearner:
    """What learners made of networks have in common."""

    def __init__(self, members: int = 1, epochs: int | None = None) -> None:
        self.members, self.epochs = members, epochs

    @property
    def settings(self) -> str:
        """What tells two of them apart."""
        return f"{self.members} members, {self.epochs or 'default'} epochs"


class CgcnnScratch(NetworkLearner):
    """Networks that see the rows of the tested ion alone.

    Args:
        members: Networks whose mean answers; each validates on another ninth of what is not tested.
        epochs: Passes over the training part; None takes those of the shipped comparison.
    """

    name = "cgcnn-scratch"

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``protocol.Learner``."""
        from ionvolt.training.settings import Settings

        settings = Settings(batch_size=32, epochs=self.epochs or 60, seed=100 * seed)
        result = np.empty(len(test))
        for ion in np.unique(data.ions[test]):
            of_ion = data.ions[test] == ion
            pool = _pool(data, train, validation, str(ion))
            fitted = _trained(data, pool, test[of_ion], self.members, settings, seed, epoch_log(log, str(ion)))
            result[of_ion] = _answers(fitted.networks, graphs_of(data, test[of_ion])).mean(0)
        return result


class LiModel(NetworkLearner):
    """Networks trained on Li, without the frameworks of other ions' test rows, applied to every ion as they are.

    Args:
        members: Networks whose mean answers.
        epochs: Passes over the training part; None takes those of the shipped networks.
    """

    name = "li-model"

    def __init__(self, members: int = 2, epochs: int | None = None) -> None:
        super().__init__(members, epochs)

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``protocol.Learner``."""
        result = np.empty(len(test))
        for ion, fitted in self.fit(data, train, validation, test, seed=seed, log=log).items():
            of_ion = data.ions[test] == ion
            result[of_ion] = _answers(fitted.networks, graphs_of(data, test[of_ion])).mean(0)
        return result

    def fit(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> dict[str, Fitted]:
        """The networks that answer for each ion among the test rows; arguments are those of ``Learner``."""
        fitted = self._of_li(data, train, validation, test, seed, log)
        return {str(ion): fitted for ion in np.unique(data.ions[test])}

    def _of_li(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, seed: int, log: LogCallback
    ) -> Fitted:
        from ionvolt.training.settings import Settings

        pool = drop_leaking_rows(data, _pool(data, train, validation, "Li"), test)
        key = (data_fingerprint(data), seed, self.settings, pool.tobytes())
        if key not in _li_networks:
            settings = Settings(epochs=self.epochs or Settings().epochs, seed=100 * seed)
            _li_networks.clear()  # those of one unit are needed once more at most, by the next learner
            _li_networks[key] = _trained(data, pool, test, self.members, settings, seed, epoch_log(log, "Li"))
        return _li_networks[key]


class CgcnnTransfer(LiModel):
    """The paper's method: those Li networks with the two last layers trained again on each ion; Li as it is."""

    name = "cgcnn-transfer"

    def fit(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> dict[str, Fitted]:
        """See ``LiModel.fit``; all ions share the convolutions of the Li networks."""
        from ionvolt.models.cgcnn.network import CGCNN
        from ionvolt.training.cgcnn.networks import transfer_heads
        from ionvolt.training.settings import HEAD

        of_li = self._of_li(data, train, validation, test, seed, log)
        found: dict[str, Fitted] = {}
        for ion in (str(ion) for ion in np.unique(data.ions[test])):
            if ion == "Li":
                found[ion] = of_li
                continue
            log(f"transfer to {ion}")
            pool = _pool(data, train, validation, ion)
            parts = _members(data, pool, test[data.ions[test] == ion], self.members, seed)
            settings = replace(HEAD, seed=100 * seed, epochs=self.epochs or HEAD.epochs)
            local, moved = _renumbered(parts)
            graphs = graphs_of(data, local)
            heads, _ = transfer_heads(of_li.networks, graphs, data.voltages[local], moved, settings)
            networks = [CGCNN(n.trunk, head) for n, head in zip(of_li.networks, heads, strict=True)]
            found[ion] = Fitted(networks, parts)
        return found


def _pool(data: ElectrodeSet, train: Indices, validation: Indices, ion: str) -> Indices:
    pool = np.sort(np.concatenate([train, validation]))
    own: Indices = pool[data.ions[pool] == ion]
    if len(own) < 10:
        raise ModelError(
            f"{ion}: this split leaves {len(own)} electrodes to train a network on. At least 10 are needed"
        )
    return own


def _members(
    data: ElectrodeSet, pool: Indices, test: Indices, members: int, seed: int
) -> list[tuple[Indices, Indices]]:
    by_framework = groups_disjoint(data, pool, test) and len(set(data.frameworks[pool])) >= 9
    return validation_folds(data, pool, members, kind="framework" if by_framework else "random", seed=seed)


def _renumbered(parts: list[tuple[Indices, Indices]]) -> tuple[Indices, list[tuple[Indices, Indices]]]:
    """The rows that occur, and the parts as places among them."""
    rows = np.unique(np.concatenate([np.concatenate(pair) for pair in parts]))
    return rows, [(np.searchsorted(rows, a), np.searchsorted(rows, b)) for a, b in parts]


def _trained(
    data: ElectrodeSet, pool: Indices, test: Indices, members: int, settings: Any, seed: int, progress: MemberCallback
) -> Fitted:
    from ionvolt.training.cgcnn.networks import train_ensemble

    parts = _members(data, pool, test, members, seed)
    rows, moved = _renumbered(parts)
    networks, _ = train_ensemble(graphs_of(data, rows), data.voltages[rows], moved, settings, progress=progress)
    return Fitted(networks, parts)


def _answers(networks: list[CGCNN], graphs: list[CrystalGraph]) -> Array:
    """Of every member, V, shape (n_members, n)."""
    import torch

    from ionvolt.training.cgcnn.networks import pooled_vectors

    with torch.inference_mode():
        return np.array([n.head.eval()(pooled_vectors(n.trunk, graphs)).double().numpy() for n in networks])


def graphs_of(data: ElectrodeSet, rows: Indices) -> list[CrystalGraph]:
    """Graphs of the hosts of rows."""
    return graphs_for([data[row].host for row in rows.tolist()])


def graphs_for(crystals: list[Crystal]) -> list[CrystalGraph]:
    """Graphs of crystals, each built once in a process."""
    from ionvolt.graphs import build_graph

    for crystal in crystals:
        if crystal not in _graphs:
            _graphs[crystal] = build_graph(crystal)
    return [_graphs[crystal] for crystal in crystals]


def epoch_log(log: LogCallback, ion: str) -> MemberCallback:
    """Words on every epoch of a network."""
    return lambda member, record: log(f"{ion} network {member + 1}, epoch {record['epoch'] + 1:.0f}")
