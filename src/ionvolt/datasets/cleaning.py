"""Cleaning rules: named, counted, none applied unless asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ionvolt.datasets.records import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.typing import Mask


@dataclass(frozen=True)
class Rule:
    """A cleaning rule: what it keeps, in words and in code."""

    words: str
    keep: Callable[[ElectrodeSet], Mask]


def _within_deviations(data: ElectrodeSet, factor: dict[str, float], default: float) -> Mask:
    keep = np.ones(len(data), dtype=bool)
    for ion in np.unique(data.ions):
        of_ion = data.ions == ion
        v = data.voltages[of_ion]
        times = factor.get(str(ion), default)
        if math.isfinite(times):  # not so, and equal voltages would give inf * 0, which keeps nothing
            keep[of_ion] = np.abs(v - v.mean()) <= times * v.std()
    return keep


def _first_of_each(data: ElectrodeSet) -> Mask:
    seen: set[tuple[str, str, str]] = set()
    keep = np.zeros(len(data), dtype=bool)
    for i, e in enumerate(data):
        key = (e.snapshot, e.id_charge or e.battery_id, e.working_ion)
        keep[i] = key not in seen
        seen.add(key)
    return keep


RULES: dict[str, Rule] = {
    "2sigma": Rule(
        "within two standard deviations of the ion's mean voltage", lambda d: _within_deviations(d, {}, 2.0)
    ),
    "paper": Rule(
        "the paper's trimming: within 2 standard deviations of the ion's mean (Na 1.5, K not trimmed)",
        lambda d: _within_deviations(d, {"Na": 1.5, "K": np.inf}, 2.0),
    ),
    "abs7": Rule("voltage between -7 and 7 V", lambda d: np.abs(d.voltages) < 7.0),
    "positive": Rule("voltage above 0 V", lambda d: d.voltages > 0.0),
    "dedupe": Rule("the first electrode of each charged id and ion", _first_of_each),
}


def check_rules(names: Sequence[str]) -> None:
    """Raise ``DataError`` for a rule that does not exist."""
    for name in names:
        if name not in RULES:
            raise DataError(f"{name}: no such cleaning rule. Choose from {', '.join(RULES)}")


def clean(data: ElectrodeSet, rules: Sequence[str]) -> tuple[ElectrodeSet, dict[str, int]]:
    """Apply rules one after another.

    Returns:
        What is left, with the rules in its provenance, and how many rows each rule removed.

    Raises:
        DataError: An unknown rule, or a rule that leaves nothing.
    """
    check_rules(rules)
    removed: dict[str, int] = {}
    history = list(data.provenance.get("cleaning", []))
    for name in rules:
        keep = RULES[name].keep(data)
        if len(data) and not keep.any():
            raise DataError(f"{name}: this cleaning rule leaves none of {len(data)} electrodes. Leave it out")
        count = int((~keep).sum())
        history.append({"rule": name, "removed": count})
        removed[name] = removed.get(name, 0) + count
        data = data[keep]
    if removed:
        data = ElectrodeSet(data.electrodes, {**data.provenance, "cleaning": history})
    return data, removed
