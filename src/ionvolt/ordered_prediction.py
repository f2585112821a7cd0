"""Voltages of disordered crystals: every ordering is predicted, and the answers are weighted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.errors import InputError
from ionvolt.models.interface import NORMAL_90, Predictor
from ionvolt.ordering import Orderings, OrderSettings, order
from ionvolt.physics.cache import Cache
from ionvolt.prediction import Prediction, as_model, predict_checked
from ionvolt.structures import DisorderedCrystal, read_disordered

AVERAGED = (
    "capacity_grav", "capacity_vol", "energy_grav", "energy_vol", "epistemic_std", "voltage_potential",
    "full_extraction",
)  # fmt: skip
"""Fields that are the weighted means of all orderings' own; None where one of these is."""

NEGLIGIBLE = 0.05
"""Share of an ordering below which its being outside the domain does not count."""


@dataclass(frozen=True)
class OrderedPrediction(Prediction):
    """The voltage that a model expects of a disordered electrode: ``Prediction``, averaged over orderings.

    Attributes:
        spread: One standard deviation between orderings, V, the larger one of two: weighted, or all alike. It is part
            of ``voltage_std`` and of the interval.
        temperature: K, at which the orderings were weighted.
        weights: Weights of the orderings that were answered, shape (n,); they add up to 1.
        voltages: Voltage of each of them, V, shape (n,).
    """

    spread: float = 0.0
    temperature: float = 0.0
    weights: tuple[float, ...] = ()
    voltages: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The prediction as plain JSON types."""
        lists = {name: list(getattr(self, name)) for name in ("warnings", "weights", "voltages")}
        return asdict(self) | lists


def predict_disordered(
    structure: DisorderedCrystal | str | os.PathLike[str],
    ions: str | Sequence[str],
    *,
    model: str | Path | Predictor | None = None,
    settings: OrderSettings | None = None,
    cache: Cache | None = None,
    **more: Any,
) -> list[OrderedPrediction]:
    """The voltages of a disordered electrode, one for each ion.

    Args:
        structure: A CIF file, the text of one, or a ``DisorderedCrystal``.
        ions: Symbols of the working ions, or ``"Mg,Ca"``, or ``"all"``.
        model: A shipped model's name, a model's folder or a loaded model; the default is that of ``predict``.
        settings: How it is ordered.
        cache: Where energies and relaxations are remembered; by default nowhere.
        **more: What ``prediction.predict_checked`` takes beside these.

    Raises:
        InputError: It cannot be read, ordered or answered.
        ModelError: The model cannot be used.
    """
    predictor = as_model(model)
    disordered = structure if isinstance(structure, DisorderedCrystal) else read_disordered(structure)
    return predict_orderings(order(disordered, settings, cache=cache), ions, model=predictor, **more)


def predict_orderings(
    orderings: Orderings, ions: str | Sequence[str], *, model: Predictor, **more: Any
) -> list[OrderedPrediction]:
    """The voltages of a disordered electrode, one for each ion.

    Args:
        orderings: From ``ordering.order``.
        ions: Symbols of the working ions, or ``"Mg,Ca"``, or ``"all"``.
        model: A loaded model.
        **more: What ``prediction.predict_checked`` takes beside these.

    Raises:
        InputError: None of the orderings can be answered; the reason is that of the likeliest.
        ModelError: The model does not know an ion.
    """
    answers: list[list[Prediction]] = []
    weights: list[float] = []
    errors: list[InputError] = []
    for one in sorted(orderings.orderings, key=lambda one: -one.weight):
        try:
            answers.append(predict_checked([one.crystal], ions, model=model, **more))
            weights.append(one.weight)
        except InputError as error:
            errors.append(error)
    if not answers:
        raise errors[0]
    left_out = len(errors)
    shares = np.array(weights) / sum(weights)
    return [_combined(list(of_one_ion), shares, orderings, left_out) for of_one_ion in zip(*answers, strict=True)]


def _combined(
    answers: Sequence[Prediction], shares: NDArray[np.float64], orderings: Orderings, left_out: int
) -> OrderedPrediction:
    first = answers[0]
    voltages = np.array([one.voltage for one in answers])
    voltage = float(shares @ voltages)
    spread = ordering_spread(voltages, shares)
    std = half = None
    if all(one.voltage_std is not None for one in answers):
        std = float(np.hypot(_mean([one.voltage_std for one in answers], shares) or 0.0, spread))
    if all(one.voltage_lower is not None for one in answers):
        halves = [(one.voltage_upper or 0.0) - (one.voltage_lower or 0.0) for one in answers]
        half = float(np.hypot(shares @ np.array(halves) / 2, NORMAL_90 * spread))
    measured = _mean([one.voltage_measured for one in answers], shares)
    measured_half = None
    if measured is not None:
        halves = [(one.voltage_measured_upper or 0.0) - (one.voltage_measured_lower or 0.0) for one in answers]
        measured_half = float(np.hypot(shares @ np.array(halves) / 2, NORMAL_90 * spread))
    bases = [one.measured_basis for one, share in zip(answers, shares, strict=True) if share >= NEGLIGIBLE]
    domains = [one.in_domain for one, share in zip(answers, shares, strict=True) if share >= NEGLIGIBLE]
    words = [word for one, share in zip(answers, shares, strict=True) if share >= NEGLIGIBLE for word in one.warnings]
    means = {name: _mean([getattr(one, name) for one in answers], shares) for name in AVERAGED}
    own = {f.name: getattr(first, f.name) for f in fields(Prediction)} | means
    return OrderedPrediction(
        **own
        | {
            "voltage": voltage,
            "voltage_std": std,
            "model": ", ".join(dict.fromkeys(one.model for one in answers)),
            "warnings": tuple(dict.fromkeys([*words, *_warnings_of(orderings, len(answers), left_out, spread)])),
            "voltage_lower": None if half is None else voltage - half,
            "voltage_upper": None if half is None else voltage + half,
            "in_domain": None if None in domains else all(domains),
            "voltage_measured": measured,
            "voltage_measured_lower": None if measured is None or measured_half is None else measured - measured_half,
            "voltage_measured_upper": None if measured is None or measured_half is None else measured + measured_half,
            "measured_basis": "" if measured is None else max(bases, key=len),
        },
        spread=spread,
        temperature=orderings.temperature,
        weights=tuple(shares.tolist()),
        voltages=tuple(voltages.tolist()),
    )


def ordering_spread(voltages: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """One standard deviation between orderings, V.

    The shares hang on energies whose errors, over a supercell, are as large as their differences. That an ordering has
    nearly all of the weight is therefore no reason to leave the others out: the larger one of the weighted deviation
    and that of all alike counts.
    """
    weighted = float(np.sqrt(shares @ (voltages - shares @ voltages) ** 2))
    return max(weighted, float(voltages.std()))


def _mean(values: Sequence[float | None], shares: NDArray[np.float64]) -> float | None:
    known = [value for value in values if value is not None]
    return float(shares @ np.array(known)) if len(known) == len(values) else None


def _warnings_of(orderings: Orderings, answered: int, left_out: int, spread: float) -> list[str]:
    if orderings.was_ordered:
        return []
    many = "all" if orderings.complete else "those found"
    words = [
        f"disordered: the mean of {answered} orderings, which spread by {spread:.2f} V (of {orderings.found} distinct, "
        f"{many}, in {orderings.cells} primitive cells; weighted at {orderings.temperature:.0f} K)"
    ]
    if left_out:
        words.append(f"{left_out} orderings could not be answered and are left out")
    return words
