"""Results as figures of matplotlib, in the one look of IonVolt: a voltage profile, many voltages, a crystal.

Each function gives a ``Figure``, which a notebook shows and ``figure.savefig("x.png")`` writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ionvolt.computation import VoltageResult
from ionvolt.errors import InputError
from ionvolt.explain.explanation import Explanation
from ionvolt.explain.figures import ACCENT, INK, SOFT, canvas, label_bar, styled, voltage_scale
from ionvolt.prediction import Prediction
from ionvolt.structures.bonding import covalent_radii
from ionvolt.structures.crystal import ATOMIC_NUMBERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 40
"""Voltages in one figure."""
TURNED = np.radians(20.0), np.radians(12.0)
"""By how much a crystal is turned about the vertical and tilted towards the reader."""


@styled
def plot_profile(result: VoltageResult) -> Figure:
    """Voltage against filling, charged to discharged, with the average and its interval.

    Args:
        result: Of ``compute(..., profile=True)``. The steps are the potential's; the average is the corrected one.

    Raises:
        InputError: The profile was not computed.
    """
    if result.profile is None:
        raise InputError(
            result.source, "its voltage profile was not computed", "Ask for it: compute(..., profile=True)"
        )
    figure, axes = canvas(width=5.4, height=3.6)
    steps = result.profile.steps
    filling = [x for step in steps for x in (step.filling_charged, step.filling_discharged)]
    axes.plot(filling, [step.voltage for step in steps for _ in (0, 1)], color=INK, lw=1.8, label="potential alone")
    for step in steps:
        if step.voltage_lower is not None and step.voltage_upper is not None:
            axes.fill_between(
                (step.filling_charged, step.filling_discharged), step.voltage_lower, step.voltage_upper,
                color=INK, alpha=0.1, lw=0,
            )  # fmt: skip
    axes.axhline(result.voltage, color=ACCENT, lw=1.2, ls="--", label=f"average, {result.voltage:.2f} V")
    if result.voltage_lower is not None and result.voltage_upper is not None:
        axes.axhspan(result.voltage_lower, result.voltage_upper, color=ACCENT, alpha=0.12, lw=0, label="90 % interval")
    axes.set(
        xlabel=f"filling with {result.working_ion}",
        ylabel=f"voltage against {result.working_ion} (V)",
        xlim=(0, 1),
        title=f"{result.formula_charged} – {result.formula_discharged}",
    )
    axes.legend(loc="best")
    return figure


@styled
def plot_voltages(results: Iterable[Prediction | VoltageResult | InputError]) -> Figure:
    """Voltages side by side with their 90 % intervals, the highest on top; refused inputs are left out.

    Args:
        results: What ``predict_many`` or ``compute_many`` gave; of more than forty the highest are shown.

    Raises:
        InputError: None of them is an answer.
    """
    found = sorted((r for r in results if not isinstance(r, InputError)), key=lambda r: -r.voltage)
    if not found:
        raise InputError("results", "no voltage among them", "Look at the errors: results.refused")
    shown = found[:MOST]
    figure, axes = canvas(width=6.4, height=1.1 + 0.24 * len(shown))
    for row, r in enumerate(shown):
        formula = r.formula if isinstance(r, Prediction) else r.formula_discharged
        if r.voltage_lower is not None and r.voltage_upper is not None:
            axes.plot([r.voltage_lower, r.voltage_upper], [row, row], color=SOFT, lw=2.4, solid_capstyle="butt")
        hollow = r.in_domain is False
        axes.plot(r.voltage, row, "o", ms=5, color=ACCENT, markerfacecolor="white" if hollow else ACCENT)
        axes.text(-0.01, row, f"{formula}, {r.working_ion}", transform=axes.get_yaxis_transform(), ha="right",
                  va="center", fontsize=8)  # fmt: skip
    axes.set_yticks([])
    axes.invert_yaxis()
    hollow_words = "; hollow: not like the training data" if any(r.in_domain is False for r in shown) else ""
    bars = ", bars: 90 % interval" if any(r.voltage_lower is not None for r in shown) else ""
    axes.set_xlabel(f"average voltage against the ion's metal (V){bars}{hollow_words}")
    if len(found) > len(shown):
        axes.set_title(f"the highest {len(shown)} of {len(found)}")
    return figure


@styled
def plot_crystal(explanation: Explanation) -> Figure:
    """The crystal with its atoms coloured by local voltage (V), seen askew.

    Args:
        explanation: What ``explain`` gave.
    """
    lattice = np.array(explanation.lattice)
    sites = explanation.sites
    places = np.array([site.frac_coords for site in sites]) % 1.0 @ lattice
    flat, depth = _seen(places)
    voltages = np.array([site.local_voltage for site in sites])
    colours, norm = voltage_scale(float(voltages.min()), float(voltages.max()), explanation.prediction.voltage)
    figure, axes = canvas(width=5.6, height=4.6)
    _draw_cell(axes, lattice)
    for i in np.argsort(depth):
        size = 55.0 * float(covalent_radii()[ATOMIC_NUMBERS[sites[i].element]]) ** 2 + 20.0
        axes.scatter(*flat[i], s=size * 3, color=colours(norm(voltages[i])), edgecolors=INK, linewidths=0.6, zorder=3)
        axes.text(*flat[i], sites[i].element, ha="center", va="center", fontsize=7, color=INK, zorder=4)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.margins(0.12)
    p = explanation.prediction
    title = f"{p.formula}: {p.voltage:.2f} V against {p.working_ion} ({p.model})"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    label_bar(figure, axes, colours, norm, "local voltage (V)", limits=(float(voltages.min()), float(voltages.max())),
              shrink=0.7)  # fmt: skip
    return figure


def _seen(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places on the page, shape (n, 2), and how near they are, shape (n,), of points in Å, shape (n, 3)."""
    about, tilt = TURNED
    x = np.cos(about) * points[:, 0] + np.sin(about) * points[:, 1]
    y = -np.sin(about) * points[:, 0] + np.cos(about) * points[:, 1]
    z = points[:, 2]
    return np.column_stack([x, np.cos(tilt) * z + np.sin(tilt) * y]), np.sin(tilt) * z - np.cos(tilt) * y


def _draw_cell(axes: Axes, lattice: NDArray[np.float64]) -> None:
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    flat, _ = _seen(corners @ lattice)
    for a, b in combinations(range(8), 2):
        if abs(corners[a] - corners[b]).sum() == 1:
            axes.plot(*flat[[a, b]].T, color=SOFT, lw=0.7, zorder=1)
