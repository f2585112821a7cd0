"""Every choice of this recipe in one place: splits, seeds, members, settings of the networks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ionvolt.datasets.splits import Kind as SplitKind
from ionvolt.training.settings import FINE_TUNE, HEAD, Settings


@dataclass(frozen=True)
class HeldOutTest:
    """Test parts on which the recipe is measured, one for each seed.

    Attributes:
        cleaning: A rule of cleaning, or ``none``.
        split: How rows are dealt out.
        seeds: Seeds of the splits; networks start from ``100 * seed`` on.
        members: Networks in each ensemble.
        scratch: Whether a network is trained on each ion alone, to compare.
        fine_tuned_seeds: For so many seeds a network is fine-tuned as a whole, too.
    """

    cleaning: str
    split: SplitKind
    seeds: tuple[int, ...]
    members: int
    scratch: bool = False
    fine_tuned_seeds: int = 0

    @property
    def name(self) -> str:
        """Its name in cards."""
        return f"{self.cleaning}/{self.split}"

    @property
    def rules(self) -> list[str]:
        """Cleaning rules."""
        return [] if self.cleaning == "none" else [self.cleaning]


_FIVE = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class CgcnnSettings:
    """All choices.

    Attributes:
        tests: Where the recipe is measured.
        clean: Rules that clean the data of the fitted model.
        deviation: Name of the test from which an ion's standard deviation is taken.
        li: How the Li networks are trained.
        head: How heads are transferred.
        scratch: How networks are trained on an ion alone, to compare.
        fine_tune: How networks are fine-tuned as a whole, to compare.
        final_members: Networks of the fitted model.
        checked: Crystals of each ion on which the sum rule of local voltages is tried.
    """

    tests: tuple[HeldOutTest, ...] = (
        HeldOutTest("paper", "random", _FIVE, 3, scratch=True, fine_tuned_seeds=2),
        HeldOutTest("paper", "framework", _FIVE, 2, scratch=True, fine_tuned_seeds=2),
        HeldOutTest("none", "random", _FIVE, 2),
        HeldOutTest("none", "framework", _FIVE[:3], 2),
    )
    clean: tuple[str, ...] = ("paper",)
    deviation: str = "paper/framework"
    li: Settings = field(default_factory=Settings)
    head: Settings = HEAD
    scratch: Settings = field(default_factory=lambda: Settings(batch_size=32, epochs=60))
    fine_tune: Settings = field(default_factory=lambda: replace(FINE_TUNE, epochs=25))
    final_members: int = 5
    checked: int = 100
