"""Named arrays: of a weights file, of PyTorch's modules and back. Models without such modules need no PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from ionvolt.errors import ModelError
from ionvolt.models.card import ModelCard

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, NDArray[np.generic]]
Module = TypeVar("Module", bound="nn.Module")
T = TypeVar("T")

UNSTORED = "num_batches_tracked"


def named_arrays(prefix: str, module: nn.Module) -> Arrays:
    """A module's parameters and buffers under a prefix, but the count of batches, which no answer needs."""
    return {
        f"{prefix}.{name}": tensor.detach().numpy()
        for name, tensor in module.state_dict().items()
        if not name.endswith(UNSTORED)
    }


def fill(module: Module, prefix: str, arrays: Arrays) -> Module:
    """Put stored arrays into a module, ready to answer.

    Raises:
        KeyError: An array is missing.
        RuntimeError: One does not fit.
    """
    import torch

    state = module.state_dict()
    state |= {name: torch.tensor(arrays[f"{prefix}.{name}"]) for name in state if not name.endswith(UNSTORED)}
    module.load_state_dict(state)
    return module.eval()


@contextmanager
def load_arrays(folder: Path, card: ModelCard, kind: str, content: bytes) -> Iterator[Arrays]:
    """The arrays of a weights file; whatever does not fit in the block becomes a ``ModelError``."""
    if card.kind != kind:
        raise ModelError(f"{folder}: a {card.kind} model, not a {kind} one. Load it as what it is")
    try:
        arrays: Arrays = load(content)
        bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
        if bad:
            raise ValueError(f"{bad[0]} holds a number that is not finite")
        yield arrays
    except (SafetensorError, RuntimeError, KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelError(f"{folder}: the weights do not fit a {kind} model ({error}). Write the model again") from error


def under(arrays: Mapping[str, T], prefix: str) -> dict[str, T]:
    """Those whose names begin with ``prefix``, by the rest of the name."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
