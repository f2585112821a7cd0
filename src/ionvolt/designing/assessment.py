"""Candidates judged: by a fast model as they are drawn, and by relaxed ends with the corrected potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ionvolt.computation import Computer, VoltageResult, compute_checked
from ionvolt.designing.records import Candidate
from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.models.interface import Predictor
from ionvolt.models.mlip.latent_features import pool_features
from ionvolt.models.registry import shipped_delta
from ionvolt.physics.cache import cached_outputs
from ionvolt.physics.orderings import without_farthest
from ionvolt.prediction import Prediction, predict_each
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import LogCallback

Judge = Callable[[Candidate, WorkingIon, LogCallback], "Relaxed"]
"""Relaxes a candidate and gives its voltage; raises ``InputError`` where that cannot be done."""


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A candidate whose ends were relaxed.

    Attributes:
        voltage: Corrected average voltage, V.
        voltage_lower: Lower end of the 90 % interval, V; None where there is none.
        voltage_upper: Upper end, V.
        voltage_measured: What a cell is expected to show, V; None where it cannot be told.
        model: Which model answered.
        capacity_grav: mAh/g.
        capacity_vol: mAh/cm³.
        energy_grav: Wh/kg.
        energy_vol: Wh/L.
        volume_change: Growth on discharge, as a fraction of the charged volume.
        in_domain: Whether it is like the training electrodes.
        distance: From the nearest training host, divided by the model's limit; None where it cannot be told.
        warnings: Reservations.
        discharged: The relaxed discharged crystal.
        charged: The relaxed charged crystal.
    """

    voltage: float
    voltage_lower: float | None
    voltage_upper: float | None
    voltage_measured: float | None
    model: str
    capacity_grav: float
    capacity_vol: float
    energy_grav: float
    energy_vol: float
    volume_change: float
    in_domain: bool | None
    distance: float | None
    warnings: tuple[str, ...]
    discharged: Crystal
    charged: Crystal


def predicted(found: Sequence[Candidate], ion: WorkingIon, model: Predictor) -> list[Prediction | InputError]:
    """What a fast model says of candidates as they are drawn, in their order."""
    answers: list[Prediction | InputError] = []
    for candidate in found:
        n_ions = candidate.crystal.composition[ion.symbol]
        part = None if candidate.out == n_ions else repr(candidate.out / n_ions)
        answers += predict_each(
            [candidate.crystal], [ion.symbol], model=model, charged_formula=part, check_relaxation=False
        )
    return answers


def relaxing(computer: Computer) -> Judge:
    """A judge that computes: both ends relaxed, the Δ-model's correction and interval (``ionvolt compute``)."""

    def judge(candidate: Candidate, ion: WorkingIon, log: LogCallback) -> Relaxed:
        crystal = candidate.crystal
        charged = None
        if candidate.out < crystal.composition[ion.symbol]:
            charged = without_farthest(crystal, ion.number, candidate.out)
            charged = replace(charged, source=f"{crystal.source} charged")
        result = compute_checked(crystal, charged, ion, computer, log=log)
        return _relaxed(result, _distance(result.charged, computer))

    return judge


def _relaxed(result: VoltageResult, distance: float | None) -> Relaxed:
    return Relaxed(
        voltage=result.voltage,
        voltage_lower=result.voltage_lower,
        voltage_upper=result.voltage_upper,
        voltage_measured=result.voltage_measured,
        model=result.model,
        capacity_grav=result.capacity_grav,
        capacity_vol=result.capacity_vol,
        energy_grav=result.voltage * result.capacity_grav,  # as of predicted ones, where some ions may stay in, too
        energy_vol=result.voltage * result.capacity_vol,
        volume_change=result.volume_change,
        in_domain=result.in_domain,
        distance=distance,
        warnings=result.warnings,
        discharged=result.discharged,
        charged=result.charged,
    )


def _distance(charged: Crystal, computer: Computer) -> float | None:
    """How far a relaxed host is from the Δ-model's training hosts, in units of its limit."""
    model = shipped_delta()
    if model is None:
        return None
    domain = model.correctors["both"].domain
    (output,) = cached_outputs([charged], computer.potentials.energy_model, computer.cache)
    return float(domain.distances([pool_features(output, charged)])[0]) / domain.distance_limit
