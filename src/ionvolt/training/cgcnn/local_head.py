"""Local-voltage heads, eq. (2) of the paper, fitted in closed form to what the voltage heads say.

The mean over the atoms of v_i W + b is the pooled vector times W plus b: a linear law on pooled vectors. The paper
trains it on labelled voltages. Here it is trained on the answers of the member's own voltage head, of which it is to be
the explanation: hosts of other ions can then serve as well, since the head answers for any host, and the mean of local
voltages keeps closer to the voltage that is explained. Ridge regression solves it; its strength is chosen on
validation rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.cgcnn.inference import LocalHeads
from ionvolt.models.storage import Arrays
from ionvolt.typing import Array32, Indices

STRENGTHS = tuple(10.0**k for k in range(-4, 4))
OTHERS_WEIGHT = 0.1
"""Weight of a host of another ion beside one of the ion itself."""


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
    pooled: Sequence[Array32],
    heads: Sequence[Callable[[Array32], Array32]],
    targets: NDArray[np.float64],
    parts: Sequence[tuple[Indices, Indices]],
    others: Sequence[Array32] | None = None,
) -> tuple[list[LocalHeads], list[LocalFit]]:
    """Fit each member's local-voltage head to its voltage head, and note the mean pooled vector of its training rows.

    Args:
        pooled: Each member's pooled vectors of all rows, shape (n_rows, N_FEATURES).
        heads: Each member's voltage head, ``Heads`` of one member or what is called alike.
        targets: Voltages in V, shape (n_rows,): only to say how far the local voltages are from them.
        parts: Training and validation rows of each member.
        others: Each member's pooled vectors of further hosts, shape (n_others, N_FEATURES); they must not be hosts of
            the validation rows.
    """
    fitted, facts = [], []
    for m, (vectors, head, (train, validation)) in enumerate(zip(pooled, heads, parts, strict=True)):
        further = vectors[:0] if others is None else others[m]
        answers = head(vectors[None])[0].astype(np.float64)
        more = head(further[None])[0].astype(np.float64)
        x = vectors.astype(np.float64)
        rows = np.concatenate([x[train], further.astype(np.float64)])
        y = np.concatenate([answers[train], more])
        weights = np.concatenate([np.ones(len(train)), np.full(len(more), OTHERS_WEIGHT)])
        mean, scale = x[train].mean(0), x[train].std(0) + 1e-9
        z = (rows - mean) / scale
        best: tuple[float, float, NDArray[np.float64]] | None = None
        for strength in STRENGTHS:
            law = _ridge(z, y, weights, strength)
            error = float(np.abs((x[validation] - mean) / scale @ law[:-1] + law[-1] - answers[validation]).mean())
            if best is None or error < best[0]:
                best = (error, strength, law)
        assert best is not None
        error, strength, law = best
        local = LocalHeads(
            weight=(law[:-1] / scale).astype(np.float32)[None, :, None],
            bias=np.array([[law[-1] - (law[:-1] / scale) @ mean]], dtype=np.float32),
            baseline=mean.astype(np.float32)[None],
        )
        held_out = local(vectors[None, validation])[0].astype(np.float64)
        fitted.append(local)
        facts.append(LocalFit(float(np.abs(held_out - targets[validation]).mean()), error, strength))
    return fitted, facts


def named_local_heads(ion: str, members: Sequence[LocalHeads]) -> Arrays:
    """Fitted heads of one ion under the names that they have in an ensemble."""
    arrays: Arrays = {}
    for m, local in enumerate(members):
        arrays[f"local.{ion}.{m}.linear.weight"] = local.weight[0].T
        arrays[f"local.{ion}.{m}.linear.bias"] = local.bias[0]
        arrays[f"local.{ion}.{m}.baseline"] = local.baseline[0]
    return arrays


def _ridge(
    z: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """Slopes and, last, the offset, which is not punished, of a weighted ridge regression."""
    columns = np.column_stack([z, np.ones(len(z))])
    punished = np.diag(np.append(np.ones(z.shape[1]), 0.0))
    gram = (columns * weights[:, None]).T @ columns + strength * weights.sum() * punished
    return np.linalg.solve(gram, (columns * weights[:, None]).T @ y)
