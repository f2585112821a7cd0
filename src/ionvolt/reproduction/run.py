"""The paper's evidence from one data set: every stage, then tables, figures and one page."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError
from ionvolt.reproduction.accuracy import make_accuracy
from ionvolt.reproduction.counts import make_counts
from ionvolt.reproduction.exhibits import Claim, Exhibit
from ionvolt.reproduction.held_out import seconds_of_fits
from ionvolt.reproduction.learned_elements import make_embedding, make_importances
from ionvolt.reproduction.learned_environments import make_environments
from ionvolt.reproduction.measured import make_measured
from ionvolt.reproduction.page import write_page
from ionvolt.reproduction.settings import FULL, ReportSettings
from ionvolt.reproduction.stages import FEWEST, Job, Stage, run_stage, stage_facts
from ionvolt.store import write_json
from ionvolt.typing import ProgressCallback, no_progress

STAGES = (
    Stage("counts", "counting electrodes", make_counts),
    Stage("accuracy", "training and testing models", make_accuracy),
    Stage("embedding", "element embedding", make_embedding),
    Stage("environments", "oxygen environments", make_environments),
    Stage("importances", "random forest", make_importances),
    Stage("measured", "measured cathodes", make_measured),
)
ORDER = (
    "table-s1", "fig-2a", "fig-2b", "fig-2c", "fig-2d", "fig-2e", "table-s2", "fig-3a", "fig-3b", "fig-3c", "fig-4",
    "fig-s1", "fig-s2", "fig-s3", "fig-s4",
)  # fmt: skip
"""Exhibits on the page."""

PAGE, SUMMARY = "index.html", "summary.json"


@dataclass(frozen=True)
class Reproduction:
    """A report.

    Attributes:
        exhibits: In the order of the page.
        page: The page.
        summary: Every claim and number, plain JSON types; also in ``summary.json``.
    """

    exhibits: list[Exhibit]
    page: Path
    summary: dict[str, Any]


def reproduce(
    data: ElectrodeSet,
    output: Path,
    *,
    settings: ReportSettings = FULL,
    source: str = "",
    progress: ProgressCallback = no_progress,
) -> Reproduction:
    """Make all tables and figures of the paper from a data set and judge what the paper says of them.

    Args:
        data: Electrodes, not yet trimmed.
        output: Folder for the page, ``figures``, ``tables`` and ``summary.json``. What is done stays in ``.stages``; a
            run that was killed goes on from there.
        settings: How much is trained.
        source: What the data set is called on the page.
        progress: Called with stages done, stages in all, and words.

    Raises:
        DataError: No ion has enough electrodes.
        IonVoltError: scikit-learn is not installed.
    """
    from ionvolt.analysis.projection import scikit_learn

    scikit_learn("svm")
    job = Job.open(data, settings, output, source)
    if not job.ions:
        raise DataError(
            f"{source or 'the data set'}: no ion has {FEWEST} electrodes after the paper's trimming. Give a "
            "larger data set"
        )
    found: dict[str, Exhibit] = {}
    for done, stage in enumerate(STAGES):
        progress(done, len(STAGES), stage.words)
        job.log = lambda words, done=done: progress(done, len(STAGES), words)  # type: ignore[misc]
        found |= {exhibit.name: exhibit for exhibit in run_stage(stage, job)}
    exhibits = [found[name] for name in ORDER]
    _publish(job, output, exhibits)
    summary = _summary(job, exhibits)
    write_json(output / SUMMARY, summary)
    write_page(exhibits, summary, output)
    progress(len(STAGES), len(STAGES), "done")
    return Reproduction(exhibits, output / PAGE, summary)


def _publish(job: Job, output: Path, exhibits: list[Exhibit]) -> None:
    """Copy what the stages have left; files of an earlier report that this one lacks go."""
    for kind, endings in (("figures", ("svg", "png")), ("tables", ("csv",))):
        target = output / kind
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for stage in STAGES:
            for ending in endings:
                for path in sorted((job.folder / stage.name).glob(f"*.{ending}")):
                    shutil.copyfile(path, target / path.name)


def _summary(job: Job, exhibits: list[Exhibit]) -> dict[str, Any]:
    from ionvolt._version import __version__

    claims = [claim for exhibit in exhibits for claim in exhibit.claims]
    return {
        "data": job.source,
        "snapshots": sorted({e.snapshot for e in job.data}),
        "electrodes": len(job.data),
        "kept": len(job.cleaned),
        "ions": list(job.ions),
        "quick": job.settings.quick,
        "settings": job.settings.to_dict(),
        "in_words": job.settings.in_words(),
        "attribution": str(job.data.provenance.get("attribution", "")),
        "ionvolt_version": __version__,
        "seconds": _seconds(job),
        "claims": _counted([c for c in claims if not c.added]),
        "added": _counted([c for c in claims if c.added]),
        "left_out": {e.name: e.missing for e in exhibits if e.missing},
        "exhibits": [e.to_dict() for e in exhibits],
    }


def _counted(claims: list[Claim]) -> dict[str, int]:
    return {word: sum(c.holds == word for c in claims) for word in ("yes", "in part", "no", "not tested")}


def _seconds(job: Job) -> dict[str, float]:
    """What each stage took; one that went on after a kill counts the fits that were there already, too."""
    found = {stage.name: float(stage_facts(stage, job)["seconds"]) for stage in STAGES}
    return found | {"accuracy": max(found["accuracy"], seconds_of_fits(job))}
