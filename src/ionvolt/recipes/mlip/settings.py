"""Every choice of this recipe in one place: folds, seeds, members, settings of the learners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from ionvolt.datasets.splits import Kind as SplitKind
from ionvolt.ions import EndMembers
from ionvolt.models.mlip.atomic_gp import AtomicGPSettings
from ionvolt.training.mlip.fit import CorrectionSettings, MachineSettings
from ionvolt.training.settings import Settings

Part = EndMembers
"""What is learned from: hosts with the ion tried in them, discharged structures with the ion removed, or both ends."""

PARTS: tuple[Part, ...] = get_args(Part)

Case = Literal["charged", "composition", "discharged", "both"]
"""What is asked: each part, and charged hosts whose discharged composition is known, too."""

CASES: dict[Part, tuple[Case, ...]] = {
    "charged": ("charged", "composition"),
    "discharged": ("discharged",),
    "both": ("both",),
}

_NETWORKS = Settings(epochs=32, batch_size=64, learning_rate=3e-3, weight_decay=1e-2, loss="huber")


@dataclass(frozen=True)
class CrossValidation:
    """Folds by which a part is tested.

    Attributes:
        part: What is learned from.
        split: How rows are dealt out.
        seed: Seed of the split; the networks of a fold start from ``100 * seed`` on.
        members: Networks in each fold.
    """

    part: Part
    split: SplitKind
    seed: int
    members: int

    @property
    def name(self) -> str:
        """Begins the names of its files."""
        return f"{self.part}-{self.split}-{self.seed}"


@dataclass(frozen=True)
class MlipSettings:
    """All choices.

    Attributes:
        clean: Rules that clean the data.
        n_folds: Folds of every cross-validation.
        tests: Cross-validations. Settings were chosen on folds of seed 0, so that no figure rests on these.
        calibration: For each part the cross-validation whose errors make limits and figures, by split and seed.
        intervals: The one whose errors make intervals, by part. New electrodes come with elements that the data do not
            hold together, so that whole chemical systems are held out where that has been computed.
        final_members: Networks of the fitted models.
        final_seed: Seed of the first of these.
        corrections: How the learners of corrections are trained, by part.
        machines: Settings of the support vectors on whole electrodes, of the parts that have them. Where both ends are
            given there is little left to tell by their likeness.
        shipped: Learners whose mean is the answer, by case; the others are computed for comparison.
        structures_a_file: Structures whose features stand in one file.
    """

    clean: tuple[str, ...] = ("abs7",)
    n_folds: int = 5
    tests: tuple[CrossValidation, ...] = (
        CrossValidation("charged", "framework", 1, 3),
        CrossValidation("both", "framework", 1, 2),
        CrossValidation("discharged", "framework", 1, 2),
        CrossValidation("charged", "random", 1, 2),
        CrossValidation("both", "chemical-system", 1, 2),
        CrossValidation("discharged", "chemical-system", 1, 2),
    )
    calibration: tuple[SplitKind, int] = ("framework", 1)
    intervals: Mapping[Part, tuple[SplitKind, int]] = field(
        default_factory=lambda: {
            "charged": ("framework", 1),
            "both": ("chemical-system", 1),
            "discharged": ("chemical-system", 1),
        }
    )
    final_members: int = 3
    final_seed: int = 7000
    corrections: Mapping[Part, CorrectionSettings] = field(
        default_factory=lambda: {
            "both": CorrectionSettings(replace(_NETWORKS, epochs=16), 0.1, AtomicGPSettings(ridge=0.3, robust=0.05)),
            "discharged": CorrectionSettings(_NETWORKS, 1 / 3, AtomicGPSettings(ridge=0.1)),
            "charged": CorrectionSettings(_NETWORKS, 1 / 3, AtomicGPSettings(ridge=0.1, width=2**0.5)),
        }
    )
    machines: Mapping[Part, MachineSettings] = field(
        default_factory=lambda: {
            "charged": MachineSettings(),
            "discharged": MachineSettings(potential=0.25, content=0.3),
        }
    )
    shipped: Mapping[Case, tuple[str, ...]] = field(
        default_factory=lambda: {
            "charged": ("networks", "support_vectors"),
            "composition": ("networks", "support_vectors"),
            "discharged": ("networks", "support_vectors"),
            "both": ("networks", "atomic_gp"),
        }
    )
    structures_a_file: int = 100

    def calibrating(self, part: Part) -> CrossValidation:
        """The cross-validation whose held-out answers make a part's limits and figures."""
        return self._test(part, *self.calibration)

    def widths_from(self, part: Part) -> CrossValidation:
        """The cross-validation whose held-out errors make the widths of a part's intervals."""
        return self._test(part, *self.intervals[part])

    def _test(self, part: Part, split: SplitKind, seed: int) -> CrossValidation:
        return next(t for t in self.tests if (t.part, t.split, t.seed) == (part, split, seed))

    def of_part(self, part: Part) -> dict[str, Any]:
        """Settings on which the learners of a part hang, as plain JSON types."""
        found: dict[str, Any] = {"corrections": asdict(self.corrections[part])}
        if part in self.machines:
            found["support_vectors"] = asdict(self.machines[part])
        return found
