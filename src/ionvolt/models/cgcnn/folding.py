"""A convolution as it answers: both batch norms folded into its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ionvolt.models.cgcnn.architecture import NORM_EPSILON
from ionvolt.typing import Array32

BEFORE, AFTER = 4, 9
"""Rows of zeros that the edge weights carry, so that the nine centres of any distance exist."""


@dataclass(frozen=True, eq=False)
class Folded:
    """What inference needs of a convolution of F features.

    Attributes:
        weight: Of the atoms, for the atom itself and as another's neighbour, shape (F, 4 F).
        bias: Shape (4 F,).
        edge_weights: Of the expanded distance, padded, shape (centres, 2 F).
        scale: Of the norm over atoms, shape (F,).
        shift: Shape (F,).
    """

    weight: Array32
    bias: Array32
    edge_weights: Array32
    scale: Array32
    shift: Array32


def fold(arrays: Mapping[str, Any], prefix: str = "") -> Folded:
    """Fold a convolution.

    Args:
        arrays: Its arrays by name (``architecture.TRUNK``), float32.
        prefix: What their names begin with.
    """
    linear, linear_bias = arrays[f"{prefix}linear.weight"], arrays[f"{prefix}linear.bias"]
    scale, shift = _affine(arrays, f"{prefix}edge_norm")
    atom_scale, atom_shift = _affine(arrays, f"{prefix}atom_norm")
    n = atom_scale.size
    weight = linear * scale[:, None]
    return Folded(
        weight=np.ascontiguousarray(np.concatenate([weight[:, :n], weight[:, n : 2 * n]]).T),
        bias=np.concatenate([linear_bias * scale + shift, np.zeros(2 * n, dtype=np.float32)]),
        edge_weights=padded(weight[:, 2 * n :].T),
        scale=atom_scale,
        shift=atom_shift,
    )


def padded(edge_weights: Array32) -> Array32:
    """Edge weights between the rows of zeros that the compiled passes count on."""
    centres, channels = edge_weights.shape
    rows = np.zeros((BEFORE + centres + AFTER, channels), dtype=np.float32)
    rows[BEFORE : BEFORE + centres] = edge_weights
    return rows


def _affine(arrays: Mapping[str, Any], norm: str) -> tuple[Array32, Array32]:
    """Scale and shift that a batch norm comes to when it is not training."""
    scale: Array32 = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + np.float32(NORM_EPSILON))
    shift: Array32 = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale
    return scale, shift
