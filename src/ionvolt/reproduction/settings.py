"""How much is trained for a report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ReportSettings:
    """Settings of a report; together with the data they name its stages.

    Attributes:
        seeds: A split for each; the first one's networks are drawn and explained.
        members: Networks in an ensemble.
        epochs: Passes over the training part, of networks and heads; None: those of the shipped networks.
        scratch_seeds: How many of the splits, from the first on, have networks trained from scratch on the ion alone.
        forests: Whether extra trees stand beside the kernel machines.
        n_map: Environments in the t-SNE map.
        n_trees: Trees of the forest whose importances are drawn.
        quick: Figures are not comparable with the paper's.
    """

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    members: int = 2
    epochs: int | None = None
    scratch_seeds: int = 2
    forests: bool = True
    n_map: int = 2500
    n_trees: int = 80
    quick: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        return asdict(self) | {"seeds": list(self.seeds)}

    def in_words(self) -> str:
        """One line for the page."""
        epochs = "the shipped networks' epochs" if self.epochs is None else f"{self.epochs} epochs"
        networks = "one network each" if self.members == 1 else f"ensembles of {self.members} networks"
        splits = "one split" if len(self.seeds) == 1 else f"{len(self.seeds)} splits"
        seeds = f"seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"
        return f"{splits} ({seeds}), {networks}, {epochs}"


FULL = ReportSettings()
QUICK = ReportSettings(
    seeds=(0,), members=1, epochs=12, scratch_seeds=0, forests=False, n_map=1000, n_trees=40, quick=True
)
