"""Judged candidates in the order in which they are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ionvolt.designing.assessment import Relaxed
from ionvolt.designing.candidates import outside
from ionvolt.designing.pareto import fronts
from ionvolt.designing.records import Candidate, Design
from ionvolt.designing.settings import DesignSettings
from ionvolt.prediction import Prediction

UNSURE = 0.5
"""Half-width of the interval, V, of a fast model that gives none."""


def worth_relaxing(
    found: Sequence[tuple[Candidate, Prediction]], settings: DesignSettings
) -> list[tuple[Candidate, Prediction]]:
    """Candidates in the order in which the budget is spent.

    First those whose interval reaches into the voltages that are wanted; of these those that the fast model knows its
    way about; then by Pareto front of specific energy, energy density and how likely the substitution is.
    """
    values = [[energies(p)[0], energies(p)[1], c.probability or 0.0] for c, p in found]
    order = fronts(values)
    return [
        found[i]
        for i in sorted(
            range(len(found)),
            key=lambda i: (
                not _in_reach(found[i][1], settings),
                found[i][1].in_domain is False,
                order[i],
                -values[i][0],
                i,
            ),
        )
    ]


def energies(found: Prediction) -> tuple[float, float]:
    """Specific energy (Wh/kg) and energy density (Wh/L) of a prediction of a discharged electrode."""
    return (found.capacity_grav or 0.0) * found.voltage, (found.capacity_vol or 0.0) * found.voltage


def ranked(designs: Sequence[Design]) -> tuple[Design, ...]:
    """Relaxed ones before predicted ones, those that meet the targets before those that miss some, then by fronts.

    A front weighs specific energy, energy density and, where it was relaxed, the change of the volume and the width of
    the interval. Within a front the specific energy counts.
    """
    found: list[Design] = []
    for stage in ("relaxed", "predicted"):
        for misses in (False, True):
            group = [one for one in designs if one.stage == stage and bool(one.missed) == misses]
            numbered = [
                replace(one, front=front) for one, front in zip(group, fronts([_values(d) for d in group]), strict=True)
            ]
            found += sorted(numbered, key=lambda one: (one.front, -one.energy_grav, one.formula))
    return tuple(replace(one, rank=rank) for rank, one in enumerate(found, start=1))


def design_of(candidate: Candidate, before: Prediction, found: Relaxed | None, settings: DesignSettings) -> Design:
    """A candidate as it is told; ``found`` is None where it was not relaxed. Rank and front are not known yet."""
    specific, dense = energies(before) if found is None else (found.energy_grav, found.energy_vol)
    voltage = before.voltage if found is None else found.voltage
    lower, upper = (
        (before.voltage_lower, before.voltage_upper) if found is None else (found.voltage_lower, found.voltage_upper)
    )
    if lower is None and before.voltage_std is not None and found is None:
        lower, upper = voltage - 1.645 * before.voltage_std, voltage + 1.645 * before.voltage_std
    growth = None if found is None else found.volume_change
    discharged = candidate.crystal if found is None else found.discharged
    return Design(
        rank=0,
        front=0,
        formula=discharged.formula,
        formula_charged=before.host_formula if found is None else found.charged.formula,
        parent=candidate.parent,
        substitutions=tuple(str(one) for one in candidate.substitutions),
        kind=candidate.kind,
        stage="predicted" if found is None else "relaxed",
        voltage=voltage,
        voltage_lower=lower,
        voltage_upper=upper,
        voltage_predicted=before.voltage,
        voltage_measured=None if found is None else found.voltage_measured,
        model=before.model if found is None else found.model,
        capacity_grav=(before.capacity_grav or 0.0) if found is None else found.capacity_grav,
        capacity_vol=(before.capacity_vol or 0.0) if found is None else found.capacity_vol,
        energy_grav=specific,
        energy_vol=dense,
        volume_change=growth,
        in_domain=before.in_domain if found is None else found.in_domain,
        distance=None if found is None else found.distance,
        missed=_missed(voltage, growth, settings),
        warnings=_notes(candidate) + (before.warnings if found is None else found.warnings),
        discharged=discharged,
        charged=None if found is None else found.charged,
    )


def _notes(candidate: Candidate) -> tuple[str, ...]:
    if not candidate.removed:
        return ()
    return (f"{candidate.removed} working ions of a cell were left out, so that the charges balance",)


def _missed(voltage: float, growth: float | None, settings: DesignSettings) -> tuple[str, ...]:
    found = []
    if settings.voltage is not None and outside(voltage, settings.voltage) > 0:
        found.append("voltage")
    if settings.max_volume_change is not None and growth is not None and abs(growth) > settings.max_volume_change:
        found.append("volume")
    return tuple(found)


def _in_reach(found: Prediction, settings: DesignSettings) -> bool:
    if settings.voltage is None:
        return True
    half = UNSURE if found.voltage_std is None else 1.645 * found.voltage_std
    if found.voltage_lower is not None and found.voltage_upper is not None:
        half = (found.voltage_upper - found.voltage_lower) / 2
    return outside(found.voltage, settings.voltage) <= half


def _values(one: Design) -> list[float]:
    if one.stage == "predicted":
        return [one.energy_grav, one.energy_vol]
    return [one.energy_grav, one.energy_vol, -abs(one.volume_change or 0.0), -(one.half_width or 0.0)]
