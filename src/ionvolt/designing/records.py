"""What travels: a substitution, a candidate, an electrode that was designed, and the list of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ionvolt.designing.settings import DesignSettings
from ionvolt.results import html_table
from ionvolt.structures.crystal import Crystal

Stage = Literal["relaxed", "predicted"]
"""How far a candidate got: its ends were relaxed, or the fast model predicted it as it was drawn."""

Kind = Literal["none", "isovalent", "aliovalent"]
"""Whether all new ions carry the charge of those whose places they take."""


@dataclass(frozen=True)
class Substitution:
    """Atoms of one element that become another.

    Attributes:
        old: Element that was there.
        new: Element that comes in.
        sites: Indices of the atoms in the host's discharged cell.
        of: Atoms of the old element in that cell.
    """

    old: str
    new: str
    sites: tuple[int, ...]
    of: int

    def __str__(self) -> str:
        part = "" if len(self.sites) == self.of else f" ({len(self.sites)} of {self.of})"
        return f"{self.old} to {self.new}{part}"


@dataclass(frozen=True, eq=False)
class Candidate:
    """An electrode before it is judged.

    Attributes:
        crystal: The discharged electrode, its cell scaled to the new elements, unrelaxed.
        parent: The host that it was made from, as the user would name it.
        substitutions: What was done; none for the host itself.
        kind: Whether charges changed.
        out: Working ions of the cell that the metals' electrons let out.
        removed: Working ions that were left out of the cell, so that the charges balance.
        probability: How likely the substitutions are in known compounds (``guidance.log_probability``), natural
            logarithm; None for the host itself.
        score: What the guide ranked it by; the higher the earlier.
    """

    crystal: Crystal
    parent: str
    substitutions: tuple[Substitution, ...]
    kind: Kind
    out: int
    removed: int
    probability: float | None
    score: float


@dataclass(frozen=True)
class Design:
    """A designed electrode, judged.

    Attributes:
        rank: Its place in the list, from 1.
        front: Its Pareto front, from 1: no other one is better in everything than those of the first.
        formula: Reduced formula of the discharged electrode.
        formula_charged: Formula of the charged crystal.
        parent: The host that it was made from.
        substitutions: What was done, in words; empty for the host itself.
        kind: Whether charges changed.
        stage: How far it got.
        voltage: Average voltage, V.
        voltage_lower: Lower end of the 90 % interval, V; None where the model has none.
        voltage_upper: Upper end, V.
        voltage_predicted: What the fast model said before, V.
        voltage_measured: What a cell is expected to show, V (``computation``); None where it cannot be told.
        model: Which model answered.
        capacity_grav: mAh/g of the discharged electrode, for the ions that come out.
        capacity_vol: mAh/cm³.
        energy_grav: Wh/kg.
        energy_vol: Wh/L.
        volume_change: Growth of the host on discharge, as a fraction; None where nothing was relaxed.
        in_domain: Whether it is like the electrodes that the model was trained on.
        distance: Distance from the nearest electrode that the model was trained on, divided by the model's limit: 1 is
            as far as the farthest 3 % of held-out electrodes; None where nothing was relaxed.
        missed: Targets that it misses: ``voltage``, ``volume``.
        warnings: Reservations, in plain words.
        discharged: The discharged crystal; not part of ``to_dict``.
        charged: The charged crystal; None where nothing was relaxed; not part of ``to_dict``.
    """

    rank: int
    front: int
    formula: str
    formula_charged: str
    parent: str
    substitutions: tuple[str, ...]
    kind: Kind
    stage: Stage
    voltage: float
    voltage_lower: float | None
    voltage_upper: float | None
    voltage_predicted: float | None
    voltage_measured: float | None
    model: str
    capacity_grav: float
    capacity_vol: float
    energy_grav: float
    energy_vol: float
    volume_change: float | None
    in_domain: bool | None
    distance: float | None
    missed: tuple[str, ...]
    warnings: tuple[str, ...]
    discharged: Crystal = field(repr=False, compare=False, kw_only=True)
    charged: Crystal | None = field(default=None, repr=False, compare=False, kw_only=True)

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval, V."""
        if self.voltage_lower is None or self.voltage_upper is None:
            return None
        return (self.voltage_upper - self.voltage_lower) / 2

    def to_dict(self) -> dict[str, Any]:
        """The electrode as plain JSON types, without its structures."""
        kept = {name: value for name, value in self.__dict__.items() if name not in ("discharged", "charged")}
        lists = {name: list(kept[name]) for name in ("substitutions", "missed", "warnings")}
        return kept | lists


@dataclass(frozen=True)
class DesignResult:
    """What came of a design.

    Attributes:
        working_ion: Symbol of the ion.
        settings: What was asked.
        parents: The hosts that candidates were made from, as the user would name them.
        proposed: Substitutions that were thought of.
        balanced: Candidates that were made: distinct, their charges balanced.
        designs: The electrodes, the best first.
        refused: What could not be judged, and why: one line each.
    """

    working_ion: str
    settings: DesignSettings
    parents: tuple[str, ...]
    proposed: int
    balanced: int
    designs: tuple[Design, ...]
    refused: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types, without structures."""
        settings = dict(self.settings.__dict__)
        if self.settings.voltage is not None:
            settings["voltage"] = [None if abs(v) == float("inf") else v for v in self.settings.voltage]
        return {
            "working_ion": self.working_ion,
            "settings": settings | {name: list(settings[name]) for name in ("elements", "exclude")},
            "parents": list(self.parents),
            "proposed": self.proposed,
            "balanced": self.balanced,
            "designs": [one.to_dict() for one in self.designs],
            "refused": list(self.refused),
        }

    def _repr_html_(self) -> str:
        return html_table([one.to_dict() for one in self.designs])
