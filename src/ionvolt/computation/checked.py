"""Computed voltages of crystals that were read and checked already."""

from __future__ import annotations

from dataclasses import replace

from ionvolt.computation.computer import Computer
from ionvolt.computation.correction import corrected, expected, judged
from ionvolt.computation.profile import profile_of
from ionvolt.computation.result import VoltageResult, result_of
from ionvolt.ions import EndMembers, WorkingIon, end_member
from ionvolt.physics.average import compute as average_of
from ionvolt.reading import deleted, made_by_removal
from ionvolt.structures.crystal import Crystal
from ionvolt.typing import LogCallback, no_log


def compute_checked(
    structure: Crystal,
    charged: Crystal | None,
    ion: WorkingIon,
    computer: Computer,
    *,
    profile: bool = False,
    log: LogCallback = no_log,
) -> VoltageResult:
    """``compute`` for crystals that were read and checked already."""
    options = computer.options
    holds = end_member(structure, ion)
    discharged: Crystal | None = structure
    if charged is None and (holds == "charged" or options.insert is not None):
        discharged, charged = None, structure
    reservations: tuple[str, ...] = ()
    if discharged and charged and options.relax is None and made_by_removal(discharged, charged, ion):
        reservations = (f"{deleted(discharged, charged, ion)}: both were relaxed",)
        options = replace(options, relax=True)
        charged = charged if ion.symbol in charged.composition else None
    given: EndMembers = "charged" if discharged is None else "discharged" if charged is None else "both"
    average = average_of(discharged, charged, ion, computer.potentials, computer.cache, options, log)
    found = profile_of(average, discharged, replace(computer, options=options), log) if profile else None
    answer, notes = corrected(average, discharged, given)
    measured = expected(average, given, computer.cache, answer)
    answer, measured, doubts = judged(answer, measured, average, given)
    notes = (*reservations, *doubts, *notes)
    return result_of(structure.source, average, given, answer, notes, found, measured)
