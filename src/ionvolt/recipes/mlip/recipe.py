"""The recipe of the models on a universal potential: hosts alone, and both end members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.models.registry import DELTA_MODEL, FOUNDATION_MODEL
from ionvolt.recipes.cards import label_of
from ionvolt.recipes.interface import EVALUATE, FIT, ReportLine, Step
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip import cross_validation
from ionvolt.recipes.mlip.features import compute_settled, compute_structure_features, compute_trials, require_ids
from ionvolt.recipes.mlip.relaxed import compute_relaxed
from ionvolt.recipes.mlip.release import reports, write
from ionvolt.recipes.mlip.report import Errors
from ionvolt.recipes.mlip.routes import compute_inserted, recalibrate
from ionvolt.recipes.mlip.rows import Table, read_table
from ionvolt.recipes.mlip.settings import PARTS, MlipSettings, Part
from ionvolt.recipes.release import require_answers
from ionvolt.training.laplacian import element_data
from ionvolt.training.scikit_learn import require_scikit_learn

FEATURES = Step("features", "what the potential says of every structure, and of hosts with the ion tried in them")
RELAXED = Step("relaxed", "both ends of electrodes relaxed, as `ionvolt compute` does it, for a test", asked_for=True)

INSERTED = Step("inserted", "hosts filled and both ends relaxed, as `ionvolt compute` does it", asked_for=True)
ROUTES = Step("routes", "intervals of given and of computed ends into the fitted model", asked_for=True)


@dataclass(frozen=True)
class MlipRecipe:
    """Both models share features, so that one recipe makes both."""

    settings: MlipSettings = field(default_factory=MlipSettings)
    name: str = "mlip"
    words: str = "networks and kernels on SevenNet's atom vectors, for hosts alone and for both end members"
    makes: tuple[str, ...] = (FOUNDATION_MODEL, DELTA_MODEL)
    steps: Sequence[Step] = (FEATURES, RELAXED, INSERTED, EVALUATE, FIT, ROUTES)

    def data(self, job: Job) -> ElectrodeSet:
        """The cleaned rows of a job that take part."""
        data = self._whole(job)
        return data[job.selection.of(data)]

    def check(self, job: Job, folder: Path) -> None:
        """See ``Recipe``."""
        require_answers(folder, self.data(job))

    def do(self, step: str, job: Job) -> None:
        """See ``Recipe``."""
        if step == FEATURES.name:
            require_scikit_learn()  # now, not after the features, which may take hours
            element_data()
            data = self._whole(job)
            rows = job.selection.of(data)
            require_ids(data)
            compute_structure_features(data, rows, self.settings.structures_a_file, job.folder, job.progress)
            compute_settled(data, rows, job.folder, job.progress)
            compute_trials(data, rows, job.folder, job.progress)
        elif step == RELAXED.name:
            data = self._whole(job)
            compute_relaxed(data, job.selection.of(data), job.folder, job.progress, job.minutes)
        elif step == INSERTED.name:
            data = self._whole(job)
            compute_inserted(data, job.selection.of(data), job.folder, job.progress, job.minutes)
        elif step == ROUTES.name:
            folder = self.models(job)[1]
            recalibrate(folder, folder, self.table(job, ("both",)), self.settings, job)
        elif step == EVALUATE.name:
            cross_validation.evaluate(self.table(job), self.settings, job)
        elif step == FIT.name:
            self._fit(job)
        else:
            raise ValueError(f"{step}: no step of {self.name}")

    def table(self, job: Job, parts: Sequence[Part] = PARTS) -> Table:
        """The rows of a job with their features."""
        data = self._whole(job)
        return read_table(data, job.selection.of(data), job.folder, parts, self.settings.structures_a_file)

    def report(self, job: Job) -> list[ReportLine]:
        """See ``Recipe``."""
        table = self.table(job)
        lines = []
        for part in PARTS:
            for test, report in reports(table, self.settings, job, part).items():
                lines.append(_line(test, "all", report.everything))
                lines += [_line(test, ion, errors) for ion, errors in report.ions.items()]
        return lines

    def models(self, job: Job) -> list[Path]:
        """See ``Recipe``."""
        label = job.label or label_of(self._whole(job))
        return [job.models_folder / f"{kind}-{label}" for kind in ("foundation", "delta")]

    def _whole(self, job: Job) -> ElectrodeSet:
        return job.read(self.settings.clean)

    def _fit(self, job: Job) -> None:
        if job.selection.folds:
            raise DataError("a model is calibrated on all folds. Leave --folds out to fit")
        write(self.table(job), self.settings, job, *self.models(job))


def _line(test: str, ion: str, errors: Errors) -> ReportLine:
    return ReportLine.of(test, ion, errors.rows, errors.metrics, errors.to_dict())
