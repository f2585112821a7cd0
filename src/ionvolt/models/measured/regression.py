"""From a calculated voltage to the measured one: a small linear model with the class of the electrode.

The answer is the calculated voltage, moved towards that of the other functional by a share between none and all of the
way, plus offsets of the classes. So it never falls while either functional's voltage rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.models.measured.chemistry import ANIONS, Anion, ElectrodeChemistry
from ionvolt.typing import Array

METALS = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Mo")
"""Metals with an offset of their own; the others share one."""

PAIRED: tuple[Anion, ...] = ("oxide", "polyanion", "chalcogenide")
"""Anion groups in which each metal has a further offset."""

MIDDLE = 3.0
"""V; the slope in the calculated voltage turns about it."""

SHARES = ("no U", "layered oxide", "other U", "cyanide")
"""Classes that each move their own share of the way towards r2SCAN."""

OFFSETS = (
    "all",
    *ANIONS,
    *METALS,
    "other metal",
    "no U",
    "polyanion without U",
    "fully extracted layered oxide",
    "multivalent",
    "multivalent oxide",
    "open oxide of Mn or Co",
    "slope",
)
"""The offsets, in the order of their columns; the last is the slope in the calculated voltage.

Open oxides are those that do not fall into layers: spinels above all."""

PAIRS = tuple(f"{metal} {anion}" for anion in PAIRED for metal in METALS)
"""The offsets of a metal in an anion group."""

COLUMNS = (*(f"share {name}" for name in SHARES), *OFFSETS, *PAIRS)


@dataclass(frozen=True)
class Electrode:
    """What the model asks of an electrode.

    Attributes:
        chemistry: Its class.
        calculated: Calculated voltage on the PBE+U scale, V.
        gap: r2SCAN's voltage less that of PBE+U, V; None where it was not computed.
        std: How uncertain the calculated voltage itself is, one standard deviation, V; 0 for energies of both ends.
    """

    chemistry: ElectrodeChemistry
    calculated: float
    gap: float | None = None
    std: float = 0.0


def share_class(chemistry: ElectrodeChemistry) -> str:
    """Which of ``SHARES`` an electrode belongs to."""
    if chemistry.anion == "cyanide":
        return "cyanide"
    if chemistry.hubbard < 0.5:
        return "no U"
    return "layered oxide" if chemistry.layered and chemistry.anion == "oxide" else "other U"


def columns(electrode: Electrode) -> Array:
    """The row of an electrode: its gap in the column of its share class, then the offsets; V and pure numbers."""
    chemistry = electrode.chemistry
    gap = electrode.gap or 0.0
    shares = [gap * (share_class(chemistry) == name) for name in SHARES]
    multivalent = float(chemistry.charge > 1)
    no_u = float(share_class(chemistry) == "no U")
    offsets = [1.0]
    offsets += [float(chemistry.anion == anion) for anion in ANIONS]
    metals = [chemistry.centres.get(metal, 0.0) for metal in METALS]
    offsets += [*metals, 1.0 - sum(metals)]
    offsets += [no_u, no_u * (chemistry.anion == "polyanion"), float(chemistry.fully_extracted)]
    open_oxide = float(chemistry.anion == "oxide" and not chemistry.layered)
    offsets += [multivalent, multivalent * (chemistry.anion == "oxide")]
    offsets += [open_oxide * sum(chemistry.centres.get(metal, 0.0) for metal in ("Mn", "Co"))]
    offsets += [electrode.calculated - MIDDLE]
    pairs = [share * (chemistry.anion == anion) for anion in PAIRED for share in metals]
    return np.array(shares + offsets + pairs)


@dataclass(frozen=True, eq=False)
class Regression:
    """The fitted model.

    Attributes:
        weights: Weights of the columns, shape (n_columns,); V, the shares pure numbers.
        covariance: Covariance of the weights, shape (n_columns, n_columns).
    """

    weights: Array
    covariance: Array

    def correction(self, rows: Array) -> Array:
        """Measured less calculated voltage, V, of rows of ``columns``."""
        return np.asarray(rows @ self.weights)

    def uncertainty(self, rows: Array) -> Array:
        """One standard deviation of the correction that the few measurements leave, V."""
        variance = np.einsum("ij,jk,ik->i", rows, self.covariance, rows)
        return np.asarray(np.sqrt(variance.clip(0)))


@dataclass(frozen=True)
class Penalty:
    """How far the weights may go: standard deviations of their priors, V. Zero leaves a kind of weight out.

    Attributes:
        share: Of a class's share about a half.
        offset: Of an offset that is not a metal's or an anion group's.
        metal: Of the offset of a metal, and of an anion group.
        pair: Of that of a metal in an anion group.
        open_oxide: Of the offset of open oxides of manganese and cobalt.
        slope: Of the slope in the calculated voltage.
        noise: Scatter of an electrode about the model, beyond the uncertainty of its measurement.
    """

    share: float = 0.5
    offset: float = 0.15
    metal: float = 0.1
    pair: float = 0.15
    open_oxide: float = 0.0
    slope: float = 0.02
    noise: float = 0.2

    def widths(self) -> Array:
        """The standard deviations in the order of ``COLUMNS``."""
        by_name = {
            **dict.fromkeys(OFFSETS, self.offset),
            **dict.fromkeys((*METALS, "other metal", *ANIONS), self.metal),
        }
        by_name |= dict.fromkeys(PAIRS, self.pair) | {"slope": self.slope}
        by_name["open oxide of Mn or Co"] = self.open_oxide
        return np.array([by_name.get(name, self.share) for name in COLUMNS])


def fit(rows: Array, correction: Array, sigma: Array, penalty: Penalty, *, covariance: bool = True) -> Regression:
    """Fit the weights: least squares with normal priors, shares held between 0 and 1, the slope above -1.

    Args:
        rows: ``columns`` of electrodes, shape (n, n_columns).
        correction: Measured less calculated voltages, V, shape (n,).
        sigma: Uncertainty of the measurements, V, shape (n,).
        penalty: The priors.
        covariance: Whether the weights' covariance is wanted; zeros stand for it otherwise.
    """
    widths = penalty.widths()
    used = np.flatnonzero((widths > 0) & rows.any(axis=0))
    share = np.array([COLUMNS[k].startswith("share ") for k in used], dtype=bool)
    prior = np.where(share, 0.5, 0.0)
    low = np.where(share, 0.0, np.where(used == COLUMNS.index("slope"), -0.9, -np.inf))
    high = np.where(share, 1.0, np.inf)
    precision = 1 / (sigma**2 + penalty.noise**2)
    x = rows[:, used]
    normal = (x.T * precision) @ x + np.diag(1 / widths[used] ** 2)
    right = x.T @ (precision * correction) + prior / widths[used] ** 2
    found, free = np.zeros(len(used)), np.ones(len(used), dtype=bool)
    while True:  # what leaves its bounds is held there, and the rest found again
        found[free] = np.linalg.solve(
            normal[np.ix_(free, free)], right[free] - normal[np.ix_(free, ~free)] @ found[~free]
        )
        outside = free & ((found < low) | (found > high))
        if not outside.any():
            break
        found = np.clip(found, low, high)
        free &= ~outside
    weights, spread = np.zeros(len(COLUMNS)), np.zeros((len(COLUMNS), len(COLUMNS)))
    weights[used] = found
    if covariance:
        spread[np.ix_(used, used)] = np.linalg.inv(normal)
    return Regression(weights, spread)


def named(regression: Regression) -> dict[str, float]:
    """The weights by the name of their column."""
    return dict(zip(COLUMNS, regression.weights.tolist(), strict=True))


def matrix(electrodes: Sequence[Electrode]) -> Array:
    """``columns`` of electrodes, shape (n, n_columns)."""
    return np.stack([columns(electrode) for electrode in electrodes])
