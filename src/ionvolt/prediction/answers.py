"""What becomes of a model's answer: checked, widened, with capacity, energy and the measured voltage expected."""

from __future__ import annotations

from ionvolt.errors import InputError
from ionvolt.models.interface import Estimate
from ionvolt.models.measured import MeasuredEstimate, expected_measured
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL
from ionvolt.prediction.capacity import theoretical_capacity
from ionvolt.prediction.record import Prediction
from ionvolt.prediction.unrelaxed import States, relaxation_doubts, strains, widened, widened_measured
from ionvolt.reading import Reading

POSSIBLE = (-3.0, 7.0)
"""V: no electrode lies beyond; a structure that leads there is not what it seems."""


def prediction_of(reading: Reading, answer: Estimate, states: States | None) -> Prediction:
    """A model's answer as people get it; ``states`` is None where nobody asks whether the structures are relaxed.

    Raises:
        InputError: No electrode has such a voltage.
    """
    crystal, ion, query = reading.crystal, reading.ion, reading.query
    low, high = POSSIBLE
    if not low <= answer.voltage <= high:
        raise InputError(
            crystal.source,
            f"the model gives {answer.voltage:.4g} V, beyond what any electrode shows ({low:g} to {high:g} V)",
            "Check cell and coordinates, or relax the structure first (--relax, or ionvolt compute)",
        )
    doubts, notes = reading.doubts, list(reading.notes)
    measured = _expected(reading, answer)
    if answer.in_domain is not None and states is not None:
        given = [crystal] + ([query.host] if query.end_members == "both" else [])
        doubts += relaxation_doubts(given, states)
        strained = strains(given, states)
        answer, words = widened(answer, strained, query.end_members)
        measured = widened_measured(measured, strained, query.end_members)
        notes += words
    capacity, volume, estimate = theoretical_capacity(reading)
    full = None if reading.partly else answer.full_extraction
    part = answer.of_a_part and not reading.partly
    if full is not None and part:
        notes.append(
            f"full extraction is unlikely (probability {100 * full:.0f} %): the voltage is that of the part of the "
            f"{ion.symbol} that comes out, so no energy is given. --charged-formula says how much does"
        )
    energy = None if capacity is None or part else capacity * answer.voltage
    return Prediction(
        source=crystal.source,
        formula=crystal.formula,
        working_ion=ion.symbol,
        voltage=answer.voltage,
        voltage_std=answer.std,
        model=answer.model,
        end_members=query.end_members,
        capacity_grav=capacity,
        energy_grav=energy,
        warnings=tuple(dict.fromkeys([*crystal.warnings, *doubts, *answer.reasons, *notes])),
        voltage_lower=answer.lower,
        voltage_upper=answer.upper,
        epistemic_std=answer.epistemic_std,
        in_domain=False if doubts else answer.in_domain,
        voltage_potential=answer.physics,
        host_formula=query.host.formula,
        removed=reading.removed,
        capacity_vol=volume,
        energy_vol=None if volume is None or energy is None else volume * answer.voltage,
        capacity_is_estimate=estimate,
        full_extraction=full,
        voltage_measured=measured.voltage if measured else None,
        voltage_measured_lower=measured.lower if measured else None,
        voltage_measured_upper=measured.upper if measured else None,
        measured_basis=measured.basis_in_words if measured else "",
    )


def _expected(reading: Reading, answer: Estimate) -> MeasuredEstimate | None:
    """What a cell is expected to show, where the answer is one of those that were held against measured voltages."""
    query = reading.query
    if answer.model != (FOUNDATION_MODEL if query.discharged is None else DELTA_MODEL):
        return None
    if query.end_members == "both" and answer.physics is not None:  # two energies need no learned correction
        return expected_measured(query.ion, query.host, answer.physics)
    return expected_measured(
        query.ion, query.host, answer.voltage, end_members=query.end_members, calculated_std=answer.std or 0.0
    )
