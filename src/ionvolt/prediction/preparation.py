"""Structures made ready for the question: exchanged and relaxed where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from ionvolt.errors import InputError
from ionvolt.ions import WorkingIon
from ionvolt.physics.exchange import exchanged
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.physics.relaxation import RelaxSettings, relax
from ionvolt.reading import Reading
from ionvolt.structures.crystal import Crystal

RELAXATION = RelaxSettings(fmax=0.1, max_steps=200, timeout=120.0)
"""How a structure is relaxed before it is answered, where that is asked for."""


def made_ready(
    crystal: Crystal, charged: Crystal | None, ion: WorkingIon, relaxed: bool, exchange: bool
) -> tuple[Crystal, Crystal | None]:
    """The structures as they are read: exchanged and relaxed where that was asked for."""
    if exchange:
        if charged is not None:
            raise InputError(
                charged.source, "--charged does not fit --exchange, which makes both ends", "Leave one out"
            )
        crystal = exchanged(crystal, ion)
    if not relaxed and not exchange:
        return crystal, charged
    return _relaxed(crystal), None if charged is None else _relaxed(charged)


def _relaxed(crystal: Crystal) -> Crystal:
    found = relax(crystal, load_chgnet(), RELAXATION)
    if not found.converged:
        words = (
            f"its relaxation did not converge (stopped by {found.stopped_by} after {found.steps} steps, "
            f"{found.max_force:.2f} eV/Å left)"
        )
        return replace(found.crystal, warnings=(*found.crystal.warnings, words))
    return found.crystal


def with_shared_host(reading: Reading, hosts: dict[tuple[object, ...], Crystal]) -> Reading:
    """The same with one object for hosts that are alike, so that what belongs to a host alone is computed once."""
    if not reading.removed:
        return reading
    host = hosts.setdefault((id(reading.crystal), *reading.removed.items()), reading.query.host)
    return replace(reading, query=replace(reading.query, host=host))
