"""The explanation of one crystal as a figure: atom by atom, and element by element."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from ionvolt.explain.explanation import Explanation, Site
from ionvolt.explain.figures import HIGH, INK, LOW, SOFT, canvas, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALIKE = 2e-3
"""Atoms of an element in the same surroundings whose values differ by less (V) share a bar."""
SHOWN = 28
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def value(site: Site, explanation: Explanation) -> float:
    """What is shown of an atom, V: its contribution to a sum, its local voltage in a mean."""
    return site.contribution if explanation.pooling == "sum" else site.local_voltage


def kinds(explanation: Explanation) -> list[list[Site]]:
    """Atoms that are alike, the kind with the highest value first."""
    found: list[list[Site]] = []
    for site in sorted(explanation.sites, key=lambda s: (-value(s, explanation), s.index)):
        alike = [
            kind
            for kind in found
            if kind[0].element == site.element
            and kind[0].neighbours == site.neighbours
            and value(kind[0], explanation) - value(site, explanation) < ALIKE
        ]
        if alike:
            alike[-1].append(site)
        else:
            found.append([site])
    return found


@styled
def draw_explanation(*, explanation: Explanation) -> Figure:
    """What the atoms add, and how the elements make the voltage.

    A model whose atoms are averaged is shown by local voltages about the crystal's voltage and starts from an average
    host; one whose atoms add up by contributions, from nothing, with the remainder as a bar of its own.
    """
    grouped = kinds(explanation)
    left_out = 0
    if len(grouped) > SHOWN:
        # The middle tells least.
        left_out = len(grouped) - SHOWN
        grouped = grouped[: SHOWN // 2] + grouped[-SHOWN // 2 :]
    height = min(8.0, max(3.4, 1.5 + 0.24 * len(grouped)))
    figure, (atoms, elements) = canvas(1, 2, width=10.0, height=height, width_ratios=[1.35, 1])
    p = explanation.prediction
    _draw_atoms(atoms, grouped, explanation, left_out)
    _draw_elements(elements, explanation)
    spread = "" if p.voltage_std is None else f" ± {p.voltage_std:.2f}"
    state = f", {p.working_ion} taken out" if explanation.pooling == "mean" and p.end_members != "charged" else ""
    figure.suptitle(f"{p.formula}{state}: {p.voltage:.2f}{spread} V against {p.working_ion} ({p.model})", x=0.01,
                    ha="left", fontsize=11, fontweight="bold")  # fmt: skip
    return figure


def _draw_atoms(axes: Axes, grouped: list[list[Site]], explanation: Explanation, left_out: int) -> None:
    rows = np.arange(len(grouped))
    adding = explanation.pooling == "sum"
    middle = 0.0 if adding else explanation.prediction.voltage
    values = np.array([np.mean([value(s, explanation) for s in kind]) for kind in grouped])
    spread = [kind[0].contribution_std if adding else kind[0].local_voltage_std for kind in grouped]
    colours = [HIGH if v > middle else LOW for v in values]
    axes.barh(rows, values - middle, left=middle, height=0.72, color=colours, alpha=0.85)
    axes.errorbar(values, rows, xerr=spread, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5)
    axes.axvline(middle, color=INK, lw=0.9)
    axes.set_yticks(rows, [_name(kind) for kind in grouped])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    label = "contribution of one atom (V)" if adding else "local voltage (V); their mean over the atoms is the voltage"
    axes.set(xlabel=label, title="Atom by atom [nearest shell]")
    if left_out:
        axes.axhline(len(grouped) / 2 - 0.5, color=SOFT, lw=0.8, ls=":")
        axes.text(0.99, 0.01, f"dotted line: {left_out} kinds between are left out", transform=axes.transAxes,
                  ha="right", va="bottom", fontsize=7, color=SOFT)  # fmt: skip


def _name(kind: list[Site]) -> str:
    first = min(kind, key=lambda site: site.index)  # rounding decides which one is the highest
    counted = [re.fullmatch(r"([A-Z][a-z]?)(\d*)", word) for word in first.neighbours.split()]
    shell = "".join(m[1] + (m[2].translate(_LOWERED) if m[2] != "1" else "") for m in counted if m)
    return f"{first.element} {first.index + 1} [{shell}]" + (f" × {len(kind)}" if len(kind) > 1 else "")


def _draw_elements(axes: Axes, explanation: Explanation) -> None:
    order = sorted(explanation.elements, key=lambda e: -explanation.elements[e]["contribution"])
    steps = [explanation.elements[e]["contribution"] for e in order]
    names = [f"{e} (× {int(explanation.elements[e]['n'])})" for e in order]
    colours = [HIGH if step > 0 else LOW for step in steps]
    start, first = explanation.remainder, "average host"
    if explanation.pooling == "sum":  # from nothing: there is no first row
        start, first = 0.0, ""
        steps, names, colours = [*steps, explanation.remainder], [*names, "not shared out"], [*colours, SOFT]
    end = explanation.prediction.voltage
    level, levels = start, [start]
    for row, (step, colour) in enumerate(zip(steps, colours, strict=True), start=1):
        axes.barh(row, step, left=level, height=0.62, color=colour, alpha=0.85)
        beyond = max(level, level + step)
        text = f"{step:+.2f}".replace("-", "−")
        axes.annotate(text, (beyond, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
        axes.plot([level + step] * 2, [row - 0.31, row + (1.31 if row < len(steps) else 1.0)], color=SOFT, lw=0.7)
        level += step
        levels.append(level)
    last = len(steps) + 1
    for row, at in ((0, start), (last, end)) if first else ((last, end),):
        axes.plot(at, row, "D", color=INK, ms=5)
        text = f"{at:.2f} V"
        axes.annotate(
            text, (at, row), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8, fontweight="bold"
        )
    axes.plot([start] * 2, [0 if first else 0.69, 1.31], color=SOFT, lw=0.7, zorder=0)
    axes.set_yticks(range(last + 1), [first, *names, "this crystal"])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(last + 0.6, -0.6 if first else 0.4)
    reach = max(levels) - min(levels)
    axes.set_xlim(min(levels) - 0.12 * reach - 0.01, max(levels) + 0.25 * reach + 0.02)
    axes.set(xlabel="voltage (V)", title="Element by element")
