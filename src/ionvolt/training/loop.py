"""The training loop: one network, one data set, one log.

The inputs are anything that can be batched: crystal graphs for a whole network, pooled vectors for a head alone. The
loop can be killed at any epoch and goes on from there to the same weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ionvolt.errors import ModelError
from ionvolt.models.tensors import under
from ionvolt.store import atomic_file, fingerprint, write_text
from ionvolt.training.settings import Settings
from ionvolt.typing import EpochCallback, Indices


@dataclass
class History:
    """What happened in a run.

    Attributes:
        epochs: One record an epoch: ``epoch``, ``loss`` (of the normalised target), ``rate`` and, where there
            are validation rows, ``validation_mae`` (V).
        best_epoch: Epoch whose weights were kept.
        best_mae: Its validation MAE in V; infinite without validation rows.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = -1
    best_mae: float = math.inf


def fit(
    network: nn.Module,
    batch_of: Callable[[Indices], Any],
    targets: NDArray[np.float64],
    train: Sequence[int] | Indices,
    validation: Sequence[int] | Indices,
    settings: Settings,
    *,
    scale: tuple[float, float] | None = None,
    folder: Path | None = None,
    progress: EpochCallback | None = None,
) -> History:
    """Train a network in place and leave it with the weights of its best validation epoch.

    Args:
        network: Answers a batch with voltages in V, shape (B,).
        batch_of: Makes the network's input of some row numbers.
        targets: Voltages in V of all rows, shape (n,).
        train: Rows to learn from.
        validation: Rows that choose the epoch; none: the last epoch is kept.
        settings: How the network is trained.
        scale: Mean and deviation that normalise the loss, V; those of the training part where not given.
        folder: Where ``log.jsonl`` and ``checkpoint.safetensors`` are kept; a run found there is continued.
        progress: Called with the record of every epoch.

    Returns:
        The history, that of the epochs before a kill included.
    """
    train, validation = np.asarray(train, dtype=np.int64), np.asarray(validation, dtype=np.int64)
    mean, std = scale or (float(targets[train].mean()), float(targets[train].std()) or 1.0)
    values = torch.from_numpy(np.asarray(targets, dtype=np.float32))
    parameters = [p for p in _trainable(network, settings).parameters() if p.requires_grad]
    optimiser = _optimiser(parameters, settings)
    steps = max(1, len(train) // settings.batch_size)
    mark = ""
    if folder:
        mark = _mark(settings, targets, train, validation, (mean, std), network, batch_of(train[:16]))
    state = _State(network, optimiser, parameters, mark)
    history = state.load(folder)

    for epoch in range(len(history.epochs), settings.epochs):
        if settings.patience and epoch - history.best_epoch > settings.patience and history.best_epoch >= 0:
            break
        _set_mode(network, settings)
        order = np.random.default_rng((settings.seed, epoch)).permutation(train)
        total = 0.0
        for step, rows in enumerate(np.array_split(order, steps)):
            rate = _rate(settings, epoch + step / steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            predicted = network(batch_of(rows))
            loss = _loss(settings)((predicted - mean) / std, (values[rows] - mean) / std)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        if not math.isfinite(total):
            raise ModelError(
                f"training came to a loss of {total} in epoch {epoch}. Check the voltages, or lower the learning rate"
            )
        record = {"epoch": epoch, "loss": total / len(train), "rate": rate}
        mae = math.inf
        if len(validation):
            mae = record["validation_mae"] = evaluate(network, batch_of, targets, validation)
        history.epochs.append(record)
        if mae < history.best_mae or not len(validation):
            history.best_epoch, history.best_mae = epoch, mae
            state.keep()
        state.save(folder, history)
        if progress:
            progress(record)
    state.restore()
    network.eval()
    return history


@torch.inference_mode()
def evaluate(
    network: nn.Module, batch_of: Callable[[Indices], Any], targets: NDArray[np.float64], rows: Indices
) -> float:
    """Mean absolute error in V over some rows."""
    network.eval()
    errors = [
        np.abs(network(batch_of(part)).double().numpy() - targets[part])
        for part in np.array_split(rows, max(1, len(rows) // 128))
    ]
    return float(np.concatenate(errors).mean())


def _trainable(network: nn.Module, settings: Settings) -> nn.Module:
    if settings.trainable == "all":
        # A network whose head alone was trained before comes with the rest switched off.
        return network.requires_grad_(True)
    head = getattr(network, "head", network)
    assert isinstance(head, nn.Module)
    if head is not network:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith("head."))
    return head


def _set_mode(network: nn.Module, settings: Settings) -> None:
    network.train()
    if settings.batch_norm == "frozen":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


def _optimiser(parameters: list[nn.Parameter], settings: Settings) -> torch.optim.Optimizer:
    if settings.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True)


def _rate(settings: Settings, epoch: float) -> float:
    if settings.schedule == "constant":
        return settings.learning_rate
    warm_up = 0.1 * settings.epochs
    if epoch < warm_up:
        return settings.learning_rate * (0.04 + 0.96 * epoch / warm_up)
    done = (epoch - warm_up) / (settings.epochs - warm_up)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done)) + 1e-7


