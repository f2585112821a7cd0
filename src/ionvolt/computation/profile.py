"""The voltage against filling, with intervals and what a cell is expected to show."""

from __future__ import annotations

from dataclasses import replace

from ionvolt.computation.computer import Computer
from ionvolt.ions import WorkingIon
from ionvolt.physics.average import AverageVoltage
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.physics.profile import Profile, Step, step_half_width, voltage_profile
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import LogCallback


def profile_of(average: AverageVoltage, discharged: Crystal | None, computer: Computer, log: LogCallback) -> Profile:
    """The profile of an electrode whose average voltage was computed.

    Args:
        average: What the potentials said.
        discharged: The discharged structure as it was given; None where it was made.
        computer: What the average was computed with.
        log: Called with words on what begins.
    """
    log("extracting step by step")
    ion = average.ion
    settings = None if computer.options.relax is False else computer.options.settings
    start = average.discharged if discharged is None else discharged
    found = voltage_profile(start, ion, computer.potentials, settings, computer.cache)
    if settings is None or average.potential != VERSION:
        return found
    return replace(found, steps=tuple(_judged_step(step, ion, computer.cache) for step in found.steps))


def _judged_step(step: Step, ion: WorkingIon, cache: Cache) -> Step:
    """A step with its interval and what a cell is expected to show; relaxed ends, so both functionals are asked.

    Whole ranges were held against measured voltages, not steps: a step is as unsure in a cell as its calculated voltage
    is beside that.
    """
    from ionvolt.models.interface import NORMAL_90
    from ionvolt.models.measured import expected_measured, functional_gap

    assert step.discharged is not None
    assert step.charged is not None
    gap = functional_gap(step.discharged, step.charged, ion.symbol, cache)
    half = step_half_width(step, ion)
    measured = expected_measured(ion.symbol, step.charged, step.voltage, gap=gap, calculated_std=half / NORMAL_90)
    return replace(
        step,
        voltage_lower=step.voltage - half,
        voltage_upper=step.voltage + half,
        voltage_measured=measured.voltage,
        voltage_measured_lower=measured.lower,
        voltage_measured_upper=measured.upper,
        measured_basis=measured.basis_in_words,
    )
