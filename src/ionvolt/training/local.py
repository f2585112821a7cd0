"""Local-voltage heads, eq. (2) of the paper, fitted in closed form.

The mean over the atoms of v_i W + b is the pooled vector times W plus b: what the paper trains by gradient descent is a
linear regression of voltages on pooled vectors. Ridge regression solves it; its strength is chosen on validation rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.models.cgcnn import Head, LocalHead
from ionvolt.training.loop import Indices

STRENGTHS = tuple(10.0**k for k in range(-4, 4))


@dataclass(frozen=True)
class LocalFit:
    """How well the mean of local voltages stands in for the voltage, on rows that the member was not trained on.

    Attributes:
        mae_to_label: Mean absolute difference from the labelled voltage, V.
        mae_to_head: From the voltage that the member's own head gives, V: the precision of the sum rule.
        strength: Ridge strength chosen.
    """

    mae_to_label: float
    mae_to_head: float
    strength: float


def fit_local_heads(
    pooled: Sequence[torch.Tensor],
    heads: Sequence[Head],
    targets: NDArray[np.float64],
    parts: Sequence[tuple[Indices, Indices]],
) -> tuple[list[LocalHead], list[LocalFit]]:
    """Fit each member's local-voltage head on its training rows.

    Args:
        pooled: Each member's pooled vectors of all rows, shape (n_rows, N_FEATURES).
        heads: Each member's voltage head.
        targets: Voltages in V, shape (n_rows,).
        parts: Training and validation rows of each member.
    """
    fitted, facts = [], []
    for vectors, head, (train, validation) in zip(pooled, heads, parts, strict=True):
        x = vectors.double().numpy()
        mean, scale = x[train].mean(0), x[train].std(0) + 1e-9
        z = (x - mean) / scale
        best: tuple[float, float, NDArray[np.float64]] | None = None
        offset = float(targets[train].mean())
        for strength in STRENGTHS:
            gram = z[train].T @ z[train] + strength * len(train) * np.eye(z.shape[1])
            weight = np.linalg.solve(gram, z[train].T @ (targets[train] - offset))
            error = float(np.abs(z[validation] @ weight + offset - targets[validation]).mean())
            if best is None or error < best[0]:
                best = (error, strength, weight)
        assert best is not None
        error, strength, weight = best
        local = LocalHead()
        with torch.no_grad():
            local.linear.weight[0] = torch.from_numpy(weight / scale).float()
            local.linear.bias[0] = offset - float((weight / scale) @ mean)
            rows = torch.from_numpy(np.ascontiguousarray(validation))
            difference = (local(vectors[rows]) - head.eval()(vectors[rows])).abs().mean()
        fitted.append(local.eval())
        facts.append(LocalFit(error, float(difference), strength))
    return fitted, facts
