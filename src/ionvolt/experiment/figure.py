"""Figure 4: what models say of measured cathodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionvolt.experiment.cathodes import Cathode
from ionvolt.experiment.validate import MEAN, Score, Validation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c510a", "#000000")
"""Of models, told apart with any kind of colour vision (Okabe & Ito)."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
GREY = "#888888"
ION_ORDER = ("Mg", "Ca", "Zn", "Al", "Y", "Li", "Na", "K", "Rb", "Cs")


def draw(validation: Validation) -> Figure:
    """The measured voltages with their uncertainty, every model's beside them, and mean absolute errors by ion."""
    from matplotlib.figure import Figure

    multivalent = [c for c in validation.cathodes if c.multivalent]
    monovalent = [c for c in validation.cathodes if not c.multivalent]
    columns = [rows for rows in (multivalent, monovalent) if rows]
    longest = max((len(rows) for rows in columns), default=1)
    figure = Figure(figsize=(13.0, 3.6 + 0.34 * longest), layout="constrained")
    grid = figure.add_gridspec(2, max(1, len(columns)), height_ratios=[0.34 * longest + 0.6, 2.1])
    styles = _styles(validation.models)
    low, high = _range(validation)
    for k, rows in enumerate(columns):
        axes = figure.add_subplot(grid[0, k])
        _voltages(axes, rows, validation, styles)
        axes.set_xlim(low, high)
        axes.set_title("Multivalent ions" if rows is multivalent else "Monovalent ions", loc="left", fontweight="bold")
    _errors(figure.add_subplot(grid[1, :]), validation, styles)
    _legend(figure, styles)
    return figure


def save(validation: Validation, folder: Path) -> list[Path]:
    """Write the figure as PNG and SVG; returns the files."""
    figure = draw(validation)
    paths = [folder / "validation.png", folder / "validation.svg"]
    for path in paths:
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _styles(models: Sequence[str]) -> dict[str, dict[str, Any]]:
    others = [model for model in models if model != MEAN]
    styles = {
        model: {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        for k, model in enumerate(others)
    }
    return styles | ({MEAN: {"color": GREY, "marker": "|"}} if MEAN in models else {})


def _range(validation: Validation) -> tuple[float, float]:
    values = [e.voltage for e in validation.estimates if e.voltage is not None]
    values += [c.voltage for c in validation.cathodes if c.voltage is not None]
    return min([0.0, *values]) - 0.15, max([5.0, *values]) + 0.15


def _voltages(axes: Any, rows: Sequence[Cathode], validation: Validation, styles: dict[str, dict[str, Any]]) -> None:
    by_model = {model: validation.of(model) for model in styles}
    offsets = {model: (k - (len(styles) - 1) / 2) * 0.5 / max(1, len(styles)) for k, model in enumerate(styles)}
    for y, cathode in enumerate(rows):
        assert cathode.voltage is not None
        spread = cathode.uncertainty or 0.0
        axes.axhspan(y - 0.5, y + 0.5, color="#f4f4f4" if y % 2 else "white", lw=0, zorder=0)
        alpha = 1.0 if cathode.use else 0.45
        # A bar as tall as the row: what the measurement allows.
        axes.barh(y, 2 * spread, left=cathode.voltage - spread, height=0.84, color="#d0d0d0", zorder=1, alpha=alpha)
        axes.plot([cathode.voltage] * 2, [y - 0.42, y + 0.42], color="black", lw=1.6, zorder=2, alpha=alpha)
        for model, style in styles.items():
            estimate = by_model[model].get(cathode.name)
            if estimate is None or estimate.voltage is None:
                continue
            open_marker = bool(estimate.seen) and style["marker"] != "|"
            axes.plot(
                estimate.voltage, y + offsets[model], linestyle="none", marker=style["marker"], ms=_size(style),
                mfc="white" if open_marker else style["color"], mec=style["color"], mew=1.4, zorder=4, alpha=alpha,
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [_tick(cathode) for cathode in rows], fontsize=8.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("average voltage against the ion's metal (V)")
    axes.grid(axis="x", color="#dddddd", lw=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    for y in range(1, len(rows)):
        if rows[y].ion != rows[y - 1].ion:
            axes.axhline(y - 0.5, color="black", lw=0.8)


def _errors(axes: Any, validation: Validation, styles: dict[str, dict[str, Any]]) -> None:
    scores: dict[tuple[str, str], Score] = {(s.model, s.group): s for s in validation.scores}
    present = {score.group for score in validation.scores}
    groups = [group for group in (*ION_ORDER, "multivalent", "monovalent", "all") if group in present]
    width = 0.8 / max(1, len(styles))
    for k, (model, style) in enumerate(styles.items()):
        for x, group in enumerate(groups):
            score = scores.get((model, group))
            if score is None:
                continue
            at = x + (k - (len(styles) - 1) / 2) * width
            axes.bar(at, score.mae, width * 0.92, color=style["color"], alpha=0.85)
            if score.mae_low is not None and score.mae_high is not None:
                axes.plot([at, at], [score.mae_low, score.mae_high], color="black", lw=1)
    counts = {group: max(s.n for s in validation.scores if s.group == group) for group in groups}
    axes.set_xticks(range(len(groups)), [f"{group}\nn = {counts[group]}" for group in groups])
    axes.set_ylabel("MAE (V)")
    axes.set_title("Mean absolute error, 95 % bootstrap intervals", loc="left", fontsize=10)
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(figure: Any, styles: dict[str, dict[str, Any]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color="black", lw=1.6, label="measured"),
        Patch(color="#d0d0d0", label="its uncertainty"),
    ]
    handles += [_dot(model, style, style["color"]) for model, style in styles.items()]
    handles.append(_dot("open: framework is in the training set", {"color": "black", "marker": "o"}, "white"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 6), frameon=False)


def _dot(label: str, style: dict[str, Any], fill: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], linestyle="none", marker=style["marker"], ms=_size(style), mec=style["color"], mfc=fill, mew=1.4,
        label=label,
    )  # fmt: skip


def _size(style: dict[str, Any]) -> float:
    return 9.0 if style["marker"] == "|" else 6.5


def _tick(cathode: Cathode) -> str:
    phase = cathode.phase.split(",")[0]
    return f"{cathode.ion} in {_subscripts(cathode.host)}, {phase}" + ("" if cathode.use else " (does not count)")


def _subscripts(formula: str) -> str:
    """Numbers of a formula lowered, for matplotlib."""
    import re

    return re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"$_{\1}$", formula)
