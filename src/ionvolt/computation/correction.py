"""The voltage of potentials corrected: when the Δ-model comes along, what doubts do to it, what a cell will show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ionvolt.ions import EndMembers
from ionvolt.physics.average import AverageVoltage
from ionvolt.physics.cache import Cache
from ionvolt.physics.potentials.chgnet import VERSIONS
from ionvolt.physics.potentials.sevennet import VERSION
from ionvolt.prediction import States, relaxation_doubts, strains, widened, widened_measured
from ionvolt.reading import doubts_about
from ionvolt.structures.crystal import Crystal

if TYPE_CHECKING:
    from ionvolt.models.interface import Estimate
    from ionvolt.models.measured import MeasuredEstimate

PARTLY = (
    "full extraction is unlikely (probability {:.0f} %): the voltage is that of the part of the ions that comes out, "
    "learned from hosts that were relaxed for a few steps, so no energy is given; voltage_potential is that of all"
)

CORRECTED = frozenset({VERSION, *VERSIONS})
"""Potentials for which the Δ-model answers: CHGNet relaxes, as it did for the model's training."""

UNCORRECTED = (
    f"the voltage is that of the potential alone, without an interval: the correction was learned for {VERSION}, on "
    "structures that CHGNet relaxes"
)


def corrected(
    average: AverageVoltage, discharged: Crystal | None, given: EndMembers
) -> tuple[Estimate | None, tuple[str, ...]]:
    """The corrected voltage of a computed electrode, and reservations.

    Args:
        average: What the potentials said.
        discharged: The discharged structure as it was given; None where it was made.
        given: Which end members were given.

    Returns:
        The Δ-model's answer, None where the model does not come along, and notes on it.
    """
    from ionvolt.models.interface import Query
    from ionvolt.models.registry import shipped_delta

    if average.potential not in CORRECTED:
        return None, (UNCORRECTED,)
    model = shipped_delta()
    if model is None:
        return None, ()
    if given == "both":
        return model.estimate_computed(average), ()
    if discharged is None:
        return model.estimate_computed(average, "inserted"), ()
    partly, probability = model.estimate_partly(discharged, average.ion.symbol)
    if partly is not None:
        return partly, (PARTLY.format(100 * probability),)
    if average.converged is None:  # nothing was relaxed: the answer is that of predict
        return model.estimate([Query(average.ion.symbol, average.charged, "discharged", average.discharged)])[0], ()
    return model.estimate_computed(average, "relaxed"), ()


def judged(
    answer: Estimate | None, measured: MeasuredEstimate | None, average: AverageVoltage, given: EndMembers
) -> tuple[Estimate | None, MeasuredEstimate | None, tuple[str, ...]]:
    """An answer as the structures behind it allow: wider where they are strained, out of the domain where in doubt.

    Returns:
        The answer, what a cell is expected to show, and doubts and notes.
    """
    relaxed = average.converged is not None
    doubts = doubts_about(average.discharged, average.charged, average.ion, relaxed=relaxed)
    notes: tuple[str, ...] = ()
    if not relaxed:
        ends = [average.discharged, *([average.charged] if given == "both" else [])]
        states: States = {}
        doubts += relaxation_doubts(ends, states)
        strained = strains(ends, states)
        measured = widened_measured(measured, strained, given)
        if answer is not None:
            answer, notes = widened(answer, strained, given)
    if answer is not None and doubts:
        answer = replace(answer, in_domain=False)
    return answer, measured, (*doubts, *notes)


def expected(
    average: AverageVoltage, given: EndMembers, cache: Cache, answer: Estimate | None = None
) -> MeasuredEstimate | None:
    """What a cell is expected to show.

    Args:
        average: What the potentials said. Ends that are relaxed, or both given, are asked of r2SCAN, too.
        given: Which end members were given.
        cache: Where the potential's answers are remembered.
        answer: The corrected voltage: it counts where the host is the discharged structure less its ions, unrelaxed,
            and where a part of the ions stays. Its interval counts where ions were put in, how many and where being
            a guess: no such ends were held against measured voltages.

    Returns:
        None for ends, or a potential, that were not held against measured voltages.
    """
    from ionvolt.models.measured import expected_measured, functional_gap

    ion = average.ion.symbol
    if average.potential != VERSION:
        return None
    if given != "both" and (average.converged is None or (answer is not None and answer.of_a_part)):
        if answer is None or given != "discharged":
            return None
        return expected_measured(
            ion, average.charged, answer.voltage, end_members="discharged", calculated_std=answer.std or 0.0
        )
    gap = functional_gap(average.discharged, average.charged, ion, cache)
    guessed = 0.0 if answer is None or given != "charged" else answer.std or 0.0
    return expected_measured(ion, average.charged, average.voltage, gap=gap, calculated_std=guessed)
