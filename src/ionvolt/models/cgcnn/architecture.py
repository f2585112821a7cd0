"""Sizes of the paper's network, and the arrays that one is made of: the same whether it learns or answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ionvolt.graphs.elements import N_FEATURES as N_ELEMENT_FEATURES

N_FEATURES = 64
"""Of an atom's vector."""

N_HIDDEN = 128
"""Of a head's hidden layer."""

N_CONVOLUTIONS = 3

GAUSSIAN_STEP = 0.2
"""Distance between the centres of the expansion and width of each Gaussian, Å."""

N_CENTRES = 41
"""Centres from 0 to 8 Å."""

NORM_EPSILON = 1e-5
"""What a batch norm adds to variances."""

Shapes = Mapping[str, tuple[int, ...]]


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}


def _trunk() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (N_FEATURES, N_ELEMENT_FEATURES),
        "embedding.bias": (N_FEATURES,),
    }
    for i in range(N_CONVOLUTIONS):
        shapes |= {
            f"convolutions.{i}.linear.weight": (2 * N_FEATURES, 2 * N_FEATURES + N_CENTRES),
            f"convolutions.{i}.linear.bias": (2 * N_FEATURES,),
            **_norm(f"convolutions.{i}.edge_norm", 2 * N_FEATURES),
            **_norm(f"convolutions.{i}.atom_norm", N_FEATURES),
        }
    return shapes


TRUNK: Shapes = MappingProxyType(_trunk())
"""Arrays of a trunk with their shapes, under the names of the torch module."""

HEAD: Shapes = MappingProxyType(
    {
        "hidden.weight": (N_HIDDEN, N_FEATURES),
        "hidden.bias": (N_HIDDEN,),
        "output.weight": (1, N_HIDDEN),
        "output.bias": (1,),
        "target_mean": (),
        "target_std": (),
    }
)
"""Of a voltage head."""

LOCAL_HEAD: Shapes = MappingProxyType(
    {"linear.weight": (1, N_FEATURES), "linear.bias": (1,), "baseline": (N_FEATURES,)}
)
"""Of a local-voltage head."""


def check_arrays(arrays: Mapping[str, NDArray[np.generic]], n_members: int, ions: Sequence[str]) -> None:
    """See that all arrays are there, with the shapes of the network.

    Raises:
        ValueError: One is missing or has another shape.
    """
    if not n_members:
        raise ValueError("no trunk")
    parts: list[tuple[str, Shapes]] = [("trunk", TRUNK)]
    for ion in ions:
        parts.append((f"head.{ion}", HEAD))
        if any(name.startswith(f"local.{ion}.") for name in arrays):
            # Models written before there were baselines do without.
            has_baseline = f"local.{ion}.0.baseline" in arrays
            parts.append((f"local.{ion}", {n: s for n, s in LOCAL_HEAD.items() if n != "baseline" or has_baseline}))
    wanted = {f"{part}.{m}.{name}": s for part, shapes in parts for m in range(n_members) for name, s in shapes.items()}
    for name, shape in wanted.items():
        if name not in arrays:
            raise ValueError(f"no {name}")
        found = arrays[name]
        fits = found.shape == shape or (shape == () and found.shape == (1,))  # as a number may be stored
        if not fits or found.dtype != np.float32:
            raise ValueError(f"{name} is {found.dtype} {found.shape}, not float32 {shape}")
    for name, array in arrays.items():
        if name.startswith("reference.") and array.shape[1:] != (N_FEATURES,):
            raise ValueError(f"{name} is {array.shape}")
    if arrays.get("reference_scale", np.empty(N_FEATURES)).shape != (N_FEATURES,):
        raise ValueError("reference_scale is of another shape")
