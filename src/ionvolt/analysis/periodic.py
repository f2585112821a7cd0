"""The median local voltage of every element over a data set, as a table and on the periodic table (Fig. 3c)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ionvolt.analysis.atom_table import Atoms
from ionvolt.explain.families import paper_group
from ionvolt.explain.figures import INK, SOFT, canvas, label_bar, styled, voltage_scale
from ionvolt.graphs.elements import place
from ionvolt.structures.crystal import SYMBOLS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 5
"""Elements in fewer crystals are drawn pale and left out of claims."""


@dataclass(frozen=True)
class ElementVoltage:
    """Local voltages of one element over a data set, V.

    Attributes:
        symbol: The element.
        number: Its atomic number.
        n_atoms: Atoms counted.
        n_crystals: Hosts that hold them.
        median: Median of all of them.
        q25: First quartile.
        q75: Third quartile.
        members: The median by every network alone.
    """

    symbol: str
    number: int
    n_atoms: int
    n_crystals: int
    median: float
    q25: float
    q75: float
    members: tuple[float, ...]


def element_voltages(atoms: Atoms, *, kind: str = "linear", oxygen_only: bool = True) -> list[ElementVoltage]:
    """Median local voltage of each element, in order of atomic number.

    Args:
        atoms: All atoms of a data set.
        kind: ``linear`` (the paper's) or ``additive``.
        oxygen_only: Count only atoms whose two nearest neighbours are oxygen, as the paper does.
    """
    chosen = atoms[atoms.oxygen] if oxygen_only else atoms
    members = chosen.additive if kind == "additive" else chosen.linear
    mean = members.mean(0)
    found = []
    for z in np.unique(chosen.numbers):
        of = chosen.numbers == z
        low, median, high = (round(float(q), 4) for q in np.quantile(mean[of], [0.25, 0.5, 0.75]))
        found.append(
            ElementVoltage(
                symbol=SYMBOLS[z],
                number=int(z),
                n_atoms=int(of.sum()),
                n_crystals=len(np.unique(chosen.crystal[of])),
                median=median,
                q25=low,
                q75=high,
                members=tuple(round(float(v), 4) for v in np.median(members[:, of], axis=1)),
            )
        )
    return found


def verdict(elements: Sequence[ElementVoltage]) -> dict[str, Any]:
    """The paper's reading of the periodic table, in numbers: alkali low, main group high, late TM above early."""
    from scipy.stats import mannwhitneyu, spearmanr

    counted = [e for e in elements if e.n_crystals >= FEW]
    by_group = {name: [e.median for e in counted if paper_group(e.number) == name] for name in ("IA", "main", "TM")}
    metals = [(place(e.number)[0], e.median) for e in counted if paper_group(e.number) == "TM"]
    result: dict[str, Any] = {
        "claim": "alkali metals have low, other main-group elements high median local voltages; among transition "
        "metals early ones low, late ones high",
        "n_elements": len(counted),
        "median_by_group": {k: round(float(np.median(v)), 3) for k, v in by_group.items() if v},
    }
    parts = {}
    for name, words, rest in (("IA", "IA is low", ("main", "TM")), ("main", "main is high", ("IA", "TM"))):
        others = [v for other in rest for v in by_group[other]]
        if len(by_group[name]) >= 2 and others:
            side = "less" if name == "IA" else "greater"
            p = float(mannwhitneyu(by_group[name], others, alternative=side).pvalue)
            parts[words] = p < 0.05
            result[f"p_{name}"] = p
    if len(metals) >= 5:
        rank = spearmanr(*zip(*metals, strict=True))
        parts["late transition metals above early ones"] = rank.statistic > 0 and rank.pvalue < 0.05
        result |= {
            "rank_of_group_in_TM": round(float(rank.statistic), 3),
            "p_TM": float(rank.pvalue),
            "n_TM": len(metals),
        }
    held = sum(parts.values())
    return result | {
        "parts": {k: bool(v) for k, v in parts.items()},
        "holds": "yes" if parts and held == len(parts) else "in part" if held else "no",
    }


def rows(elements: Sequence[ElementVoltage]) -> list[dict[str, Any]]:
    """As rows of a table, one column a network."""
    return [
        {k: v for k, v in asdict(e).items() if k != "members"}
        | {f"network_{m + 1}": value for m, value in enumerate(e.members)}
        for e in elements
    ]


@styled
def draw_periodic_table(*, elements: Sequence[ElementVoltage], ion: str, words: str = "median local voltage") -> Figure:
    """Each element's median local voltage on the periodic table; elements in few crystals are pale."""
    from matplotlib.patches import Rectangle

    figure, axes = canvas(width=10.0, height=5.2)
    medians = [e.median for e in elements if e.n_crystals >= FEW] or [e.median for e in elements] or [0.0, 1.0]
    colours, norm = voltage_scale(min(medians), max(medians), float(np.median(medians)))
    by_number = {e.number: e for e in elements}
    for z in range(1, 104):
        column, row = _cell(z)
        found = by_number.get(z)
        if z > 94 and not found:
            continue
        enough = found is not None and found.n_crystals >= FEW
        fill = colours(norm(found.median)) if found else "#f7f7f7"
        axes.add_patch(
            Rectangle((column, row), 0.94, 0.94, facecolor=fill, lw=0.6, edgecolor="white" if enough else "#dddddd",
                      alpha=1.0 if enough or not found else 0.35)
        )  # fmt: skip
        dark = enough and found is not None and abs(norm(found.median) - 0.5) > 0.33
        ink = "white" if dark else INK if found else "#bbbbbb"
        axes.text(column + 0.47, row + 0.42, SYMBOLS[z], ha="center", va="center", fontsize=10, color=ink,
                  fontweight="bold" if enough else "normal")  # fmt: skip
        if found:
            axes.text(
                column + 0.47, row + 0.76, f"{found.median:.2f}", ha="center", va="center", fontsize=6.5, color=ink
            )
    axes.set(xlim=(0.9, 19.1), ylim=(11.0, 0.9), aspect="equal",
             title=f"{words[0].upper()}{words[1:]} against {ion}")  # fmt: skip
    axes.text(4.0, 2.6, f"number: median in V; pale: in fewer than {FEW} hosts", fontsize=8, color=SOFT)
    axes.axis("off")
    label_bar(figure, axes, colours, norm, f"{words} (V)", shrink=0.7,
              limits=(min(medians), max(medians)))  # fmt: skip
    return figure


def _cell(z: int) -> tuple[float, float]:
    """Column and row of an element; the f block stands below."""
    group, period, block = place(z) if z <= 100 else (0, 7, "f")
    if block == "f":
        return 3.5 + (z - 57 if period == 6 else z - 89), period + 2.4
    return float(group), float(period)
