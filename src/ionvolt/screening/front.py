"""The best of a run: the Pareto front of what one wants of an electrode, and a list ranked by one of them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ionvolt.errors import InputError
from ionvolt.screening.records import NUMBERS, Row
from ionvolt.screening.results import rows_of
from ionvolt.screening.selection import deviation
from ionvolt.screening.settings import Rank
from ionvolt.typing import Array

OBJECTIVES = ("voltage", "energy_grav", "energy_vol", "volume_change", "uncertainty")
"""What a front weighs; the first three are better high, the last two better low."""

_LOW = frozenset({"volume_change", "uncertainty"})
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<|>|=)\s*(\S+)\s*")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}  # fmt: skip


@dataclass(frozen=True)
class Filters:
    """Which rows count.

    Attributes:
        ion: Symbol of the working ion; empty: all.
        conditions: On columns of numbers, such as ``voltage>2`` or ``n_atoms<=40``; a row without the number fails.
        elements: The host holds at least one of these; empty: any.
        without: It holds none of these.
        in_domain: Only answers in the model's domain.
        last: Only rows that passed all stages.
    """

    ion: str = ""
    conditions: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    in_domain: bool = False
    last: bool = True

    def admits(self, row: Row) -> bool:
        """Whether a row counts."""
        if self.last and row["status"] != "kept":
            return False
        if self.ion and row["ion"] != self.ion:
            return False
        if self.in_domain and not row.get("in_domain"):
            return False
        if self.elements or self.without:
            held = set(re.findall(r"[A-Z][a-z]?", row.get("formula") or ""))
            if (self.elements and not held & set(self.elements)) or held & set(self.without):
                return False
        return all(_holds(row, *condition) for condition in self._parsed)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_conditions", [_parse(text) for text in self.conditions])

    @property
    def _parsed(self) -> list[tuple[str, str, float]]:
        found: list[tuple[str, str, float]] = self.__dict__["_conditions"]
        return found


def best(folder: Path, n: int, rank: Rank | str, filters: Filters) -> list[Row]:
    """The first rows by one column, one for each formula and ion (the best polymorph); higher is better."""
    if rank not in (*NUMBERS, "uncertainty"):
        raise InputError(f"--by {rank}", "no column of numbers", f"Choose from {', '.join(NUMBERS)}, uncertainty")
    found: dict[tuple[str, str], tuple[float, int, Row]] = {}
    heap: list[tuple[float, int, tuple[str, str]]] = []
    for number, row in enumerate(_counted(folder, filters)):
        value = value_of(row, str(rank))
        if value is None:
            continue
        value = -value if rank in _LOW else value
        key = (row.get("host_formula") or row["formula"], row["ion"])
        if key in found:
            if value > found[key][0]:
                found[key] = (value, -number, row)
                heap = [(v, k, key) for key, (v, k, _) in found.items()]
                heapq.heapify(heap)
            continue
        found[key] = (value, -number, row)
        heapq.heappush(heap, (value, -number, key))
        if len(heap) > n:
            del found[heapq.heappop(heap)[2]]
    return [row for _, _, row in sorted(found.values(), key=lambda one: (-one[0], -one[1]))]


def front(folder: Path, filters: Filters, objectives: Iterable[str] = OBJECTIVES) -> tuple[list[Row], list[str]]:
    """Rows that no other row beats in everything at once.

    An objective that no row has (the volume change, where nothing was computed) is left out; a row that lacks another
    one does not count.

    Returns:
        The rows, by falling voltage, and the objectives that were weighed.
    """
    names = list(objectives)
    wrong = [name for name in names if name not in OBJECTIVES]
    if wrong or not names:
        raise InputError(f"--objectives {','.join(names)}", "not what a front weighs", f"Choose from {OBJECTIVES}")
    has = dict.fromkeys(names, False)
    for row in _counted(folder, filters):
        for name in names:
            has[name] |= value_of(row, name) is not None
        if all(has.values()):
            break
    names = [name for name in names if has[name]]
    rows: list[Row] = []
    kept: Array = np.empty((0, len(names)))
    for row in _counted(folder, filters) if names else ():
        values = [value_of(row, name) for name in names]
        if None in values:
            continue
        signs = [-1.0 if name in _LOW else 1.0 for name in names]
        point = np.array(values, dtype=np.float64) * signs
        if bool(((kept >= point).all(axis=1)).any()):
            continue
        stays = np.flatnonzero(~(kept <= point).all(axis=1))
        rows = [rows[k] for k in stays]
        rows.append(row)
        kept = np.vstack([kept[stays], point])
    return sorted(rows, key=lambda row: -(row["voltage"] or 0.0)), names


def value_of(row: Row, name: str) -> float | None:
    """A number of a row; ``uncertainty`` is one standard deviation of the expected error, V."""
    if name == "uncertainty":
        return deviation(row)
    value = row.get(name)
    if value is None:
        return None
    return abs(float(value)) if name == "volume_change" else float(value)


def _counted(folder: Path, filters: Filters) -> Iterator[Row]:
    return (row for row in rows_of(folder) if filters.admits(row))


def _parse(text: str) -> tuple[str, str, float]:
    match = _CONDITION.fullmatch(text)
    names = (*NUMBERS, "uncertainty", "n_atoms")
    try:
        if match is None or match[1] not in names:
            raise ValueError
        return match[1], match[2], float(match[3])
    except ValueError:
        raise InputError(
            f"--where {text}", "no condition on a column", f"Write voltage>2; columns are {', '.join(names)}"
        ) from None


def _holds(row: Row, name: str, sign: str, bound: float) -> bool:
    value = value_of(row, name)
    return value is not None and _COMPARE[sign](value, bound)
