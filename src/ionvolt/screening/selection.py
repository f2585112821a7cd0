"""What of a finished stage enters the next: the budget's threshold, and how much may have been dropped wrongly.

Rows pass by in one stream; in memory stand only as many scores as the budget keeps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.models.interface import NORMAL_90
from ionvolt.screening.places import selection_file
from ionvolt.screening.plan import Plan
from ionvolt.screening.records import Row, read_records
from ionvolt.screening.settings import Settings
from ionvolt.store import write_json
from ionvolt.typing import Array

_UNRANKED = -1e300
"""Below every score; JSON knows no infinity."""
_NEEDED = (
    "unit", "part", "ion", "status", "voltage", "voltage_lower", "voltage_upper", "voltage_std", "capacity_grav",
    "capacity_vol", "energy_grav", "energy_vol",
)  # fmt: skip


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
    scores = {ion: _Best(budget) for ion in settings.ions}
    passed = dict.fromkeys(settings.ions, 0)
    if budget is not None and budget < 1:
        for row in stream(plan, stage):
            passed[row["ion"]] += row["status"] == "kept"
        scores = {ion: _Best(math.ceil(budget * passed[ion])) for ion in settings.ions}
        passed = dict.fromkeys(settings.ions, 0)
    for row in stream(plan, stage):
        if row["status"] == "kept":
            passed[row["ion"]] += 1
            scores[row["ion"]].add(score(row, settings), row["unit"], row["part"])
    found = {}
    for ion in settings.ions:
        threshold, last = scores[ion].threshold(passed[ion])
        entering = passed[ion] if threshold is None else scores[ion].most
        found[ion] = IonSelection(passed[ion], entering, threshold, last)
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


def stream(plan: Plan, stage: int) -> Iterator[Row]:
    """All rows of a finished stage, with the columns that selection needs."""
    for path in plan.files(stage):
        yield from read_records(path, _NEEDED)


def normal(z: float) -> float:
    """Share of a normal distribution below z standard deviations."""
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))


def deviation(row: Row) -> float | None:
    """Standard deviation of the expected error of a voltage, V: that of a normal error with the stated interval."""
    lower, upper = row.get("voltage_lower"), row.get("voltage_upper")
    if lower is not None and upper is not None:
        return float(upper - lower) / (2 * NORMAL_90)
    std = row.get("voltage_std")
    return None if std is None else float(std)


class _Best:
    """The highest scores of a stream, each with where it stands; ties go to what came first."""

    def __init__(self, most: float | None) -> None:
        self.most = 0 if most is None else int(most)
        self._limited = most is not None
        self._kept: Array = np.empty((0, 3))
        self._new: list[tuple[float, int, int]] = []

    def add(self, value: float, unit: int, part: int) -> None:
        if self._limited:
            self._new.append((value, unit, part))
            if len(self._new) > max(10_000, self.most // 4):
                self._shrink()

    def threshold(self, passed: int) -> tuple[float | None, tuple[int, int] | None]:
        if not self._limited or passed <= self.most:
            return None, None
        self._shrink()
        value, unit, part = self._kept[-1]
        return float(value), (int(unit), int(part))

    def _shrink(self) -> None:
        if self._new:
            # Units stay whole numbers in a float up to 2^53.
            together = np.concatenate([self._kept, np.array(self._new, dtype=np.float64)])
            order = np.lexsort((together[:, 2], together[:, 1], -together[:, 0]))
            self._kept, self._new = together[order[: self.most]], []


def _with_losses(plan: Plan, stage: int, chosen: dict[str, IonSelection]) -> dict[str, IonSelection]:
    settings = plan.settings
    if plan.settings.stages[stage] == "rules":
        return chosen
    wanted = dict.fromkeys(settings.ions, 0.0)
    cut, left_out = dict(wanted), dict(wanted)
    for row in stream(plan, stage):
        std, voltage, ion = deviation(row), row["voltage"], row["ion"]
        if voltage is None or not std:
            continue
        if settings.window is not None:
            low, high = settings.window
            probability = normal((high - voltage) / std) - normal((low - voltage) / std)
            wanted[ion] += probability
            if row["status"] == "dropped":
                cut[ion] += probability
        if row["status"] == "kept" and not chosen[ion].admits(row, settings):
            left_out[ion] += _belongs(row, std, chosen[ion].threshold or 0.0, settings)
    found = {}
    for ion, one in chosen.items():
        facts = {**asdict(one), "last": one.last}
        if settings.window is not None:
            facts |= {"wanted": wanted[ion], "lost_by_cut": cut[ion]}
        if one.threshold is not None:
            facts["lost_by_budget"] = left_out[ion]
        found[ion] = IonSelection(**facts)
    return found


def _belongs(row: Row, std: float, threshold: float, settings: Settings) -> float:
    """Probability that a row's true score lies above a threshold below which its estimate lies."""
    if settings.rank.startswith("capacity") or threshold <= _UNRANKED:
        return 0.0
    capacity = 1.0
    if settings.rank != "voltage":
        capacity = row["capacity_vol" if settings.rank.endswith("_vol") else "capacity_grav"] or 0.0
    if not capacity:
        return 0.0
    needed = threshold / capacity
    if settings.window is not None and needed > settings.window[1]:
        return 0.0
    return 1.0 - normal((needed - row["voltage"]) / std)
