"""The recipe of the paper's network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ionvolt.datasets import ElectrodeSet, clean
from ionvolt.errors import DataError
from ionvolt.models.registry import PAPER_MODEL
from ionvolt.recipes.cards import label_of
from ionvolt.recipes.cgcnn.cross_validation import evaluate
from ionvolt.recipes.cgcnn.release import write
from ionvolt.recipes.cgcnn.report import reports
from ionvolt.recipes.cgcnn.settings import CgcnnSettings
from ionvolt.recipes.interface import EVALUATE, FIT, ReportLine, Step
from ionvolt.recipes.job import Job
from ionvolt.recipes.release import require_answers


@dataclass(frozen=True)
class CgcnnRecipe:
    """Networks are pre-trained on Li and transferred to every other ion."""

    settings: CgcnnSettings = field(default_factory=CgcnnSettings)
    name: str = "cgcnn"
    words: str = "the paper's crystal graph network, pre-trained on Li and transferred to every other ion"
    makes: tuple[str, ...] = (PAPER_MODEL,)
    steps: Sequence[Step] = (EVALUATE, FIT)

    def data(self, job: Job) -> ElectrodeSet:
        """The cleaned rows of a job that take part."""
        return clean(self._rows(job), list(self.settings.clean))[0]

    def check(self, job: Job, folder: Path) -> None:
        """See ``Recipe``."""
        require_answers(folder, self.data(job))

    def do(self, step: str, job: Job) -> None:
        """See ``Recipe``."""
        if step == EVALUATE.name:
            evaluate(self._rows(job), self.settings, job)
        elif step == FIT.name:
            if job.selection.folds:
                raise DataError("a model is calibrated on all seeds. Leave --folds out to fit")
            write(self._rows(job), self.settings, job, self.models(job))
        else:
            raise ValueError(f"{step}: no step of {self.name}")

    def report(self, job: Job) -> list[ReportLine]:
        """See ``Recipe``."""
        lines = []
        for test, by_ion in reports(self.settings, job).items():
            for ion, report in by_ion.items():
                m = report.own.metrics
                lines.append(ReportLine.of(test, ion, m.n, m, report.to_dict()))
        return lines

    def models(self, job: Job) -> list[Path]:
        """See ``Recipe``."""
        return [job.models_folder / f"cgcnn-{job.label or label_of(self._rows(job))}"]

    def _rows(self, job: Job) -> ElectrodeSet:
        data = job.read(())
        return data[job.selection.of(data)]
