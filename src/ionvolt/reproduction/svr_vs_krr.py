"""Support vector and kernel ridge regression beside one another: Fig. S4."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.explain.figures import ACCENT, SOFT, canvas, styled
from ionvolt.reproduction.exhibits import Claim, Exhibit, Holds, write_figure, write_table
from ionvolt.reproduction.held_out import HeldOutPredictions
from ionvolt.reproduction.stages import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fig_s4(job: Job, tested: HeldOutPredictions, folder: Path) -> Exhibit:
    """How far the voltages of SVR and KRR are apart."""
    name, title = "fig-s4", "Fig. S4: support vector and kernel ridge regression"
    models = ("svr-li", "kernel-ridge-li") if job.has_li else ("svr", "kernel-ridge")
    ions = [ion for ion in job.ions if tested.errors(models[0], ion)]
    if not ions:
        return Exhibit(name, title, missing="neither model could be trained on these data")
    pairs = {ion: tested.pairs(*models, ion) for ion in ions}
    write_figure(draw_svr_vs_krr(tested=tested, pairs=pairs), folder, name)
    rows = [
        {"ion": ion, "electrode": str(tested.key[i]), "seed": int(tested.seed[i]), "svr": float(tested.predicted[i]),
         "kernel_ridge": float(tested.predicted[j])}
        for ion, (a, b) in pairs.items()
        for i, j in zip(a.tolist(), b.tolist(), strict=True)
    ]  # fmt: skip
    write_table(rows, folder, name)
    first, second = (np.concatenate([pair[k] for pair in pairs.values()]) for k in (0, 1))
    gap = np.abs(tested.predicted[first] - tested.predicted[second])
    r = float(np.corrcoef(tested.predicted[first], tested.predicted[second])[0, 1])
    error = float(np.abs(tested.predicted - tested.target)[first].mean())
    holds: Holds = "yes" if gap.mean() < 0.5 * error else "in part" if gap.mean() < error else "no"
    sentence = (
        f"They are {gap.mean():.2f} V apart on average (r = {r:.3f}, {len(gap)} test voltages of {len(ions)} ions), "
        f"where their error is {error:.2f} V: "
        + ("less than half of it." if holds == "yes" else "not little beside it.")
    )
    claim = Claim("SVR and kernel ridge give quite similar voltages", "", f"{gap.mean():.2f} V apart", holds, sentence)
    where = "trained on Li and applied to every ion, as the paper did" if job.has_li else "trained on each ion"
    return Exhibit(
        name, title, f"Test voltages of SVR and KRR, {where}.", [name], [name], [claim],
        inferred="The preprint only says that both give similar voltages for multivalent and monovalent ions.",
    )  # fmt: skip


@styled
def draw_svr_vs_krr(*, tested: HeldOutPredictions, pairs: dict[str, tuple[Any, Any]]) -> Figure:
    """Voltages of one machine against those of the other, by ion."""
    from ionvolt.ions import WORKING_IONS

    figure, grid = canvas(1, 2, width=8.0, height=3.9)
    groups = {
        "Multivalent ions": [ion for ion in pairs if WORKING_IONS[ion].charge > 1],
        "Monovalent ions": [ion for ion in pairs if WORKING_IONS[ion].charge == 1],
    }
    for axes, (words, ions) in zip(grid, groups.items(), strict=True):
        axes.set(title=words, xlabel="SVR (V)", ylabel="kernel ridge (V)")
        if not ions:
            axes.text(0.5, 0.5, "none in the data", transform=axes.transAxes, ha="center", color=SOFT)
            continue
        x = np.concatenate([tested.predicted[pairs[ion][0]] for ion in ions])
        y = np.concatenate([tested.predicted[pairs[ion][1]] for ion in ions])
        ends = [float(min(x.min(), y.min())) - 0.1, float(max(x.max(), y.max())) + 0.1]
        axes.plot(ends, ends, color=SOFT, lw=0.9, ls="--")
        axes.scatter(x, y, s=10, lw=0, color=ACCENT, alpha=0.5, rasterized=True)
        axes.text(0.03, 0.97, f"{', '.join(ions)}\nn = {len(x)}, mean gap {np.abs(x - y).mean():.2f} V",
                  transform=axes.transAxes, va="top", fontsize=8)  # fmt: skip
    return figure
