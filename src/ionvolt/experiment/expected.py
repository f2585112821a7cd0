"""Fit of the expected voltages on measured electrodes, and what it says of those that it has not seen.

``calculated.csv`` holds the calculated voltages of the table's rows, so that nothing has to be relaxed again.
Everything that is chosen is chosen without the framework that it is judged on: the charged formula less the working ion
and the alkali metals, so that polymorphs and ions of one host stand on one side.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import framework_of
from ionvolt.experiment.cathodes import Cathode, all_cathodes
from ionvolt.experiment.estimates import Estimate
from ionvolt.models.interface import NORMAL_90
from ionvolt.models.measured.chemistry import Anion, ElectrodeChemistry
from ionvolt.models.measured.estimate import MeasuredEstimate, MeasuredModel, Way
from ionvolt.models.measured.regression import COLUMNS, Electrode, Penalty, Regression, fit, matrix
from ionvolt.typing import Array

LEVEL = 0.9
"""Share of measurements that an interval is to hold."""

STRENGTHS = (
    Penalty(share=0.5, offset=0.1, metal=0.05, pair=0.0),
    Penalty(share=0.5, offset=0.1, metal=0.1, pair=0.05),
    Penalty(share=0.5, offset=0.1, metal=0.1, pair=0.1),
    Penalty(share=0.5, offset=0.1, metal=0.05, pair=0.2),
    Penalty(share=1.0, offset=0.2, metal=0.2, pair=0.2),
    Penalty(share=1.0, offset=0.2, metal=0.1, pair=0.3),
    Penalty(share=1.0, offset=0.4, metal=0.3, pair=0.3),
)
"""Strengths of the priors that are averaged: one choice among them would hang on single electrodes."""

CANDIDATES: dict[str, tuple[Penalty, ...]] = {
    "as calculated": (),
    "functionals": (Penalty(share=0.5, offset=0.05, metal=0.0, pair=0.0),),
    "functionals and classes": STRENGTHS,
    "functionals, classes and open oxides": tuple(replace(penalty, open_oxide=0.3) for penalty in STRENGTHS),
}
"""What the nested choice is made from: the mean of the fits with these priors; without any the calculated voltage."""

UNCERTAIN_SLOPE = 0.1
"""Standard deviation of the slope's prior where the calculated voltage is a prediction with errors of its own: high
predictions are then too high more often than not, and low ones too low."""

CALCULATED = "calculated"
"""Name of the calculated voltages among the estimates of ``ionvolt validate``."""

EXPECTED: dict[Way, tuple[str, str]] = {
    "ends with r2SCAN": ("expected", "both"),
    "discharged": ("expected-discharged", "discharged"),
    "host": ("expected-host", "charged"),
}
"""Names of what a cell is expected to show, by leave-one-framework-out, and what it rests on."""

PER_GAP = (0.0, 0.2, 0.4)
"""V of scatter for each volt of gap, from which the narrowest intervals are chosen."""


@dataclass(frozen=True)
class MeasuredPoint:
    """A measured electrode with its calculated voltage.

    Attributes:
        cathode: The row of the table.
        part: Whether it is that of the part of the range that was measured, where the others are of the whole range.
        electrode: Class, calculated voltage and gap.
        framework: The host's framework.
    """

    cathode: Cathode
    part: bool
    electrode: Electrode
    framework: str

    @property
    def correction(self) -> float:
        """Measured less calculated voltage, V."""
        assert self.cathode.voltage is not None
        return self.cathode.voltage - self.electrode.calculated


@dataclass(frozen=True)
class HeldOut:
    """What models that have not seen an electrode's framework say of it.

    Attributes:
        point: The electrode.
        estimate: Its expected voltage.
        chosen: Name of the candidate that was chosen without it.
    """

    point: MeasuredPoint
    estimate: MeasuredEstimate
    chosen: str


@cache
def points(way: Way = "ends with r2SCAN") -> tuple[MeasuredPoint, ...]:
    """The package's electrodes that were calculated in this way, in the order of the table."""
    return read_points(
        (files("ionvolt.experiment") / "calculated.csv").read_text(encoding="utf-8"), all_cathodes(), way
    )


