"""Designed electrodes as a figure, in the one look of all figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ionvolt.designing.records import Design, DesignResult
from ionvolt.explain.figures import ACCENT, HIGH, SOFT, canvas, label_bar, spread_labels, styled, voltage_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELLED = 14
"""Electrodes whose formulas are written beside them."""


@styled
def draw_designs(*, result: DesignResult) -> Figure:
    """Voltage against capacity, coloured by specific energy; rings mark the first front, squares the hosts."""
    figure, axes = canvas(1, 1, width=8.0, height=5.2)
    designs = result.designs
    energies = np.array([one.energy_grav for one in designs])
    colours, norm = voltage_scale(float(energies.min()), float(energies.max()) + 1e-6)
    if result.settings.voltage is not None:
        low, high = result.settings.voltage
        shown = [one.voltage for one in designs]
        axes.axhspan(max(low, min(shown) - 1), min(high, max(shown) + 1), color=ACCENT, alpha=0.08, lw=0)
    for one in designs:
        relaxed = one.stage == "relaxed"
        if relaxed and one.voltage_lower is not None and one.voltage_upper is not None:
            axes.plot([one.capacity_grav] * 2, [one.voltage_lower, one.voltage_upper], color=SOFT, lw=0.8, zorder=1)
        axes.scatter(
            one.capacity_grav,
            one.voltage,
            s=52 if relaxed else 16,
            marker="o" if one.substitutions else "s",
            color=[colours(norm(one.energy_grav))],
            edgecolor=HIGH if relaxed and one.front == 1 and not one.missed else SOFT,
            linewidth=1.4 if relaxed and one.front == 1 and not one.missed else 0.4,
            alpha=1.0 if relaxed else 0.7,
            zorder=3 if relaxed else 2,
        )
    axes.set(
        xlabel="specific capacity (mAh/g)",
        ylabel=f"voltage against {result.working_ion} (V)",
        title=f"{len(designs)} electrodes from {_named(result.parents)}: large, relaxed; small, predicted",
    )
    label_bar(figure, axes, colours, norm, "specific energy (Wh/kg)", limits=(energies.min(), energies.max()))
    spread_labels(axes, [_label(one) for one in designs[:LABELLED]])
    return figure


def _label(one: Design) -> tuple[float, float, str]:
    return one.capacity_grav, one.voltage, one.formula


def _named(parents: tuple[str, ...]) -> str:
    return parents[0].rsplit("/", 1)[-1][:40] if len(parents) == 1 else f"{len(parents)} hosts"