def _loss(settings: Settings) -> Callable[[Tensor, Tensor], Tensor]:
    if settings.loss == "mse":
        return functional.mse_loss
    if settings.loss == "l1":
        return functional.l1_loss
    return lambda a, b: functional.huber_loss(a, b, delta=0.3) / 0.3


def _mark(
    settings: Settings,
    targets: NDArray[np.float64],
    train: Indices,
    validation: Indices,
    scale: tuple[float, float],
    network: nn.Module,
    sample: Any,
) -> str:
    """What makes a run this one and no other: settings, data (by a sample of the inputs), split, initial weights."""
    arrays: list[NDArray[Any]] = [np.asarray(targets, dtype=np.float64), train, validation]
    arrays += sample.arrays() if hasattr(sample, "arrays") else [np.asarray(sample)]
    arrays += [tensor.numpy() for tensor in network.state_dict().values()]
    return fingerprint([asdict(settings), type(network).__name__, scale], *arrays)


class _State:
    """All that a run needs to go on: network, optimiser and the best weights so far."""

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], fingerprint: str
    ) -> None:
        self.network, self.optimiser, self.parameters = network, optimiser, parameters
        self.fingerprint = fingerprint
        self.best: dict[str, Tensor] = {}

    def keep(self) -> None:
        self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}

    def restore(self) -> None:
        if self.best:
            self.network.load_state_dict(self.best)

    def save(self, folder: Path | None, history: History) -> None:
        if folder is None:
            return
        tensors = {f"now.{name}": tensor.clone() for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for index, parameter in enumerate(self.parameters):
            for key, value in self.optimiser.state[parameter].items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{index}.{key}"] = value.clone()
        with atomic_file(folder / "checkpoint.safetensors") as part:
            save_file(tensors, part, metadata={"history": json.dumps(asdict(history)), "fingerprint": self.fingerprint})
        write_text(folder / "log.jsonl", "".join(json.dumps(record) + "\n" for record in history.epochs))

    def load(self, folder: Path | None) -> History:
        """The history of the run in the folder, its state taken over; an empty one where there is none.

        Raises:
            ModelError: A checkpoint is there and cannot be read.
        """
        path = folder / "checkpoint.safetensors" if folder else None
        if path is None or not path.exists():
            return History()
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("fingerprint") != self.fingerprint:
                    return History()  # another run was here: other settings, data or split
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{path}: this checkpoint of an earlier run is damaged ({error}). Remove it to train from the start"
            ) from error
        self.network.load_state_dict(under(tensors, "now."))
        self.best = under(tensors, "best.")
        for index, parameter in enumerate(self.parameters):
            saved = under(tensors, f"optimiser.{index}.")
            if saved:
                self.optimiser.state[parameter].update(saved)
        return History(**json.loads(metadata["history"]))