def read_points(calculated: str, cathodes: Sequence[Cathode], way: Way) -> tuple[MeasuredPoint, ...]:
    """The electrodes that were calculated in a way.

    Args:
        calculated: CSV with the columns of ``calculated.csv``; ``cathode`` is the name of a cathode.
        cathodes: The measured electrodes.
        way: Which; rows whose column is empty are left out.
    """
    by_name = {cathode.name: cathode for cathode in cathodes}
    column = way if way in ("discharged", "host") else "calculated"
    return tuple(
        MeasuredPoint(
            cathode=(cathode := by_name[row["cathode"]]),
            part=row["range"] == "measured",
            electrode=Electrode(
                _chemistry(row),
                float(row[column]),
                float(row["gap"]) if way == "ends with r2SCAN" else None,
                float(row.get(f"{column}_std") or 0.0),
            ),
            framework=framework_of(cathode.host, cathode.ion),
        )
        for row in csv.DictReader(calculated.splitlines())
        if row[column]
    )


def training_points(way: Way = "ends with r2SCAN", *, recalled: bool = True) -> list[MeasuredPoint]:
    """The package's points that train; without ``recalled`` only those whose voltage is more than a memory."""
    return that_train(points(way), recalled=recalled)


def that_train(found: Sequence[MeasuredPoint], *, recalled: bool = True) -> list[MeasuredPoint]:
    """Those of the points that train; without ``recalled`` only those whose voltage is more than a memory."""
    return [p for p in found if p.cathode.trains and (recalled or p.cathode.checked != "recalled")]


def fit_measured(training: Sequence[MeasuredPoint]) -> tuple[MeasuredModel, str]:
    """The model of these points, and the name of the candidate that leave-one-framework-out chose for it."""
    chosen, residuals, uncertainty = _choose(training)
    per_gap, noise, quantile = _intervals(training, residuals, uncertainty)
    raw = np.array([abs(p.correction) for p in training])
    model = MeasuredModel(
        regression=_fit(*_arrays(training)[:3], _candidates(training)[chosen]),
        metals=_counts(training, [p.electrode.chemistry.centres for p in training]),
        anions=_counts(training, [{p.electrode.chemistry.anion: 1.0} for p in training]),
        ions=_counts(training, [{p.cathode.ion: 1.0} for p in training]),
        calculated=_range([p.electrode.calculated for p in training]),
        gaps=_range([p.electrode.gap or 0.0 for p in training]),
        noise=noise,
        per_gap=per_gap,
        quantile=quantile,
        far=_conformal(raw),
    )
    return model, chosen


def leave_one_framework_out(
    judged: Sequence[MeasuredPoint], training: Sequence[MeasuredPoint] | None = None
) -> list[HeldOut]:
    """Every electrode by a model that was chosen, fitted and calibrated without its framework.

    Args:
        judged: The electrodes, in the order of the answer.
        training: What is learned from; by default the judged ones.
    """
    training = judged if training is None else training
    models: dict[str, tuple[MeasuredModel, str]] = {}
    for framework in dict.fromkeys(point.framework for point in judged):
        models[framework] = fit_measured([p for p in training if p.framework != framework])
    found = []
    for point in judged:
        model, chosen = models[point.framework]
        found.append(HeldOut(point, model.estimate(point.electrode), chosen))
    return found


def expected_estimates(cathodes: Sequence[Cathode]) -> list[Estimate]:
    """What was calculated of these cathodes, and what cells with them are expected to show: for ``ionvolt validate``.

    No model that answers has seen the cathode's framework, nor any row that was kept back.
    """
    wanted = {cathode.name for cathode in cathodes}
    found = [
        Estimate(CALCULATED, p.cathode.name, p.electrode.calculated, state="both", note="calculated.csv")
        for p in points()
        if not p.part and p.cathode.name in wanted
    ]
    for way, (name, state) in EXPECTED.items():
        judged = [p for p in points(way) if not p.part and p.cathode.name in wanted]
        for held in leave_one_framework_out(judged, training_points(way)):
            e = held.estimate
            std = (e.upper - e.lower) / 2 / NORMAL_90
            found.append(
                Estimate(
                    name,
                    held.point.cathode.name,
                    e.voltage,
                    std,
                    seen=False,
                    state=state,
                    note="; ".join(e.reasons),
                    lower=e.lower,
                    upper=e.upper,
                )
            )
    return found


def _choose(training: Sequence[MeasuredPoint]) -> tuple[str, Array, Array]:
    """The candidate of least mean absolute error by leave-one-framework-out, its errors and uncertainties, V."""
    candidates = _candidates(training)
    found = {name: _left_out(training, penalty) for name, penalty in candidates.items()}
    best = min(found, key=lambda name: float(np.abs(found[name][0]).mean()))
    return best, *_left_out(training, candidates[best], uncertain=True)


