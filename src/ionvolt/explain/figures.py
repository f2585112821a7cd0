"""One look for all figures: colours, sizes, axes. Figures are made without pyplot, so nothing global changes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from ionvolt.explain.families import Family

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

P = ParamSpec("P")

LOW, MIDDLE, HIGH = "#2166ac", "#f2f0eb", "#b2182b"
"""Ends and middle of the scale of voltages: blue lowers, red raises."""
INK, SOFT, ACCENT = "#222222", "#8a8a8a", "#1f6f8b"

FAMILY_COLOURS: Mapping[Family, str] = {
    "alkali metal": "#d1495b",
    "alkaline earth metal": "#edae49",
    "early transition metal": "#2e86ab",
    "late transition metal": "#13505b",
    "f-block metal": "#8d6cab",
    "other metal or metalloid": "#7a9e7e",
    "non-metal": "#4d4d4d",
    "halogen": "#3fa34d",
    "noble gas": "#b9b9b9",
}

WIDE, TALL, DOTS_PER_INCH = 7.2, 4.8, 150
"""Usual width and height in inches, and resolution of PNG files."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "text.color": INK,
    "savefig.facecolor": "white",
    "svg.hashsalt": "ionvolt",
}
"""Settings of matplotlib (untyped: their names are no plain strings to it)."""


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the common look."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        import matplotlib as mpl

        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = WIDE, height: float = TALL, **options: Any
) -> tuple[Figure, Any]:
    """A figure with a grid of axes (one ``Axes`` if there is one, else an array); sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the ending of the path says in which form (png, svg, pdf)."""
    import matplotlib as mpl

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure.savefig(path, dpi=DOTS_PER_INCH)


def voltage_scale(low: float, high: float, middle: float | None = None) -> tuple[Colormap, Normalize]:
    """Colours for voltages from ``low`` to ``high``, pale at ``middle`` (by default halfway), all in V."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    centre = (low + high) / 2 if middle is None else middle
    reach = max(high - centre, centre - low, 1e-6)
    colours = LinearSegmentedColormap.from_list("voltage", [LOW, "#92c5de", MIDDLE, "#f4a582", HIGH])
    return colours, Normalize(centre - reach, centre + reach)


def label_bar(
    figure: Figure,
    axes: Any,
    colours: Colormap,
    norm: Normalize,
    words: str,
    *,
    limits: tuple[float, float] | None = None,
    **options: Any,
) -> None:
    """A colour bar with a label, of which only the part between ``limits`` is shown."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm=norm, cmap=colours), ax=axes, label=words, **options)
    bar.outline.set_visible(False)
    if limits and limits[0] < limits[1]:
        bar.ax.set_ylim(*limits)


def spread_labels(axes: Axes, points: list[tuple[float, float, str]], *, size: float = 7) -> None:
    """Write a short label beside each point, leaving out those that would cover one written before."""
    written: list[tuple[float, float]] = []
    figure = axes.get_figure(root=True)
    assert figure is not None
    box = axes.get_position()
    wide, high = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for x, y, text in points:
        place = ((x - left) / (right - left), (y - bottom) / (top - bottom))
        if all(abs(place[0] - a) * wide > 0.17 or abs(place[1] - b) * high > 0.11 for a, b in written):
            axes.annotate(text, (x, y), xytext=(3, 2), textcoords="offset points", fontsize=size, color=INK)
            written.append(place)
