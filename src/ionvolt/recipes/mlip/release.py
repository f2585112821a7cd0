"""Fit the models on all rows, with intervals and limits from the held-out answers, and write their cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.ions import WORKING_IONS
from ionvolt.models.card import ModelCard
from ionvolt.models.mlip.delta_model import VARIANTS, Corrector, DeltaModel, Variant, save_delta
from ionvolt.models.mlip.foundation_model import FoundationModel, HostLearners, save_foundation
from ionvolt.models.uncertainty.domain import ApplicabilityDomain
from ionvolt.recipes.cards import attribution, elements_of, label_of, provenance
from ionvolt.recipes.job import Job
from ionvolt.recipes.mlip import full_extraction
from ionvolt.recipes.mlip import learners as learners_of_hosts
from ionvolt.recipes.mlip.calibration import fit_domain, held_out
from ionvolt.recipes.mlip.cross_validation import read_answers
from ionvolt.recipes.mlip.learners import AllHostLearners, Learners, PairLearners, fit_learners
from ionvolt.recipes.mlip.report import HeldOutReport, report_on
from ionvolt.recipes.mlip.routes import calibrate_routes, held_out_routes, report_intervals
from ionvolt.recipes.mlip.rows import PartRows, Table
from ionvolt.recipes.mlip.settings import CASES, Case, CrossValidation, MlipSettings, Part
from ionvolt.training.laplacian import element_data

HOST_DESCRIPTION = (
    "Voltage from the charged host alone: the ion is tried in its voids; networks on SevenNet's atom vectors, and "
    "support vectors on these, on redox couple, surroundings and the ion's site, all ions together."
)
DELTA_DESCRIPTION = (
    "Voltage from both end members: SevenNet's energies and a correction learned on SevenNet's and CHGNet's atom "
    "vectors; variant `discharged` makes the charged host by removing the ion, and looks at SevenNet alone."
)
SEVENNET_ATTRIBUTION = (
    "Features and energies: SevenNet-l3i5, Park et al., J. Chem. Theory Comput. 20, 4857 (2024), MIT licence"
)
CHGNET_ATTRIBUTION = "Further features: CHGNet 0.3.0, Deng et al., Nat. Mach. Intell. 5, 1031 (2023), BSD licence"
LIMITS = [
    "The potentials that it looks through were trained on relaxations of most of these structures, with energies of "
    "the same kind as the labels are made of. No split by framework changes that: errors on materials outside the "
    "Materials Project may be larger.",
    "The labels are GGA and GGA+U voltages of ordered crystals at 0 K, not measurements.",
    "Rb and Cs have some thirty electrodes each: their errors and intervals are rough.",
]
ADDED_WORDS: dict[Case, str] = {"composition": ", discharged composition known"}
"""By which tests of a part are told apart in cards."""


def name_of_test(test: CrossValidation, case: Case, n_folds: int) -> str:
    """How a card calls a test."""
    words = f"{test.split} {n_folds}-fold{ADDED_WORDS.get(case, '')}"
    return words if test.part == "charged" else f"{test.part}, {words}"


def reports(table: Table, settings: MlipSettings, job: Job, part: Part) -> dict[str, HeldOutReport]:
    """All tests of a part, by name. The composition is told in the calibrating test only."""
    found: dict[str, HeldOutReport] = {}
    for test in (t for t in settings.tests if t.part == part):
        answers = read_answers(settings, test, job)
        cases = CASES[part] if test == settings.calibrating(part) else CASES[part][:1]
        for case in cases:
            held = held_out(answers, table.data, case, settings)
            found[name_of_test(test, case, settings.n_folds)] = report_on(held)
    return found


def fit_host(table: Table, settings: MlipSettings, job: Job, name: str) -> FoundationModel:
    """The model of hosts alone."""
    rows = table.parts["charged"]
    learners = fit_part(rows, settings, job)
    assert isinstance(learners, AllHostLearners)
    assert learners.informed is not None

    def judged(of: learners_of_hosts.HostLearners, case: Case) -> HostLearners:
        return HostLearners(of.networks, of.machine, judging(table, settings, job, "charged", case))

    tests = reports(table, settings, job, "charged")
    chosen, potentials = settings.of_part("charged"), [SEVENNET_ATTRIBUTION]
    card = card_of(name, "foundation", HOST_DESCRIPTION, table.data, settings, tests, chosen, potentials)
    alone, informed = judged(learners.alone, "charged"), judged(learners.informed, "composition")
    return FoundationModel(alone, informed, element_data(), float(table.data.voltages.mean()), card)


def fit_delta(table: Table, settings: MlipSettings, job: Job, name: str) -> DeltaModel:
    """The model of both end members, with intervals of computed ends where such have been computed."""
    correctors: dict[Variant, Corrector] = {}
    tests: dict[str, HeldOutReport] = {}
    for variant in VARIANTS:
        rows = table.parts[variant]
        learners = fit_part(rows, settings, job)
        assert isinstance(learners, PairLearners)
        domain = judging(table, settings, job, variant, variant)
        correctors[variant] = Corrector(learners.networks, domain, learners.atomic_gp, learners.machine)
        tests |= reports(table, settings, job, variant)
    chosen: dict[str, Any] = {variant: settings.of_part(variant) for variant in VARIANTS}
    potentials = [SEVENNET_ATTRIBUTION, CHGNET_ATTRIBUTION]
    card = card_of(name, "delta", DELTA_DESCRIPTION, table.data, settings, tests, chosen, potentials)
    rows_of = full_extraction.extraction_rows(table)
    probabilities = full_extraction.held_out_probabilities(rows_of, table, settings)
    card.evaluation.append(full_extraction.report(rows_of, probabilities, settings))
    model = DeltaModel(correctors, full_extraction.fit(rows_of, np.arange(len(rows_of.part))), element_data(), card)
    report_intervals(model, table.data, settings, job)
    return calibrate_routes(model, held_out_routes(table, settings, job))


def judging(table: Table, settings: MlipSettings, job: Job, part: Part, case: Case) -> ApplicabilityDomain:
    """What judges the answers of a part's learners to a case."""
    held, for_widths = (
        held_out(read_answers(settings, test, job), table.data, case, settings)
        for test in (settings.calibrating(part), settings.widths_from(part))
    )
    return fit_domain(held, for_widths, table.parts[part].hosts, table.data.hosts)


