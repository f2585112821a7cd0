"""The authors' checkpoints (CGCNN ``.pth.tar``) as IonVolt models."""

from __future__ import annotations

from pathlib import Path

import torch

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.models.card import ModelCard, Record
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import Ensemble
from ionvolt.models.cgcnn.network import CGCNN, Head, Trunk
from ionvolt.store.checkpoints import read_checkpoint

MAX_BYTES = 50_000_000

_NAMES = {
    "embedding": "trunk.embedding",
    **{f"convs.{i}.fc_full": f"trunk.convolutions.{i}.linear" for i in range(3)},
    **{f"convs.{i}.bn1": f"trunk.convolutions.{i}.edge_norm" for i in range(3)},
    **{f"convs.{i}.bn2": f"trunk.convolutions.{i}.atom_norm" for i in range(3)},
    "conv_to_fc": "head.hidden",
    "fc_out": "head.output",
}


def import_checkpoint(path: Path, ion: WorkingIon) -> Ensemble:
    """Read one of the authors' checkpoints, plain tensors only (``weights_only=True``): nothing in it is run.

    Args:
        path: A ``.pth.tar`` file of the authors' code.
        ion: The working ion that it was trained for.

    Raises:
        InputError: Not such a checkpoint, or of another architecture.
    """
    remedy = "Give a checkpoint written by the authors' CGCNN code"
    content = read_checkpoint(path, MAX_BYTES, remedy).content
    try:
        if not isinstance(content, dict):
            raise TypeError(type(content).__name__)
        state = dict(content["state_dict"])
        mean, std = float(content["normalizer"]["mean"]), float(content["normalizer"]["std"])
        renamed = {_renamed(name): tensor for name, tensor in state.items()}
        best_error = _best_error(content)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise InputError(str(path), f"not a CGCNN checkpoint (missing or odd entry {error})", remedy) from error
    network = CGCNN(Trunk(), Head(mean, std))
    renamed |= {"head.target_mean": network.head.target_mean, "head.target_std": network.head.target_std}
    try:
        network.load_state_dict(renamed)
    except RuntimeError as error:
        raise InputError(str(path), "its tensors do not fit the paper's network", remedy) from error
    state = network.state_dict()
    if any(not torch.isfinite(tensor).all() for tensor in state.values()):
        raise InputError(str(path), "it holds numbers that are not finite", remedy)
    spreads = [tensor for name, tensor in state.items() if name.endswith(("running_var", "target_std"))]
    if any((tensor < 0).any() for tensor in spreads):
        raise InputError(str(path), "it holds a variance or deviation below zero", remedy)
    network.eval()
    card = ModelCard(
        name=f"published-{ion.symbol}",
        ions=[ion.symbol],
        hyperparameters={"ties": "published"},
        evaluation=[Record("validation", ion.symbol, values={"mae": best_error}, note="stated by its authors")],
        description="Checkpoint of Zhang et al., npj Comput. Mater. 8, 175 (2022), converted.",
        limits=["The stated error is of the part on which the training epoch was chosen, not of a test part."],
        licence="none stated by its authors: for comparison only, not for redistribution",
        attribution="Zhang, Zhou, Lu, Shen (2022), doi 10.1038/s41524-022-00858-9",
    )
    return ensemble_of([network.trunk], {ion.symbol: [network.head]}, card)


def _renamed(name: str) -> str:
    layer, _, tensor = name.rpartition(".")
    return f"{_NAMES[layer]}.{tensor}"


def _best_error(content: dict[str, object]) -> float | None:
    value = content.get("best_mae_error")
    return round(float(value), 4) if isinstance(value, torch.Tensor | float | int) else None