def _candidates(training: Sequence[MeasuredPoint]) -> dict[str, tuple[Penalty, ...]]:
    """``CANDIDATES`` for these points: with a freer slope where what is corrected is a prediction."""
    if not any(point.electrode.std > 0 for point in training):
        return CANDIDATES
    return {
        name: tuple(replace(penalty, slope=UNCERTAIN_SLOPE) for penalty in penalties)
        for name, penalties in CANDIDATES.items()
    }


def _left_out(
    training: Sequence[MeasuredPoint], penalties: Sequence[Penalty], *, uncertain: bool = False
) -> tuple[Array, Array]:
    """Errors and uncertainties (zeros unless wished) of a candidate by leave-one-framework-out, V."""
    rows, wanted, sigma, frameworks = _arrays(training)
    predicted, uncertainty = np.zeros(len(wanted)), np.zeros(len(wanted))
    for out in (frameworks == framework for framework in np.unique(frameworks)):
        regression = _fit(rows[~out], wanted[~out], sigma[~out], penalties, covariance=uncertain)
        predicted[out] = regression.correction(rows[out])
        uncertainty[out] = regression.uncertainty(rows[out])
    return wanted - predicted, uncertainty


def _intervals(training: Sequence[MeasuredPoint], residuals: Array, uncertainty: Array) -> tuple[float, float, float]:
    """Scatter for each volt of gap, scatter, and half width in scatters: those that make the narrowest intervals."""
    gaps = np.array([p.electrode.gap or 0.0 for p in training])
    stds = np.array([p.electrode.std for p in training])
    noise = float(np.sqrt(np.mean(residuals**2)))
    best: tuple[float, float, float] | None = None
    for per_gap in PER_GAP:
        scatter = np.sqrt(noise**2 + (per_gap * gaps) ** 2 + stds**2 + uncertainty**2)
        quantile = _conformal(np.abs(residuals) / scatter)
        width = float(quantile * scatter.mean())
        if best is None or width < best[0]:
            best = width, per_gap, quantile
    assert best is not None
    return best[1], noise, best[2]


def _conformal(values: Array) -> float:
    """The quantile of split conformal prediction: the ⌈(n + 1) level⌉-th smallest."""
    rank = min(len(values), int(np.ceil((len(values) + 1) * LEVEL)))
    return float(np.sort(values)[rank - 1])


def _fit(
    rows: Array, wanted: Array, sigma: Array, penalties: Sequence[Penalty], *, covariance: bool = True
) -> Regression:
    """The mean of the fits with these priors; nothing is corrected without any."""
    n = len(COLUMNS)
    fits = [fit(rows, wanted, sigma, penalty, covariance=covariance) for penalty in penalties]
    if not fits:
        return Regression(np.zeros(n), np.zeros((n, n)))
    weights = np.mean([one.weights for one in fits], axis=0)
    return Regression(weights, np.mean([one.covariance for one in fits], axis=0))


def _arrays(training: Sequence[MeasuredPoint]) -> tuple[Array, Array, Array, NDArray[np.str_]]:
    rows = matrix([p.electrode for p in training])
    wanted = np.array([p.correction for p in training])
    sigma = np.array([p.cathode.uncertainty for p in training], dtype=np.float64)
    return rows, wanted, sigma, np.array([p.framework for p in training])


def _counts(training: Sequence[MeasuredPoint], shares: Sequence[dict[str, float]]) -> dict[str, float]:
    """Electrodes of each name, those over a part of the range not counted again."""
    found: dict[str, float] = {}
    for point, by_name in zip(training, shares, strict=True):
        for name, share in by_name.items():
            found[name] = found.get(name, 0.0) + share * (not point.part)
    return found


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _chemistry(row: dict[str, str]) -> ElectrodeChemistry:
    centres = [text.partition(":") for text in row["centres"].split()]
    return ElectrodeChemistry(
        ion=row["cathode"].split()[0],
        charge=int(row["charge"]),
        anion=cast("Anion", row["anion"]),
        centres={metal: float(share) for metal, _, share in centres},
        hubbard=float(row["hubbard"]),
        layered=row["layered"] == "yes",
        fully_extracted=row["fully_extracted"] == "yes",
    )
