"""A model on disk: a folder with plain tensors and a card that carries their checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard, read_card, write_card
from ionvolt.store import sha256, write_bytes

Arrays = dict[str, NDArray[Any]]
"""Arrays by name, as a weights file holds them."""

WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"


def write_model(folder: Path, arrays: Arrays, card: ModelCard) -> None:
    """Write both files; the card's checksum is brought up to date."""
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    write_bytes(folder / WEIGHTS_FILE, content)
    card.weights_sha256 = sha256([content])
    write_card(card, folder / CARD_FILE)


def read_model(folder: Path) -> tuple[ModelCard, bytes]:
    """A model's card and the content of its weights file, whose checksum is right.

    Raises:
        ModelError: Files missing, a card that is none, or a wrong checksum.
    """
    card = read_card(folder / CARD_FILE)
    path = folder / WEIGHTS_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the weights cannot be read ({error.strerror}). Write the model again") from error
    if sha256([content]) != card.weights_sha256:
        raise ModelError(f"{path}: the weights are not those that the card describes. Fetch or write the model again")
    return card, content
