"""What held-out answers say of a model: errors, coverage, domain, for all ions and each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ionvolt.evaluation.metrics import Metrics, metrics
from ionvolt.models.card import Record
from ionvolt.models.mlip.delta_network import IONS
from ionvolt.recipes.cards import rounded
from ionvolt.recipes.mlip.calibration import HeldOut, cross_fitted_beyond, cross_fitted_widths
from ionvolt.structures.chemistry import ANIONS
from ionvolt.structures.crystal import SYMBOLS
from ionvolt.typing import Array, Mask

CHEMISTRIES_FROM = 20
"""Rows of a chemistry from which on its error is told."""


WORST = 0.08
"""Share of the rows whose errors are the largest: with both ends given they hold half of the summed error."""


@dataclass(frozen=True)
class Errors:
    """Errors of some rows; voltages in V.

    Attributes:
        rows: Number of rows.
        metrics: Errors and their intervals over frameworks.
        coverage: Share of rows whose 90 % interval holds the label.
        mean_width: Mean width of these intervals.
        physics: Mean absolute error of the potential's energies alone.
        n_beyond: Rows out of the domain.
        mae_within: Mean absolute error in the domain; None where no row, or all of them, lie beyond.
        mae_beyond: Out of it.
    """

    rows: int
    metrics: Metrics
    coverage: float
    mean_width: float
    physics: float | None
    n_beyond: int
    mae_within: float | None
    mae_beyond: float | None

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a card."""
        found: dict[str, Any] = {"n": self.rows}
        found |= {name: rounded(value) for name, value in asdict(self.metrics).items() if name != "n"}
        found |= {"coverage_90": rounded(self.coverage), "mean_width": rounded(self.mean_width)}
        if self.physics is not None:
            found["mae_physics"] = rounded(self.physics)
        if self.mae_within is not None and self.mae_beyond is not None:
            found["out_of_domain"] = self.n_beyond
            found["mae_in_domain"] = rounded(self.mae_within)
            found["mae_out_of_domain"] = rounded(self.mae_beyond)
        return found


@dataclass(frozen=True)
class HeldOutReport:
    """One test of a model.

    Attributes:
        everything: Errors of all rows.
        ions: Errors by ion, those that have rows.
        share_of_half: Share of the rows, those with the largest errors, that hold half of the summed error.
        worst_told: Of the rows with the widest intervals, so many that half of the ``WORST`` are among them, the share
            that is.
        by_distance: Mean distance and mean absolute error (V) of tenths of the rows, nearest first.
        by_anion: Rows and mean absolute error (V), by the anions of the framework.
    """

    everything: Errors
    ions: dict[str, Errors]
    share_of_half: float
    worst_told: float
    by_distance: list[tuple[float, float]]
    by_anion: dict[str, tuple[int, float]]

    def records(self, test: str) -> list[Record]:
        """As they stand in a card: all rows, each ion, tenths by distance, and anions."""
        more = {
            "share_of_rows_with_half_of_the_error": rounded(self.share_of_half),
            "precision_for_half_of_the_worst": rounded(self.worst_told),
        }
        found = [Record(test, values=self.everything.to_dict() | more)]
        found += [Record(test, ion, values=errors.to_dict()) for ion, errors in self.ions.items()]
        tenths = len(self.by_distance)
        found += [
            Record(test, subset=f"distance {i}/{tenths}", values={"distance": round(d, 3), "mae": round(e, 3)})
            for i, (d, e) in enumerate(self.by_distance, start=1)
        ]
        return found + [
            Record(test, subset=f"anion {label}", values={"n": n, "mae": round(mae, 3)})
            for label, (n, mae) in self.by_anion.items()
        ]


def report_on(held: HeldOut) -> HeldOutReport:
    """What held-out answers say."""
    widths = cross_fitted_widths(held)
    beyond = cross_fitted_beyond(held, widths)
    error = np.abs(held.errors)
    largest = np.cumsum(np.sort(error)[::-1])
    nearest_first = np.argsort(held.distance)
    return HeldOutReport(
        everything=errors_of(held, widths, beyond, np.ones(len(error), dtype=bool)),
        ions={
            ion: errors_of(held, widths, beyond, held.ions == number)
            for number, ion in enumerate(IONS)
            if (held.ions == number).any()
        },
        share_of_half=float(np.searchsorted(largest, largest[-1] / 2) / len(error)),
        worst_told=precision_at_half_recall(error, widths),
        by_distance=[
            (float(held.distance[part].mean()), float(error[part].mean()))
            for part in np.array_split(nearest_first, min(10, len(error)))
        ],
        by_anion=by_anion(held, error),
    )


def precision_at_half_recall(error: Array, score: Array) -> float:
    """Among the rows of the highest scores that hold half of the ``WORST`` rows, the share of these.

    Args:
        error: Absolute errors, V, shape (n,).
        score: What tells of large errors beforehand, such as the interval's width, shape (n,).
    """
    worst = error >= np.quantile(error, 1 - WORST)
    found = np.cumsum(worst[np.argsort(-score, kind="stable")])
    n = int(np.searchsorted(found, worst.sum() / 2)) + 1
    return float(found[n - 1] / n)


def errors_of(held: HeldOut, widths: Array, beyond: Mask, own: Mask) -> Errors:
    """Errors of some rows."""
    error = np.abs(held.errors)
    parted = beyond[own].any() and not beyond[own].all()
    return Errors(
        rows=int(own.sum()),
        metrics=metrics(held.target[own], held.voltage[own], held.frameworks[own]),
        coverage=float((error <= widths)[own].mean()),
        mean_width=float(2 * widths[own].mean()),
        physics=None if held.physics is None else float(np.abs(held.physics - held.target)[own].mean()),
        n_beyond=int((beyond & own).sum()),
        mae_within=float(error[own & ~beyond].mean()) if parted else None,
        mae_beyond=float(error[own & beyond].mean()) if parted else None,
    )


def by_anion(held: HeldOut, error: Array) -> dict[str, tuple[int, float]]:
    """Errors by the anions of the framework, so that a reader sees for which chemistries the model fails."""
    labels = np.array([anions_of(str(formula)) for formula in held.frameworks])
    found = {}
    for label in np.unique(labels):
        own = labels == label
        if own.sum() >= CHEMISTRIES_FROM:
            found[str(label)] = (int(own.sum()), float(error[own].mean()))
    return found


def anions_of(formula: str) -> str:
    """The anions of a framework in words: ``O``, ``F+O``, ``polyanion oxide``, ``no anion``."""
    from pymatgen.core.composition import Composition

    elements = {str(e) for e in Composition(formula)}
    if "O" in elements and elements & {"P", "Si", "B", "S", "C", "As"}:
        return "polyanion oxide"
    return "+".join(sorted(elements & {SYMBOLS[number] for number in ANIONS})) or "no anion"
