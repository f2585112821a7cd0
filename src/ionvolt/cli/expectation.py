"""What a cell is expected to show, in tables and lines of the command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ionvolt.models.measured.estimate import Expected

HEADING = "in a cell\n(V)"
MARK = "*"


def cell_text(result: Expected) -> str:
    """``3.45 ± 0.36``: the expected voltage and half of its 90 % interval; a mark where the calculated one stands."""
    if result.voltage_measured is None:
        return ""
    half = (result.voltage_measured_upper or 0.0) - result.voltage_measured
    return f"{result.voltage_measured:.2f} ± {half:.2f}{'' if result.measured_basis == 'corrected' else MARK}"


def footnotes(results: Sequence[Expected]) -> list[str]:
    """What the column means, once, and why voltages in it are the calculated ones."""
    if all(result.voltage_measured is None for result in results):
        return []
    lines = ["in a cell: the voltage that a measurement is expected to show, ± half of its 90 % interval"]
    bases = dict.fromkeys(result.measured_basis.partition(": ")[2] for result in results)
    lines += [f"{MARK} as calculated, {reason}" for reason in bases if reason]
    return lines
