"""Predicted against calculated voltages of training, validation and test part (Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.explain.figures import INK, SOFT, canvas, styled
from ionvolt.reproduction.held_out import LABELS, HeldOutPredictions, kept
from ionvolt.reproduction.paper import Number
from ionvolt.reproduction.stages import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("training", "validation", "test")
SPARED = "kept out"
COLOURS = {"training": "#9ecae1", "validation": "#e6a532", "test": "#b2182b", SPARED: "#c9c9c9"}
BAR_COLOURS = {
    "mean": "#c9c9c9",
    "svr-li": "#c7a27c",
    "kernel-ridge-li": "#c7a27c",
    "extra-trees-li": "#7a9e7e",
    "svr": "#7a9e7e",
    "kernel-ridge": "#7a9e7e",
    "extra-trees": "#7a9e7e",
    "li-model": "#2e86ab",
    "cgcnn-scratch": "#8d6cab",
    "cgcnn-transfer": "#b2182b",
}


@dataclass(frozen=True, eq=False)
class Parity:
    """Voltages of all electrodes of an ion by the networks of one split.

    Attributes:
        ion: Working ion.
        seed: Seed of the split.
        keys: Electrodes by snapshot and id, shape (n,).
        part: ``training``, ``validation``, ``test``, or ``kept out`` (neither learned from nor tested, because other
            ions are tested with the framework), shape (n,).
        target: V, shape (n,).
        predicted: V, shape (n,): by the whole ensemble, of validation rows by the network that did not learn from them.
    """

    ion: str
    seed: int
    keys: list[str]
    part: NDArray[np.str_]
    target: NDArray[np.float64]
    predicted: NDArray[np.float64]

    def rows(self) -> list[dict[str, Any]]:
        """As rows of a table."""
        columns = (self.keys, self.part.tolist(), self.target.tolist(), self.predicted.tolist())
        return [
            {"electrode": k, "ion": self.ion, "part": part, "target": t, "predicted": p}
            for k, part, t, p in zip(*columns, strict=True)
        ]

    def mae(self, part: str) -> float | None:
        """Mean absolute error of a part, V."""
        of = self.part == part
        return float(np.abs(self.predicted - self.target)[of].mean()) if of.any() else None


def parity(job: Job, ion: str) -> Parity:
    """Ask the networks of the first split about all electrodes of an ion."""
    from ionvolt.graphs import build_graph

    model, parts = kept(job).networks(job.cleaned, job.unit)
    rows = job.rows_of(ion)
    data = job.cleaned[rows]
    members = model.voltages([build_graph(host, ties=model.ties) for host in data.hosts], [ion])[0]
    part = np.full(len(rows), SPARED, dtype="<U10")
    predicted = members.mean(0)
    for train, _ in parts[ion]:
        part[np.isin(rows, train)] = "training"
    for m, (_, validation) in enumerate(parts[ion]):
        of = np.isin(rows, validation)
        part[of] = "validation"
        predicted[of] = members[m, of]
    part[np.isin(rows, job.unit.test)] = "test"
    return Parity(ion, job.unit.seed, data.keys, part, data.voltages, predicted)


@styled
def draw_parity(
    *, parity: Parity, tested: HeldOutPredictions, paper: dict[str, Number | None], model: str = "transfer model"
) -> Figure:
    """Parity plot with the distributions of both axes, and bars of the models' test errors.

    Args:
        parity: One split.
        tested: Test voltages of all splits.
        paper: The paper's error for some of the models.
        model: What the predicting model is called.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.4, 4.9), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[1, 1.2], wspace=0.03)
    left, right = halves
    grid = left.subplots(2, 2, width_ratios=[5, 1], height_ratios=[1, 5])
    _plane(grid, parity, model)
    _bars(right.subplots(), tested, parity.ion, paper)
    return figure


