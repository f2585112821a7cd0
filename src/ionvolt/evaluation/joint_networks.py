"""Crystal graph networks of all ions at once under a protocol, without and with pre-training."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.evaluation.leakage import drop_leaking_rows
from ionvolt.evaluation.networks import NetworkLearner, epoch_log, graphs_for, graphs_of
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import Array, EpochCallback, Indices, LogCallback

if TYPE_CHECKING:
    from ionvolt.models.cgcnn.network import Trunk
    from ionvolt.training.settings import Settings


_vectors: WeakKeyDictionary[Crystal, NDArray[np.float32]] = WeakKeyDictionary()


class CgcnnJoint(NetworkLearner):
    """Networks of all ions at once (``models.joint``); they learn from the validation part too, for a fixed time.

    Args:
        members: Networks whose mean answers.
        epochs: Passes over the training part; None takes those of ``training.joint``.
    """

    name = "cgcnn-joint"

    def fit_predict(
        self, data: ElectrodeSet, train: Indices, validation: Indices, test: Indices, *, seed: int, log: LogCallback
    ) -> Array:
        """See ``protocol.Learner``."""
        from ionvolt.training.cgcnn.joint import joint_voltages, train_joint

        rows = drop_leaking_rows(data, np.sort(np.concatenate([train, validation])), test)
        ions, graphs = data.ions.tolist(), graphs_of(data, np.arange(len(data)))
        answers = []
        for m in range(self.members):
            settings, own_seed = self._settings(), 100 * seed + m
            settings = replace(settings, epochs=self.epochs or settings.epochs, seed=own_seed)
            log_epoch = partial(epoch_log(log, "all ions"), m)
            trunk = self._trunk(data, rows, own_seed, log_epoch)
            network = train_joint(graphs, ions, data.voltages, rows, settings, trunk=trunk, progress=log_epoch)
            answers.append(joint_voltages(network, [graphs[i] for i in test], [ions[i] for i in test]))
        mean: Array = np.mean(answers, axis=0)
        return mean

    def _settings(self) -> Settings:
        from ionvolt.training.cgcnn.joint import JOINT

        return JOINT

    def _trunk(self, data: ElectrodeSet, rows: Indices, seed: int, log_epoch: EpochCallback) -> Trunk | None:
        return None


class CgcnnDistilled(CgcnnJoint):
    """The same, its convolutions pre-trained on SevenNet's atom vectors of all structures of the training part.

    These are hosts and discharged electrodes. Nothing of the test part is shown, not even without its voltage.
    """

    name = "cgcnn-distilled"

    def _settings(self) -> Settings:
        from ionvolt.training.cgcnn.joint import PRE_TRAINED

        return PRE_TRAINED

    def _trunk(self, data: ElectrodeSet, rows: Indices, seed: int, log_epoch: EpochCallback) -> Trunk | None:
        from ionvolt.training.cgcnn.distillation import DISTILLATION, distil

        some = [data[row] for row in rows.tolist()]
        crystals = [e.host for e in some] + [e.discharged for e in some if e.discharged is not None]
        unique = list(dict.fromkeys(crystals))
        settings = replace(DISTILLATION, epochs=min(self.epochs or DISTILLATION.epochs, DISTILLATION.epochs), seed=seed)
        return distil(graphs_for(unique), _latent_features(unique), settings, progress=log_epoch)


def _latent_features(crystals: list[Crystal]) -> list[NDArray[np.float32]]:
    """SevenNet's atom vectors, each crystal evaluated once in a process."""
    from ionvolt.models.mlip.latent_features import compute_features

    for crystal in crystals:
        if crystal not in _vectors:
            _vectors[crystal] = compute_features([crystal])[0].atoms
    return [_vectors[crystal] for crystal in crystals]
