"""What stands in the card of an ensemble because it answers by it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ionvolt.graphs import Ties


@dataclass(frozen=True)
class Calibration:
    """How the answers for an ion are judged.

    Attributes:
        std_scale: Standard deviation of the expected error in units of the members' spread, joined with the floor.
        std_floor: V.
        distance_limit: Distance to the nearest training host beyond which a host is out of the domain; None: not told.
    """

    std_scale: float = 1.0
    std_floor: float = 0.0
    distance_limit: float | None = None


@dataclass(frozen=True)
class EnsembleParameters:
    """What an ensemble needs to answer, besides its weights.

    Attributes:
        n_members: Networks.
        ties: How its graphs choose among neighbours at equal distance (``graphs.neighbours.Ties``).
        calibration: By ion.
    """

    n_members: int = 1
    ties: Ties = "invariant"
    calibration: dict[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n_members < 1:
            raise ValueError(f"hyperparameters.n_members is {self.n_members}")
