"""Computed voltages of crystals in which only sites of the working ion are partly filled."""

from __future__ import annotations

from dataclasses import replace

from ionvolt.computation.checked import compute_checked
from ionvolt.computation.computer import Computer
from ionvolt.computation.result import VoltageResult
from ionvolt.ions import WorkingIon
from ionvolt.ordering.hosts import host_of
from ionvolt.structures.disorder import DisorderError
from ionvolt.typing import LogCallback, no_log


def compute_partly_filled(
    error: DisorderError, ion: WorkingIon, computer: Computer, *, profile: bool = False, log: LogCallback = no_log
) -> VoltageResult:
    """``compute`` for a crystal that was refused as disordered, where only sites of the working ion are partly filled.

    It is emptied, and as many ions as the sites hold are put in, rounded to whole ones (``ordering.host_of``).

    Raises:
        DisorderError: Other sites are disordered, too.
    """
    filled = host_of(error.crystal, ion)
    if filled is None:
        raise error
    n_ions = max(1, round(filled.n_ions))
    note = (
        f"{ion.symbol} fills {filled.n_ions:.3g} of {filled.n_sites} sites of a cell: it was taken out, and {n_ions} "
        "were put where their energy is lowest"
    )
    again = replace(computer, options=replace(computer.options, insert=n_ions))
    found = compute_checked(filled.host, None, ion, again, profile=profile, log=log)
    return replace(found, source=error.crystal.source, warnings=(*found.warnings, note))