def _plane(grid: Any, parity: Parity, model: str) -> None:
    top, empty, main, side = grid[0, 0], grid[0, 1], grid[1, 0], grid[1, 1]
    empty.axis("off")
    both = np.concatenate([parity.target, parity.predicted])
    pad = 0.04 * float(np.ptp(both)) + 0.05
    low, high = float(both.min()) - pad, float(both.max()) + pad
    bins = np.linspace(low, high, 32)
    main.plot([low, high], [low, high], color=INK, lw=0.9, ls="--", zorder=1)
    for name in (SPARED, *PARTS):
        of = parity.part == name
        if not of.any():
            continue
        error = parity.mae(name)
        label = f"{name}: n = {int(of.sum())}, MAE {error:.2f} V"
        strong = name == "test"
        main.scatter(parity.target[of], parity.predicted[of], s=16 if strong else 9, color=COLOURS[name], lw=0,
                     alpha=0.9 if strong else 0.6, label=label, zorder=3 if strong else 2, rasterized=True)  # fmt: skip
        if name != SPARED:
            kwargs = {"bins": bins, "density": True, "histtype": "step", "color": COLOURS[name], "lw": 1.4}
            top.hist(parity.target[of], **kwargs)
            side.hist(parity.predicted[of], orientation="horizontal", **kwargs)
    main.set(xlim=(low, high), ylim=(low, high), xlabel=f"calculated voltage against {parity.ion} (V)",
             ylabel=f"{model} (V)")  # fmt: skip
    main.legend(loc="upper left", fontsize=7.5, handletextpad=0.1, borderaxespad=0.2)
    for axis, limits in ((top, "x"), (side, "y")):
        axis.set(**{f"{limits}lim": (low, high)}, xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    top.set_title(f"{parity.ion}: distributions of each part")


def _bars(axes: Any, tested: HeldOutPredictions, ion: str, paper: dict[str, Number | None]) -> None:
    models = [m for m in tested.models(ion) if not (ion == "Li" and m == "li-model")]
    highest = 0.0
    for row, name in enumerate(models):
        found = tested.errors(name, ion)
        assert found is not None
        axes.barh(row, found.mae, height=0.68, color=BAR_COLOURS[name], alpha=0.9)
        axes.plot([found.mae_low, found.mae_high], [row, row], color=INK, lw=1.1)
        stated = paper.get(name)
        reach = max(found.mae_high, stated.value if stated else 0.0)
        gap = "    " if stated and stated.value == reach else "  "
        axes.text(reach, row, f"{gap}{found.mae:.2f}", va="center", fontsize=8, fontweight="bold")
        highest = max(highest, reach)
        if stated:
            axes.plot(stated.value, row, "D", ms=6, mfc="white", mec=INK, mew=1.2, zorder=4)
    axes.set_yticks(range(len(models)), [label_of(name, ion) for name in models])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.16 * highest)
    n = tested.errors(models[-1], ion)
    splits = tested.splits(models[-1], ion)
    axes.set_title(f"Test errors: {n.n if n else 0} electrodes, {splits} split{'s' if splits > 1 else ''}")
    axes.set_xlabel("mean absolute error (V), 95 % interval\ndiamond: the paper's")
    axes.axvline(0, color=SOFT, lw=0.8)


def label_of(model: str, ion: str) -> str:
    """What a model is called on an ion."""
    if ion == "Li":
        names = {
            "cgcnn-transfer": "network",
            "svr-li": "SVR (paper's ML)",
            "kernel-ridge-li": "kernel ridge (paper's ML)",
            "extra-trees-li": "extra trees",
        }
        return names.get(model, LABELS[model])
    return LABELS[model]


@styled
def draw_parities(*, parities: Sequence[Parity]) -> Figure:
    """Small parity plots of several ions."""
    columns = min(4, len(parities))
    lines = -(-len(parities) // columns)
    figure, grid = canvas(lines, columns, width=2.5 * columns + 0.4, height=2.5 * lines + 0.3, squeeze=False)
    for axes, one in zip(grid.ravel(), parities, strict=False):
        both = np.concatenate([one.target, one.predicted])
        low, high = float(both.min()) - 0.2, float(both.max()) + 0.2
        axes.plot([low, high], [low, high], color=INK, lw=0.8, ls="--", zorder=1)
        for name in PARTS:
            of = one.part == name
            axes.scatter(one.target[of], one.predicted[of], s=14 if name == "test" else 7, color=COLOURS[name], lw=0,
                         alpha=0.85, label=name, zorder=3 if name == "test" else 2, rasterized=True)  # fmt: skip
        error = one.mae("test")
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal",
                 title=f"{one.ion}: test MAE {error:.2f} V" if error is not None else one.ion)  # fmt: skip
    for axes in grid.ravel()[len(parities) :]:
        axes.axis("off")
    grid[0, 0].legend(loc="upper left", fontsize=7, handletextpad=0.1, borderaxespad=0.2)
    figure.supxlabel("calculated voltage (V)", fontsize=9)
    figure.supylabel("transfer model (V)", fontsize=9)
    return figure
