"""What every predictor is asked and what it answers; each kind of model stands behind this one small interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard
from ionvolt.structures.crystal import Crystal

NORMAL_90 = 1.645
"""Standard deviations within which 90 % of a normal distribution lie."""


@dataclass(frozen=True, eq=False)
class Query:
    """One electrode whose voltage is asked for.

    Attributes:
        ion: Symbol of the working ion.
        host: The charged host; where ``end_members`` is ``discharged``, that structure without its ions, unrelaxed.
        end_members: Which end members are known.
        discharged: The discharged crystal; None where ``end_members`` is ``charged``.
        n_ions: Ions that go into one cell of ``host``; None where the composition when discharged is not known.
    """

    ion: str
    host: Crystal
    end_members: EndMembers = "charged"
    discharged: Crystal | None = None
    n_ions: float | None = None

    def __post_init__(self) -> None:
        if (self.discharged is None) != (self.end_members == "charged"):
            raise ValueError(f"a query of end members {self.end_members} with discharged={self.discharged}")
        if self.n_ions is not None and not self.n_ions > 0:
            raise ValueError(f"{self.n_ions} ions go in; more than none are needed")


@dataclass(frozen=True)
class Estimate:
    """A voltage and how far it is to be trusted.

    Attributes:
        voltage: V against the ion's metal.
        std: One standard deviation of the expected error, V; None where the model cannot tell.
        lower: Lower end of the 90 % interval, V; None where the model has none.
        upper: Upper end, V.
        epistemic_std: Spread of the model's members, V; None for a single one.
        in_domain: Whether the electrode is like those that the model learned from; None where it cannot tell.
        reasons: Why not, in plain words.
        physics: Voltage from the universal potential's energies alone, V; None where the model does not use them.
        model: Name of the model that answered.
        full_extraction: Probability that all ions come out of the discharged electrode, 0 to 1; None where the model
            cannot tell.
    """

    voltage: float
    std: float | None = None
    lower: float | None = None
    upper: float | None = None
    epistemic_std: float | None = None
    in_domain: bool | None = None
    reasons: tuple[str, ...] = ()
    physics: float | None = None
    model: str = ""
    full_extraction: float | None = None


def with_interval(
    voltage: float, half_width: float, spread: float, reasons: tuple[str, ...], model: str, physics: float | None = None
) -> Estimate:
    """An answer with a 90 % interval; its standard deviation is that of a normal error with this interval."""
    low, high = voltage - half_width, voltage + half_width
    return Estimate(voltage, half_width / NORMAL_90, low, high, spread, not reasons, reasons, physics, model)


class Predictor(Protocol):
    """A trained model that answers queries, in their order."""

    card: ModelCard

    @property
    def ions(self) -> list[str]:
        """Working ions that it knows."""
        ...

    def require(self, ions: Sequence[str]) -> None:
        """Raise ``ModelError`` where it does not know one of the ions."""
        ...

    def estimate(self, queries: Sequence[Query]) -> list[Estimate]:
        """Answer queries, in their order.

        Raises:
            InputError: A crystal that the model cannot take.
            ModelError: An ion that it does not know, or a query that lacks what it needs.
        """
        ...