def fit_part(rows: PartRows, settings: MlipSettings, job: Job) -> Learners:
    """A part's learners on all of its rows; a killed run goes on from the last epoch."""
    seeds = range(settings.final_seed, settings.final_seed + settings.final_members)
    return fit_learners(
        rows,
        np.arange(len(rows)),
        settings,
        list(seeds),
        compared=False,
        folder=job.own_folder / "final" / rows.part,
        log=lambda words: job.progress(0, 0, f"{rows.part}: {words}"),
    )


def card_of(
    name: str,
    kind: str,
    description: str,
    data: ElectrodeSet,
    settings: MlipSettings,
    tests: Mapping[str, HeldOutReport],
    chosen: Mapping[str, Any],
    potentials: Sequence[str],
) -> ModelCard:
    """The card of a fitted model, on all ions of the data; ``potentials`` are attributed beside the data."""
    ions = [ion for ion in WORKING_IONS if ion in set(data.ions.tolist())]
    seeds = sorted({test.seed for test in settings.tests})
    whose = [words for words in (attribution(data), *potentials) if words]
    return ModelCard(
        name=name,
        kind=kind,
        ions=ions,
        elements={ion: elements_of(data.for_ion(ion)) for ion in ions},
        description=description,
        training={
            "data": label_of(data),
            "cleaning": list(settings.clean),
            "n_rows": len(data),
            "settings": dict(chosen),
            "seeds": "settings chosen on framework folds of seed 0, all figures from folds of seed "
            + ", ".join(str(seed) for seed in seeds),
            "frameworks": sorted(set(data.frameworks.tolist())),
            "ions": {ion: {"n_rows": int((data.ions == ion).sum())} for ion in ions},
            **provenance(data),
        },
        evaluation=[record for test, report in tests.items() for record in report.records(test)],
        limits=list(LIMITS),
        attribution=". ".join(whose),
    )


def write(table: Table, settings: MlipSettings, job: Job, host_folder: Path, delta_folder: Path) -> None:
    """Fit both models and write their folders."""
    save_foundation(fit_host(table, settings, job, host_folder.name), host_folder)
    job.progress(0, 0, f"{host_folder}: written")
    save_delta(fit_delta(table, settings, job, delta_folder.name), delta_folder)
    job.progress(0, 0, f"{delta_folder}: written")
