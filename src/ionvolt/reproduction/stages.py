"""Stages of a report: each leaves a folder that appears only when it is complete, and is not made again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet
from ionvolt.evaluation.leakage import data_fingerprint
from ionvolt.evaluation.protocol import Protocol, Unit
from ionvolt.reproduction.exhibits import Exhibit
from ionvolt.reproduction.settings import ReportSettings
from ionvolt.store import atomic_folder, content_key, write_json
from ionvolt.typing import LogCallback, no_log

FORMAT = 1
"""Raise it when a stage makes something else of the same data and settings."""

FEWEST = 20
"""Electrodes of an ion below which no model of it is trained."""

STAGE_FILE = "stage.json"


@dataclass(eq=False)
class Job:
    """What all stages of a report share.

    Attributes:
        data: Electrodes as they came.
        settings: How much is trained.
        folder: Where the stages' folders are.
        source: What the data set is called.
        log: Told in a few words what is being done.
    """

    data: ElectrodeSet
    settings: ReportSettings
    folder: Path
    source: str = ""
    log: LogCallback = field(default=no_log)

    @classmethod
    def open(cls, data: ElectrodeSet, settings: ReportSettings, output: Path, source: str) -> Job:
        """A job whose stages lie in a folder of their own for these data and settings."""
        facts = {"format": FORMAT, "data": data_fingerprint(data), "settings": settings.to_dict()}
        folder = output / ".stages" / content_key(facts)[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return cls(data, settings, folder, source)

    @cached_property
    def cleaned(self) -> ElectrodeSet:
        """After the paper's trimming."""
        return Protocol("paper").cleaned(self.data)[0]

    @cached_property
    def ions(self) -> tuple[str, ...]:
        """Ions with enough electrodes."""
        from ionvolt.ions import WORKING_IONS

        found = self.cleaned.ions
        return tuple(ion for ion in WORKING_IONS if int((found == ion).sum()) >= FEWEST)

    @property
    def has_li(self) -> bool:
        """Whether there is a Li model to be transferred."""
        return "Li" in self.ions

    @property
    def others(self) -> tuple[str, ...]:
        """Ions that are transferred to."""
        return tuple(ion for ion in self.ions if ion != "Li")

    def protocol(self, ions: tuple[str, ...] | None = None, seeds: tuple[int, ...] | None = None) -> Protocol:
        """The paper's split; trimming comes first."""
        return Protocol("paper", self.ions if ions is None else ions, self.settings.seeds if seeds is None else seeds)

    @cached_property
    def unit(self) -> Unit:
        """The first split."""
        return next(self.protocol(seeds=self.settings.seeds[:1]).units(self.cleaned))

    def rows_of(self, ion: str) -> NDArray[np.int64]:
        """Numbers of an ion's rows in the cleaned data."""
        return np.flatnonzero(self.cleaned.ions == ion)


@dataclass(frozen=True)
class Stage:
    """A part of a report.

    Attributes:
        name: Name of its folder.
        words: What is told while it is made.
        make: Makes files in a folder and says what they show.
    """

    name: str
    words: str
    make: Callable[[Job, Path], list[Exhibit]]


def run_stage(stage: Stage, job: Job) -> list[Exhibit]:
    """Exhibits of a stage, made now or before."""
    folder = job.folder / stage.name
    if not (folder / STAGE_FILE).is_file():
        with atomic_folder(folder) as part:
            job.log(stage.words)
            start = time.monotonic()
            exhibits = stage.make(job, part)
            content = {"seconds": round(time.monotonic() - start, 1), "exhibits": [e.to_dict() for e in exhibits]}
            write_json(part / STAGE_FILE, content)
    return [Exhibit.from_dict(content) for content in stage_facts(stage, job)["exhibits"]]


def stage_facts(stage: Stage, job: Job) -> dict[str, Any]:
    """What a finished stage has left: ``seconds`` and ``exhibits``."""
    facts: dict[str, Any] = json.loads((job.folder / stage.name / STAGE_FILE).read_text(encoding="utf-8"))
    return facts
