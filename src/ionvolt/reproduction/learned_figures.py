"""Drawings and tables of what the Li networks have learned, beyond those of ``explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis.environments import GROUP_COLOURS, GROUP_NAMES
from ionvolt.explain.families import family, properties, symbols
from ionvolt.explain.figures import FAMILY_COLOURS, INK, SOFT, canvas, label_bar, spread_labels, styled, voltage_scale
from ionvolt.structures.crystal import SYMBOLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ionvolt.analysis.embedding import EmbeddingStudy
    from ionvolt.analysis.environments import EnvironmentStudy

RADIUS = "covalent radius (Cordero)"
N_SHUFFLES = 299
FEWEST_LABELLED = 20
"""Environments of an element that put its symbol on the map."""


def embedding_rows(study: EmbeddingStudy) -> list[dict[str, Any]]:
    """Elements with the first two components of the first network and their radius."""
    scores = study.networks[0].scores
    radius = properties()[RADIUS][study.numbers]
    return [
        {"element": symbol, "family": family(int(z)), "component_1": float(x), "component_2": float(y),
         "covalent_radius_pm": float(r)}
        for symbol, z, (x, y), r in zip(symbols(study.numbers), study.numbers, scores[:, :2], radius, strict=True)
    ]  # fmt: skip


def families_apart(study: EmbeddingStudy) -> tuple[float, float]:
    """Silhouette of the paper's three groups of elements in the plane of two components, and its p by shuffling."""
    from sklearn.metrics import silhouette_score

    kinds = {"alkali metal": "I", "alkaline earth metal": "I", "early transition metal": "early"}
    labels = np.array([kinds.get(family(int(z)), "rest") for z in study.numbers])
    plane = study.networks[0].scores[:, :2]
    if len(set(labels.tolist())) < 2 or len(set(labels.tolist())) >= len(labels):
        return float("nan"), 1.0
    found = float(silhouette_score(plane, labels))
    rng = np.random.default_rng(0)
    chance = [float(silhouette_score(plane, rng.permutation(labels))) for _ in range(N_SHUFFLES)]
    return found, (1 + sum(value >= found for value in chance)) / (N_SHUFFLES + 1)


def environment_rows(study: EnvironmentStudy) -> list[dict[str, Any]]:
    """Distinct environments with two components and their local voltage."""
    local = study.atoms.local(study.kind)
    return [
        {"host": int(c), "element": SYMBOLS[z], "group": g, "component_1": float(x), "component_2": float(y),
         "local_voltage": float(v)}
        for c, z, g, (x, y), v in zip(
            study.atoms.crystal, study.atoms.numbers, study.group, study.projection.scores[:, :2], local, strict=True
        )
    ]  # fmt: skip


def correlations(study: EnvironmentStudy) -> tuple[float, float]:
    """Pearson's r of both components with the local voltage."""
    local = study.atoms.local(study.kind)
    first, second = (float(np.corrcoef(study.projection.scores[:, k], local)[0, 1]) for k in (0, 1))
    return first, second


