"""What of a finished stage enters the next: the budget's threshold, and how much may have been dropped wrongly.

Rows pass by in one stream; in memory stand only as many scores as the budget keeps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.models.interface import NORMAL_90
from ionvolt.screening.places import selection_file
from ionvolt.screening.plan import Plan
from ionvolt.screening.records import Row
from ionvolt.screening.settings import Settings
from ionvolt.store import write_json
from ionvolt.typing import Array, Indices, Mask

_TEXTS = ("unit", "part", "ion", "status", "model", "reason")
_NUMBERS = ("voltage", "voltage_lower", "voltage_upper", "voltage_std", "capacity_grav", "capacity_vol")
_UNRANKED = -1e300
"""Below every score; JSON knows no infinity."""


@dataclass(frozen=True)
class IonSelection:
    """What enters the next stage, of one ion.

    Attributes:
        passed: Rows that passed the stage's cuts.
        entering: Rows that enter the next stage.
        threshold: Score from which on a row enters; None: all that passed do.
        last: Unit and part of the last row that enters at just this score; later ones do not.
        wanted: Rows of the stage that are expected to lie in the window, by their intervals; None without a window or
            voltages.
        lost_by_cut: So many of them are expected among the dropped.
        lost_by_budget: Rows left out by the budget that are expected to belong above its threshold; None where scores
            have no error.
    """

    passed: int
    entering: int
    threshold: float | None = None
    last: tuple[int, int] | None = None
    wanted: float | None = None
    lost_by_cut: float | None = None
    lost_by_budget: float | None = None

    def admits(self, row: Row, settings: Settings) -> bool:
        """Whether a row that passed enters."""
        if self.threshold is None:
            return True
        value = score(row, settings)
        if value != self.threshold:
            return value > self.threshold
        return self.last is not None and (row["unit"], row["part"]) <= self.last


def score(row: Row, settings: Settings) -> float:
    """By what rows are ranked: larger is better; below all where it is not known.

    Where the window has a top, a voltage above it counts as the top. Before there are voltages, the capacity ranks.
    """
    voltage = row.get("voltage")
    if settings.rank == "voltage":
        return _UNRANKED if voltage is None else voltage
    volume = settings.rank.endswith("_vol")
    capacity = row.get("capacity_vol" if volume else "capacity_grav")
    if capacity is None:
        return _UNRANKED
    if settings.rank.startswith("capacity"):
        return float(capacity)
    if voltage is None:
        return float(capacity) if row.get("model") is None and not row.get("reason") else _UNRANKED
    if settings.window is not None:
        voltage = min(voltage, settings.window[1])
    return float(voltage * capacity)


def select(plan: Plan, stage: int) -> dict[str, IonSelection]:
    """Choose for the stage after a finished one, and write what was chosen.

    After the last stage everything that passed counts as chosen.
    """
    settings = plan.settings
    following = settings.stages[stage + 1] if stage + 1 < len(settings.stages) else ""
    budget = settings.keep.get(following)
    passed = dict.fromkeys(settings.ions, 0)
    for table in stream(plan, stage):
        for ion in settings.ions:
            passed[ion] += int((table.kept & (table.ion == ion)).sum())
    found = {}
    best = {
        ion: _Best(None if budget is None else int(budget) if budget >= 1 else math.ceil(budget * passed[ion]))
        for ion in settings.ions
    }
    if budget is not None:
        for table in stream(plan, stage):
            scores = table.scores(settings)
            for ion in settings.ions:
                mine = table.kept & (table.ion == ion)
                best[ion].add(scores[mine], table.unit[mine], table.part[mine])
    for ion in settings.ions:
        threshold, last = best[ion].threshold(passed[ion])
        entering = passed[ion] if threshold is None else best[ion].most
        found[ion] = IonSelection(passed[ion], entering, threshold, last)
    if settings.stages[stage] != "rules":
        found = _with_losses(plan, stage, found)
    write_json(selection_file(plan.folder, stage), {ion: asdict(chosen) for ion, chosen in found.items()})
    return found


def read_selection(path: Path) -> dict[str, IonSelection] | None:
    """What was chosen; None where it is not there."""
    try:
        content: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {
        ion: IonSelection(**{**facts, "last": None if facts["last"] is None else (facts["last"][0], facts["last"][1])})
        for ion, facts in content.items()
    }


@dataclass(frozen=True, eq=False)
class Columns:
    """A finished shard by columns, each of shape (n,); what is not known is NaN.

    Attributes:
        unit: Units.
        part: Parts.
        ion: Symbols, strings.
        kept: Which rows passed.
        unanswered: Which rows a model that was asked has not answered.
        values: Columns of numbers by name.
    """

    unit: Indices
    part: Indices
    ion: Any
    kept: Mask
    unanswered: Mask
    values: dict[str, Array]

    def scores(self, settings: Settings) -> Array:
        """``score`` of every row."""
        voltage = self.values["voltage"]
        if settings.rank == "voltage":
            return np.nan_to_num(voltage, nan=_UNRANKED)
        capacity = self.values["capacity_vol" if settings.rank.endswith("_vol") else "capacity_grav"]
        if settings.rank.startswith("capacity"):
            return np.nan_to_num(capacity, nan=_UNRANKED)
        top = np.inf if settings.window is None else settings.window[1]
        energy = np.minimum(voltage, top) * capacity
        energy = np.where(np.isnan(voltage) & ~self.unanswered, capacity, energy)
        return np.nan_to_num(energy, nan=_UNRANKED)

    def deviations(self) -> Array:
        """``deviation`` of every row."""
        stated = (self.values["voltage_upper"] - self.values["voltage_lower"]) / (2 * NORMAL_90)
        return np.where(np.isnan(stated), self.values["voltage_std"], stated)


def stream(plan: Plan, stage: int) -> Iterator[Columns]:
    """All rows of a finished stage, with the columns that selection needs; memory holds one shard."""
    import pyarrow.parquet as pq

    for path in plan.files(stage):
        table = pq.read_table(path, columns=[*_TEXTS, *_NUMBERS])
        model, reason = (table[name].is_valid().to_numpy() for name in ("model", "reason"))
        yield Columns(
            unit=table["unit"].to_numpy(),
            part=table["part"].to_numpy().astype(np.int64),
            ion=table["ion"].to_numpy(),
            kept=table["status"].to_numpy() == "kept",
            unanswered=model | reason,
            values={name: np.array(table[name].to_numpy(), dtype=np.float64) for name in _NUMBERS},
        )


def normal(z: Any) -> Any:
    """Share of a normal distribution below z standard deviations; of a number or an array."""
    from scipy.special import ndtr

    return ndtr(z)


def deviation(row: Row) -> float | None:
    """Standard deviation of the expected error of a voltage, V: that of a normal error with the stated interval."""
    lower, upper = row.get("voltage_lower"), row.get("voltage_upper")
    if lower is not None and upper is not None:
        return float(upper - lower) / (2 * NORMAL_90)
    std = row.get("voltage_std")
    return None if std is None else float(std)


class _Best:
    """The highest scores of a stream, each with where it stands; ties go to what came first."""

    def __init__(self, most: int | None) -> None:
        self.most = 0 if most is None else most
        self._limited = most is not None
        self._kept: Array = np.empty((0, 3))
        self._new: list[Array] = []
        self._size = 0

    def add(self, scores: Array, units: Indices, parts: Indices) -> None:
        """Add scores of some rows."""
        if self._limited and len(scores):
            # Units stay whole numbers in a float up to 2^53.
            self._new.append(np.column_stack([scores, units, parts]))
            self._size += len(scores)
            if self._size > max(10_000, self.most // 4):
                self._shrink()

    def threshold(self, passed: int) -> tuple[float | None, tuple[int, int] | None]:
        """The least score that is kept and the last row that has it; None where all are."""
        if not self._limited or passed <= self.most:
            return None, None
        self._shrink()
        value, unit, part = self._kept[-1]
        return float(value), (int(unit), int(part))

    def _shrink(self) -> None:
        together = np.concatenate([self._kept, *self._new])
        order = np.lexsort((together[:, 2], together[:, 1], -together[:, 0]))
        self._kept, self._new, self._size = together[order[: self.most]], [], 0


def _with_losses(plan: Plan, stage: int, chosen: dict[str, IonSelection]) -> dict[str, IonSelection]:
    settings = plan.settings
    wanted = dict.fromkeys(settings.ions, 0.0)
    cut, left_out = dict(wanted), dict(wanted)
    for table in stream(plan, stage):
        std, voltage = table.deviations(), table.values["voltage"]
        known = np.isfinite(voltage) & (std > 0)
        inside = np.zeros(len(voltage))
        if settings.window is not None:
            low, high = settings.window
            inside[known] = normal((high - voltage[known]) / std[known]) - normal((low - voltage[known]) / std[known])
        scores = table.scores(settings)
        for ion, one in chosen.items():
            mine = known & (table.ion == ion)
            wanted[ion] += float(inside[mine].sum())
            cut[ion] += float(inside[mine & ~table.kept].sum())
            if one.threshold is not None:
                out = mine & table.kept & (scores < one.threshold)
                left_out[ion] += _belong(table, out, std, one.threshold, settings)
    found = {}
    for ion, one in chosen.items():
        if settings.window is not None:
            one = replace(one, wanted=wanted[ion], lost_by_cut=cut[ion])
        if one.threshold is not None:
            one = replace(one, lost_by_budget=left_out[ion])
        found[ion] = one
    return found


def _belong(table: Columns, out: Mask, std: Array, threshold: float, settings: Settings) -> float:
    """How many of some rows are expected to have a true score above a threshold below which their estimates lie."""
    if settings.rank.startswith("capacity") or threshold <= _UNRANKED:
        return 0.0
    capacity = np.ones(len(std))
    if settings.rank != "voltage":
        capacity = table.values["capacity_vol" if settings.rank.endswith("_vol") else "capacity_grav"]
    out = out & (capacity > 0)
    needed = threshold / capacity[out]
    probability = 1.0 - normal((needed - table.values["voltage"][out]) / std[out])
    if settings.window is not None:
        probability[needed > settings.window[1]] = 0.0
    return float(probability.sum())
