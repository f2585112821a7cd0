"""How a network is trained: one frozen dataclass that travels into the log and the card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """Settings of one training run; the defaults are those of the shipped Li networks.

    Attributes:
        epochs: Passes over the training part at the most.
        batch_size: Crystals in a step.
        learning_rate: Highest rate of the schedule.
        weight_decay: Decoupled weight decay (adamw) or L2 penalty (sgd).
        optimiser: ``adamw``, or the paper's ``sgd`` with momentum 0.9.
        schedule: ``one-cycle`` (up over the first tenth, cosine down to zero) or ``constant``.
        loss: ``mse`` as in the paper, ``l1`` or ``huber`` (the last two mind outliers less); targets normalised.
        patience: Epochs without a better validation error after which training ends; 0 = never.
        batch_norm: ``train`` updates batch statistics; ``frozen`` keeps those of the network as it came;
            what the authors did to "frozen" convolutions is ``train`` with ``trainable="head"``.
        trainable: ``all`` parameters, or the ``head`` alone (the two fully connected layers).
        seed: Seed of initial weights and shuffling.
    """

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    optimiser: Literal["adamw", "sgd"] = "adamw"
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    loss: Literal["mse", "l1", "huber"] = "huber"
    patience: int = 0
    batch_norm: Literal["train", "frozen"] = "train"
    trainable: Literal["all", "head"] = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or not 0 < self.learning_rate < 10 or self.patience < 0:
            raise ValueError("epochs ≥ 1, batch_size ≥ 2, 0 < learning_rate < 10 and patience ≥ 0 are needed")


PAPER = Settings(
    epochs=300, batch_size=256, learning_rate=0.01, weight_decay=0.0, optimiser="sgd", schedule="constant", loss="mse"
)
"""The paper's own settings for Li."""

HEAD = Settings(epochs=300, batch_size=32, learning_rate=5e-3, trainable="head", batch_norm="frozen")
"""Transfer: the head alone, on cached pooled vectors."""

FINE_TUNE = Settings(epochs=60, batch_size=32, learning_rate=1e-3, trainable="all", batch_norm="train")
"""Fine-tuning of a whole pre-trained network."""
