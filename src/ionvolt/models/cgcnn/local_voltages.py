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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ionvolt.models.cgcnn.inference import Heads, LocalHeads, pool
from ionvolt.typing import Array32

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


def local_voltages(
    atoms: Array32, heads: Heads, local: LocalHeads, n_atoms: NDArray[np.int64] | None = None
) -> LocalVoltages:
    """Share the voltages of one or more crystals out among their atoms.

    Args:
        atoms: Each member's atom vectors, shape (n_members, N, N_FEATURES).
        heads: The members' voltage heads.
        local: Their local-voltage heads.
        n_atoms: Atoms of each crystal, which follow one another; by default all are of one.
    """
    sizes = np.array([atoms.shape[1]]) if n_atoms is None else n_atoms
    crystal = np.repeat(np.arange(len(sizes)), sizes)
    pooled = pool(atoms, sizes)
    baseline = np.broadcast_to(local.baseline[:, None], pooled.shape)
    start = np.where(np.isnan(baseline), pooled, baseline)
    slope = path_gradient(heads, start, pooled)
    departures = ((atoms - pooled[:, crystal]) * slope[:, crystal]).sum(2)
    return LocalVoltages(
        additive=(heads(pooled)[:, crystal] + departures).astype(np.float64),
        linear=local(atoms).astype(np.float64),
        reference=heads(start).mean(1).astype(np.float64),
    )


def path_gradient(heads: Heads, start: Array32, end: Array32, nodes: int = NODES) -> Array32:
    """Mean gradient of heads on the straight ways between pooled vectors, all of shape (M, B, N_FEATURES)."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    total = np.zeros_like(end)
    for t, weight in zip((places + 1) / 2, weights / 2, strict=True):
        total += np.float32(weight) * heads.gradient(start + np.float32(t) * (end - start))
    return total
