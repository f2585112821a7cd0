"""What every predictor is asked and what it answers; each kind of model stands behind this one small interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ionvolt.ions import EndMembers
from ionvolt.models.card import ModelCard
from ionvolt.structures.crystal import Crystal

NORMAL_90 = 1.645
"""Standard deviations within which 90 % of a normal distribution lie."""


FULL_EXTRACTION_THRESHOLD = 0.5
"""Probability from which on an electrode is taken to give up all of its ions."""


@dataclass(frozen=True, eq=False)
class Query:
    """One electrode whose voltage is asked for.

    Attributes:
        ion: Symbol of the working ion.
        host: The charged host; where ``end_members`` is ``discharged``, that structure without its ions, unrelaxed.
        end_members: Which end members are known.
        discharged: The discharged crystal; None where ``end_members`` is ``charged``.
        n_ions: Ions that go into one cell of ``host``; None where the composition when discharged is not known.
        made_of: The crystal of which a charged ``host`` was made by taking other ions out; None: it was given.
    """

    ion: str
    host: Crystal
    end_members: EndMembers = "charged"
    discharged: Crystal | None = None
    n_ions: float | None = None
    made_of: Crystal | None = None

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

    @property
    def of_a_part(self) -> bool:
        """Whether some of the ions are likely to stay in: the voltage is that of those that come out."""
        return self.full_extraction is not None and self.full_extraction < FULL_EXTRACTION_THRESHOLD


def with_interval(
    voltage: float, half_width: float, spread: float, reasons: tuple[str, ...], model: str, physics: float | None = None
) -> Estimate:
    """An answer with a 90 % interval; its standard deviation is that of a normal error with this interval."""
    low, high = voltage - half_width, voltage + half_width
    return Estimate(voltage, half_width / NORMAL_90, low, high, spread, not reasons, reasons, physics, model)


TOLD_WIDENING = 1.1
"""Growth of an interval from which on it is told."""


def widen(lower: float, upper: float, extra: float, strain: float) -> tuple[float, float, str | None]:
    """A 90 % interval that holds what forces and pressure of the given structures add, and a note on it.

    Args:
        lower: V.
        upper: V.
        extra: What they add to half of it, in squares, V.
        strain: The largest of them, as a share of its limit; beyond 1 a doubt is told, so that no note is needed.
    """
    middle, before = (lower + upper) / 2, (upper - lower) / 2
    half = float(np.hypot(before, extra))
    note = (
        f"forces or pressure reach {100 * strain:.0f} % of what relaxed structures may have: the interval is "
        f"±{half:.2f} V instead of ±{before:.2f} V"
    )
    return middle - half, middle + half, note if half >= TOLD_WIDENING * before and strain <= 1 else None


Pooling = Literal["sum", "mean"]
"""How atoms make a voltage: energies of atoms add up, vectors of atoms are averaged."""


@dataclass(frozen=True, eq=False)
class AtomContributions:
    """An answer shared out among the atoms of a crystal: contributions and remainder add up to the voltage.

    Attributes:
        estimate: The answer.
        crystal: The crystal whose N atoms are meant.
        contributions: V, shape (N,), float64.
        spread: Standard deviation of each contribution over the learners, V, shape (N,); 0 for a single learner.
        remainder: V that belong to no atom.
        remainder_is: What the remainder stands for, a few words.
        pooling: How the atoms make the voltage.
        potential: The part of each contribution that comes from the universal potential's energies, V, shape (N,); None
            where there is none.
        linear: Local voltages by eq. (2) of the paper, V, shape (N,); None where the model has none.
        notes: What the reader should know of this sharing out, in plain words.
    """

    estimate: Estimate
    crystal: Crystal
    contributions: NDArray[np.float64]
    spread: NDArray[np.float64]
    remainder: float
    remainder_is: str
    pooling: Pooling
    potential: NDArray[np.float64] | None = None
    linear: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    @property
    def remainder_share(self) -> float:
        """How much of the answer belongs to no atom: of the absolute values of all parts, 0 to 1."""
        whole = abs(self.remainder) + abs(float(self.contributions.sum()))
        return abs(self.remainder) / whole if whole else 0.0

    @property
    def local_voltages(self) -> NDArray[np.float64]:
        """N times the contribution, plus the remainder, V, shape (N,): their mean is the voltage.

        They do not hang on the size of the cell.
        """
        local: NDArray[np.float64] = len(self.crystal) * self.contributions + self.remainder
        return local

    @property
    def departures(self) -> NDArray[np.float64]:
        """How far each atom moves the voltage, times N, V, shape (N,).

        In a sum that is its contribution. In a mean it is by how much the local voltage departs from the voltage.
        """
        centre = self.contributions.mean() if self.pooling == "mean" else 0.0
        departures: NDArray[np.float64] = len(self.crystal) * (self.contributions - centre)
        return departures


class Predictor(Protocol):
    """A trained model that answers queries, in their order."""

    card: ModelCard

    @property
    def accepts(self) -> frozenset[EndMembers]:
        """End members that it makes use of.

        A model with ``charged`` among them answers every query, by the host where it knows no better; one without
        answers only queries of the end members that stand here.
        """
        ...

    @property
    def explains(self) -> bool:
        """Whether ``attribute`` shares its answers out among atoms."""
        ...

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

    def attribute(self, queries: Sequence[Query]) -> list[AtomContributions]:
        """Answers as ``estimate`` gives them, shared out among the atoms of crystals.

        Raises:
            InputError: A crystal that the model cannot take.
            ModelError: As ``estimate``; or the model does not explain its answers.
        """
        ...
