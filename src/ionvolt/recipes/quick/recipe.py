"""The recipe of the model that answers in some two milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import ModelCard
from ionvolt.models.classical.quick import KIND, QuickJudge, QuickModel, save_quick
from ionvolt.models.registry import QUICK_MODEL
from ionvolt.recipes.cards import attribution, elements_of, label_of, provenance
from ionvolt.recipes.interface import EVALUATE, FIT, ReportLine, Step
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip.calibration import cross_fitted_widths, intervals, limits
from ionvolt.recipes.mlip.report import Errors, HeldOutReport, report_on
from ionvolt.recipes.quick.held_out import evaluate, feature_rows, held_out
from ionvolt.recipes.quick.settings import QuickSettings
from ionvolt.recipes.release import require_answers
from ionvolt.training.laplacian import element_data, fit_laplacian

DESCRIPTION = (
    "Voltage from the charged host alone in some two milliseconds: redox couple, surroundings, composition and the "
    "ion's best place among formal charges, support vectors with a Laplacian kernel, all ions together."
)
LIMITS = [
    "The labels are GGA and GGA+U voltages of ordered crystals at 0 K, not measurements.",
    "How much ion goes in is not asked, and a known discharged formula is not used.",
    "Rb and Cs have some thirty electrodes each: their errors and intervals are rough.",
]


@dataclass(frozen=True)
class QuickRecipe:
    """One kernel machine for all ions."""

    settings: QuickSettings = field(default_factory=QuickSettings)
    name: str = "quick"
    words: str = "support vectors on features of redox couples, sites and composition, all ions together"
    makes: tuple[str, ...] = (QUICK_MODEL,)
    steps: Sequence[Step] = (EVALUATE, FIT)

    def data(self, job: Job) -> ElectrodeSet:
        """The cleaned rows of a job that take part."""
        data = job.read(self.settings.clean)
        return data[job.selection.of(data)]

    def check(self, job: Job, folder: Path) -> None:
        """See ``Recipe``."""
        require_answers(folder, self.data(job))

    def do(self, step: str, job: Job) -> None:
        """See ``Recipe``."""
        if step == EVALUATE.name:
            evaluate(self.data(job), self.settings, job)
        elif step == FIT.name:
            if job.selection.folds:
                raise DataError("a model is calibrated on all folds. Leave --folds out to fit")
            (folder,) = self.models(job)
            save_quick(self._fitted(job, folder.name), folder)
            job.progress(0, 0, f"{folder}: written")
        else:
            raise ValueError(f"{step}: no step of {self.name}")

    def report(self, job: Job) -> list[ReportLine]:
        """See ``Recipe``."""
        lines = []
        for test, report in self._reports(job).items():
            lines.append(_line(test, "all", report.everything))
            lines += [_line(test, ion, errors) for ion, errors in report.ions.items()]
        return lines

    def models(self, job: Job) -> list[Path]:
        """See ``Recipe``."""
        return [job.models_folder / f"{self.name}-{job.label or label_of(job.read(self.settings.clean))}"]

    def _reports(self, job: Job) -> dict[str, HeldOutReport]:
        data = self.data(job)
        return {
            f"{split} {self.settings.n_folds}-fold": report_on(held_out(data, self.settings, (split, seed), job))
            for split, seed in self.settings.tests
        }

    def _fitted(self, job: Job, name: str) -> QuickModel:
        data = self.data(job)
        held = held_out(data, self.settings, self.settings.tests[0], job)
        of = limits(held, cross_fitted_widths(held))
        elements = {ion: elements_of(data.for_ion(ion)) for ion in WORKING_IONS if ion in data.ions}
        seen = frozenset(z for numbers in elements.values() for z in numbers)
        card = ModelCard(
            name=name,
            kind=KIND,
            ions=list(elements),
            elements=elements,
            description=DESCRIPTION,
            training={
                "data": label_of(data),
                "cleaning": list(self.settings.clean),
                "n_rows": len(data),
                "settings": asdict(self.settings.machine),
                "seeds": "settings chosen on framework folds 0 and 1 of seed 0, all figures from folds of seed "
                + ", ".join(sorted({str(seed) for _, seed in self.settings.tests})),
                "frameworks": sorted(set(data.frameworks.tolist())),
                "ions": {ion: {"n_rows": int((data.ions == ion).sum())} for ion in elements},
                **provenance(data),
            },
            evaluation=[record for test, report in self._reports(job).items() for record in report.records(test)],
            limits=list(LIMITS),
            attribution=attribution(data),
        )
        machine = fit_laplacian(feature_rows(data), data.voltages, self.settings.machine)
        judge = QuickJudge(intervals(held), seen, of.distance, of.spread, of.width)
        return QuickModel(machine, element_data(), judge, card)


def _line(test: str, ion: str, errors: Errors) -> ReportLine:
    return ReportLine.of(test, ion, errors.rows, errors.metrics, errors.to_dict())
