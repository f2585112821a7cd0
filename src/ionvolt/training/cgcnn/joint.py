"""Training of one crystal graph network for all working ions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.graphs import CrystalGraph
from ionvolt.models.cgcnn.joint import IonGraphBatch, JointNetwork, collate_for_ions
from ionvolt.models.cgcnn.network import Trunk
from ionvolt.training.loop import fit
from ionvolt.training.settings import Settings
from ionvolt.typing import EpochCallback, Indices

JOINT = Settings(epochs=40, batch_size=64, learning_rate=5e-3, weight_decay=1e-2)
"""Chosen on a framework fold of seed 0, on which no reported figure rests."""

PRE_TRAINED = Settings(epochs=20, batch_size=64, learning_rate=2e-3, weight_decay=1e-2)
"""The same for a network whose convolutions have learned something before."""

BATCH_SIZE = 64


def train_joint(
    graphs: Sequence[CrystalGraph],
    ions: Sequence[str],
    targets: NDArray[np.float64],
    train: Indices,
    settings: Settings = JOINT,
    *,
    trunk: Trunk | None = None,
    progress: EpochCallback | None = None,
) -> JointNetwork:
    """Train one network on some rows; its random start is ``settings.seed``.

    Args:
        graphs: Hosts, one for each row.
        ions: Symbols of the working ions.
        targets: V, shape (n_rows,).
        train: Rows to learn from.
        settings: How the networks are trained.
        trunk: Convolutions to begin with; they are left as they are.
        progress: Told the record of every epoch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = JointNetwork()
        if trunk is not None:
            network.trunk.load_state_dict(trunk.state_dict())
        network.target_mean.fill_(float(targets[train].mean()))
        network.target_std.fill_(float(targets[train].std()) or 1.0)

        def batch_of(rows: Indices) -> IonGraphBatch:
            return collate_for_ions([graphs[i] for i in rows], [ions[i] for i in rows])

        fit(network, batch_of, targets, train, [], settings, progress=progress)
    return network


@torch.inference_mode()
def joint_voltages(network: JointNetwork, graphs: Sequence[CrystalGraph], ions: Sequence[str]) -> NDArray[np.float64]:
    """Voltages in V, shape (n,), of hosts and ions."""
    network.eval()
    parts = [
        network(collate_for_ions(graphs[i : i + BATCH_SIZE], ions[i : i + BATCH_SIZE])).double().numpy()
        for i in range(0, len(graphs), BATCH_SIZE)
    ]
    return np.concatenate(parts) if parts else np.empty(0)
