"""A crystal's voltage shared out among its atoms so that the shares add up.

A network's voltage is h(p), p being the mean of the atoms' vectors v_i after the last convolution and h its voltage
head. Eq. (2) of the paper, a linear law fitted beside h, can only come close to it. Here h itself is taken:

    V_i = h(p) + (v_i - p) · g,    g = mean of the gradient of h on the straight way from p0 to p,

which is eq. (2) again with a slope of that crystal's own. The mean over the atoms is h(p), whatever g. With p0 the mean
pooled vector of the training hosts, V_i - h(p0) is (v_i - p0) · g: what the atom adds to the voltage of an average host
(integrated gradients, Sundararajan et al., arXiv:1703.01365, of a mean). Where p0 is not known, p takes its place, and
g is the gradient at the crystal itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.models.cgcnn.network import Head, LocalHead

NODES = 8
"""Points of the Gauss-Legendre rule on the way; the head is so smooth that more change nothing beyond 1e-4 V."""


@dataclass(frozen=True)
class LocalVoltages:
    """Local voltages by every member of an ensemble, V; N atoms of one or more crystals.

    Attributes:
        additive: Shares of the atoms, shape (n_members, N), whose mean over a crystal's atoms is the member's voltage.
        linear: By the members' linear heads, eq. (2) of the paper, same shape.
        reference: What each member's head gives for the average training host, shape (n_members,) (where that is not
            known, the mean over the crystals of their own voltages).
    """

    additive: NDArray[np.float64]
    linear: NDArray[np.float64]
    reference: NDArray[np.float64]


@torch.inference_mode()
def local_voltages(
    atoms: Sequence[torch.Tensor],
    heads: Sequence[Head],
    local: Sequence[LocalHead],
    n_atoms: NDArray[np.int64] | None = None,
) -> LocalVoltages:
    """Share the voltages of one or more crystals out among their atoms.

    Args:
        atoms: Each member's atom vectors, shape (N, N_FEATURES).
        heads: Each member's voltage head.
        local: Each member's local-voltage head.
        n_atoms: Atoms of each crystal, which follow one another; by default all are of one.
    """
    sizes = torch.from_numpy(np.array([len(atoms[0])]) if n_atoms is None else n_atoms)
    crystal = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    additive, linear, reference = [], [], []
    for vectors, head, local_head in zip(atoms, heads, local, strict=True):
        head.eval()
        pooled = torch.zeros(len(sizes), vectors.shape[1]).index_add(0, crystal, vectors) / sizes[:, None]
        start = torch.where(torch.isnan(local_head.baseline), pooled, local_head.baseline)
        slope = path_gradient(head, start, pooled)
        additive.append(
            (head(pooled)[crystal] + ((vectors - pooled[crystal]) * slope[crystal]).sum(1)).double().numpy()
        )
        linear.append(local_head(vectors).double().numpy())
        reference.append(float(head(start).mean()))
    return LocalVoltages(np.array(additive), np.array(linear), np.array(reference))


def path_gradient(head: Head, start: torch.Tensor, end: torch.Tensor, nodes: int = NODES) -> torch.Tensor:
    """Mean gradient of a head on the straight ways between pooled vectors, all of shape (B, N_FEATURES)."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    total = torch.zeros_like(end)
    for t, weight in zip((places + 1) / 2, weights / 2, strict=True):
        total += float(weight) * head.gradient(start + float(t) * (end - start))
    return total