@styled
def draw_view(
    *, study: EnvironmentStudy, points: NDArray[np.float64], which: NDArray[np.int64] | None = None
) -> Figure:
    """Environments in a plane, coloured by local voltage and by group, elements named at their medians.

    Args:
        study: The study of the environments.
        points: Their places, shape (n, 2).
        which: Their numbers in the study; None: all. Without it the rise of the local voltage is drawn as an arrow.
    """
    of_map = which is not None
    chosen = np.arange(len(points)) if which is None else which
    local = study.atoms.local(study.kind)
    figure, (by_voltage, by_group) = canvas(1, 2, width=10.4, height=4.7)
    low, high = (float(q) for q in np.quantile(local, [0.02, 0.98]))
    colours, norm = voltage_scale(low, high, float(np.median(local)))
    order = np.random.default_rng(0).permutation(len(points))
    shown, own = points[order], chosen[order]
    by_voltage.scatter(*shown.T, c=local[own], cmap=colours, norm=norm, s=5, lw=0, rasterized=True)
    by_group.scatter(
        *shown.T, c=[GROUP_COLOURS[name] for name in study.group[own]], s=5, lw=0, alpha=0.7, rasterized=True
    )
    numbers = study.atoms.numbers[chosen]
    counted = sorted(((int((numbers == z).sum()), int(z)) for z in np.unique(numbers)), reverse=True)
    labels = [(*np.median(points[numbers == z], axis=0), SYMBOLS[z]) for n, z in counted if n >= FEWEST_LABELLED]
    word = "coordinate" if of_map else "component"
    shares = ["", ""] if of_map else [f" ({v:.0%} of the variance)" for v in study.projection.explained[:2]]
    for axes, title in ((by_voltage, "By local voltage"), (by_group, "By group")):
        axes.set(xlabel=f"{word} 1{shares[0]}", ylabel=f"{word} 2{shares[1]}", title=title)
    spread_labels(by_voltage, labels, size=8)
    if not of_map:
        _arrow(by_voltage, points, local)
    for name, label in GROUP_NAMES.items():
        if (study.group[chosen] == name).any():
            by_group.scatter([], [], s=26, lw=0, color=GROUP_COLOURS[name], label=label)
    by_group.legend(handletextpad=0.1, loc="best")
    label_bar(figure, by_voltage, colours, norm, "local voltage against Li (V)", shrink=0.8, extend="both")
    return figure


def _arrow(axes: Any, points: NDArray[np.float64], local: NDArray[np.float64]) -> None:
    """The direction in which a plane fitted to the local voltages rises."""
    plane = np.column_stack([points, np.ones(len(points))])
    slope = np.linalg.lstsq(plane, local, rcond=None)[0][:2]
    low, high = np.quantile(points, [0.05, 0.95], axis=0)
    way = slope / (np.linalg.norm(slope) + 1e-12) * 0.4 * float((high - low).min())
    middle = (low + high) / 2
    axes.annotate("", middle + way, middle - way, arrowprops={"arrowstyle": "-|>", "color": SOFT, "lw": 2.5})


def radius_rows(study: EnvironmentStudy) -> list[dict[str, Any]]:
    """Each element's median components over its environments, and its covalent radius."""
    rows = []
    for z in np.unique(study.atoms.numbers):
        of = study.atoms.numbers == z
        radius = float(properties()[RADIUS][z])
        if not np.isfinite(radius) or family(int(z)) == "f-block metal":
            continue
        first, second = np.median(study.projection.scores[of, :2], axis=0)
        rows.append(
            {"element": SYMBOLS[z], "number": int(z), "family": family(int(z)), "n": int(of.sum()),
             "covalent_radius_pm": radius, "component_1": float(first), "component_2": float(second)}
        )  # fmt: skip
    return rows


def radius_correlation(rows: Sequence[dict[str, Any]], component: int) -> tuple[float, float]:
    """Pearson's r of a component with the covalent radius over elements, and its p; (0, 1) with fewer than five."""
    from scipy.stats import pearsonr

    if len(rows) < 5:
        return 0.0, 1.0
    found = pearsonr([r["covalent_radius_pm"] for r in rows], [r[f"component_{component}"] for r in rows])
    return float(found.statistic), float(found.pvalue)


@styled
def draw_radius(*, rows: Sequence[dict[str, Any]]) -> Figure:
    """Both components of the elements' oxygen environments beside their covalent radius."""
    figure, grid = canvas(1, 2, width=10.0, height=4.4)
    for k, axes in enumerate(grid, start=1):
        for name, colour in FAMILY_COLOURS.items():
            of = [r for r in rows if r["family"] == name]
            if of:
                axes.scatter([r["covalent_radius_pm"] for r in of], [r[f"component_{k}"] for r in of], s=26, lw=0,
                             color=colour, label=name)  # fmt: skip
        r, p = radius_correlation(rows, k)
        axes.set(xlabel="covalent radius, Cordero (pm)", ylabel=f"median of component {k}",
                 title=f"Component {k}: r = {r:+.2f}, p = {p:.0e}, n = {len(rows)}")  # fmt: skip
        spread_labels(axes, [(r["covalent_radius_pm"], r[f"component_{k}"], r["element"]) for r in rows])
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, handletextpad=0.1, labelcolor=INK)
    return figure
