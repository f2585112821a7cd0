"""What a screen is asked to do: ions, stages, cuts and budgets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ionvolt.errors import InputError
from ionvolt.structures.crystal import ATOMIC_NUMBERS

StageName = Literal["rules", "network", "model", "compute"]
STAGES: tuple[StageName, ...] = ("rules", "network", "model", "compute")
"""From cheap to dear: composition and charges; the paper's network; the model that ``predict`` uses; ``compute``."""

DEFAULT_STAGES: tuple[StageName, ...] = ("rules", "network", "model")
DEFAULT_KEEP: dict[StageName, float] = {"model": 1000, "compute": 20}
"""How many rows enter a dear stage, per ion, where nothing is said."""

Rank = Literal["energy_grav", "energy_vol", "capacity_grav", "capacity_vol", "voltage"]
"""By what rows are ranked where a budget chooses among them."""

TOXIC = ("Be", "As", "Cd", "Hg", "Tl", "Pb")
"""Elements kept out of products by their toxicity."""

COSTLY = ("Ru", "Rh", "Pd", "Re", "Os", "Ir", "Pt", "Au", "Sc", "Lu", "Tm")
"""Platinum metals, rhenium, gold, and the rarest of the rare earths."""

RADIOACTIVE = ("Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm")
"""Elements without a stable isotope that occur in tables of crystals."""

LISTS: dict[str, tuple[str, ...]] = {"toxic": TOXIC, "costly": COSTLY, "radioactive": RADIOACTIVE}
"""Lists of elements by the name that ``--exclude`` takes."""


@dataclass(frozen=True)
class Settings:
    """All that changes what a screen answers.

    Attributes:
        ions: Symbols of the working ions.
        stages: Names of the stages, from cheap to dear.
        keep: How many rows enter a stage at most, for each ion: a number, or below 1 the fraction of those that passed
            the stage before. The best by ``rank`` enter. A stage that is not named takes all that passed.
        window: Lowest and highest voltage that is looked for, V; None: any.
        min_capacity: Lowest theoretical capacity, mAh/g; rows whose capacity is not known stay.
        exclude: Symbols of elements that no crystal may hold (the working ion apart).
        rank: By what a budget chooses.
        network: Model of the stage ``network``.
        model: Model of the stage ``model``.
        check_relaxed: Whether the stage ``model`` asks a potential if structures are relaxed, as ``predict`` does.
    """

    ions: tuple[str, ...]
    stages: tuple[StageName, ...] = DEFAULT_STAGES
    keep: dict[str, float] = field(default_factory=dict)
    window: tuple[float, float] | None = None
    min_capacity: float = 0.0
    exclude: tuple[str, ...] = ()
    rank: Rank = "energy_grav"
    network: str = "cgcnn-mp2020"
    model: str = "auto"
    check_relaxed: bool = True

    def __post_init__(self) -> None:
        wrong = [stage for stage in self.stages if stage not in STAGES]
        if wrong or not self.stages or list(self.stages) != sorted(set(self.stages), key=STAGES.index):
            raise InputError(
                "--stages " + ",".join(self.stages),
                "stages stand once each, from cheap to dear",
                f"Choose from {','.join(STAGES)} in this order",
            )
        for stage, most in self.keep.items():
            if stage not in self.stages:
                raise InputError(f"--keep {stage}", "no such stage in this screen", f"Name one of {self.stages}")
            if stage == self.stages[0]:
                raise InputError(f"--keep {stage}", "all rows enter the first stage", "Name a later one")
            if not most > 0 or (most > 1 and most != int(most)):
                raise InputError(f"--keep {stage}={most:g}", "neither a number nor a fraction", "Give 1000 or 0.1")
        if self.window is not None and not self.window[0] < self.window[1]:
            raise InputError("--voltage", "the window is empty", "Give the lower voltage first: 2.5:3.5")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        facts = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in facts.items()}

    @classmethod
    def of_dict(cls, facts: Mapping[str, Any]) -> Settings:
        """From ``to_dict``."""
        given: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in facts.items()}
        return cls(**given)


def parse_keep(texts: Sequence[str], stages: Sequence[str]) -> dict[str, float]:
    """``1000``, ``0.1`` or ``model=1000`` as budgets by stage; without a name the last stage is meant.

    Dear stages that are not named get ``DEFAULT_KEEP``.
    """
    keep: dict[str, float] = {stage: most for stage, most in DEFAULT_KEEP.items() if stage in stages[1:]}
    for text in texts:
        name, mark, number = text.rpartition("=")
        stage = name.strip() if mark else stages[-1]
        try:
            keep[stage] = float(number)
        except ValueError:
            raise InputError(f"--keep {text}", "no number", "Give 1000, 0.1 or model=1000") from None
    return keep


def parse_window(text: str) -> tuple[float, float]:
    """``2.5:3.5``; either side may be left out (``2.5:``)."""
    low, mark, high = text.partition(":")
    try:
        if not mark:
            raise ValueError
        return (float(low) if low.strip() else -100.0, float(high) if high.strip() else 100.0)
    except ValueError:
        raise InputError(f"--voltage {text}", "no window of voltages", "Give it as 2.5:3.5") from None


def parse_elements(text: str) -> tuple[str, ...]:
    """Symbols of elements and names of lists (``Co,toxic``), sorted, without repeats."""
    found: set[str] = set()
    for part in re.split(r"[,\s]+", text.strip()):
        if part.lower() in LISTS:
            found |= set(LISTS[part.lower()])
        elif part.capitalize() in ATOMIC_NUMBERS:
            found.add(part.capitalize())
        elif part:
            raise InputError(
                f"--exclude {part}", "neither an element nor a list of them", f"Lists are {', '.join(LISTS)}"
            )
    return tuple(sorted(found))
