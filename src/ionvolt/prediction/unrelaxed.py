"""Given structures that are not relaxed: the doubts they raise, and how much wider the intervals are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from ionvolt.errors import InputError
from ionvolt.ions import EndMembers
from ionvolt.models.interface import NORMAL_90, Estimate, widen
from ionvolt.models.measured import MeasuredEstimate
from ionvolt.physics.equilibrium import Equilibrium, added_half_width, equilibrium
from ionvolt.physics.potentials.chgnet import load_chgnet
from ionvolt.structures.crystal import Crystal
from ionvolt.structures.spacegroup import primitive_cell

States: TypeAlias = dict[int, Equilibrium | InputError]
"""What was computed of crystals, by ``id``."""


def relaxation_doubts(crystals: Sequence[Crystal], states: States | None = None) -> tuple[str, ...]:
    """Which of some given structures are far from a minimum of the energy; ``states`` remembers what was computed."""
    found = []
    for crystal in crystals:
        state = _state(crystal, {} if states is None else states)
        if state is not None and not state.relaxed:
            found.append(state.doubt(crystal.formula))
    return tuple(found)


def strains(crystals: Sequence[Crystal], states: States) -> tuple[float, ...]:
    """How near each of some structures is to the limits (``Equilibrium.strain``); 0 where that cannot be computed."""
    found = [_state(crystal, states) for crystal in crystals]
    return tuple(0.0 if state is None else state.strain for state in found)


def _state(crystal: Crystal, states: States) -> Equilibrium | None:
    if id(crystal) not in states:
        try:
            states[id(crystal)] = equilibrium(primitive_cell(crystal), load_chgnet())
        except InputError as error:
            states[id(crystal)] = error
    state = states[id(crystal)]
    return state if isinstance(state, Equilibrium) else None


def widened(answer: Estimate, strained: Sequence[float], given: EndMembers) -> tuple[Estimate, tuple[str, ...]]:
    """An answer whose interval holds what forces and pressure of the given structures add, and a note on it."""
    extra = added_half_width(strained, given)
    if answer.lower is None or answer.upper is None or not extra:
        return answer, ()
    lower, upper, note = widen(answer.lower, answer.upper, extra, max(strained))
    wider = replace(answer, lower=lower, upper=upper, std=(upper - lower) / 2 / NORMAL_90)
    return wider, () if note is None else (note,)


def widened_measured(
    expected: MeasuredEstimate | None, strained: Sequence[float], given: EndMembers
) -> MeasuredEstimate | None:
    """What a cell is expected to show, its interval wider by as much as that of the calculated voltage."""
    extra = added_half_width(strained, given)
    if expected is None or not extra:
        return expected
    lower, upper, _ = widen(expected.lower, expected.upper, extra, max(strained))
    return replace(expected, lower=lower, upper=upper)
