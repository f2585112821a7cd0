"""What a recipe is asked to do: on which data, on which part of them, into which folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ionvolt.datasets import ElectrodeSet, clean, read_dataset
from ionvolt.errors import DataError
from ionvolt.evaluation.leakage import data_fingerprint
from ionvolt.store import write_json
from ionvolt.typing import Indices, ProgressCallback, no_progress

DATA_FILE = "data.json"
DRAW_SEED = 0
"""Of the rows that ``Selection.rows`` draws."""


@dataclass(frozen=True)
class Selection:
    """A part of the rows and folds; by default all.

    Attributes:
        rows: So many rows, drawn at random; None: all.
        ions: Symbols of the working ions that take part; none: all.
        folds: Numbers of the folds that are computed, from 0 on; none: all. They do not change what a fold is.
    """

    rows: int | None = None
    ions: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether all rows take part."""
        return self.rows is None and not self.ions

    @property
    def name(self) -> str:
        """A folder name that tells selections of rows apart; empty for all rows."""
        parts = [] if self.rows is None else [f"rows-{self.rows}"]
        return "-".join([*parts, *self.ions])

    def of(self, data: ElectrodeSet) -> Indices:
        """Numbers of the chosen rows, sorted.

        Raises:
            DataError: None is left.
        """
        chosen = np.flatnonzero(np.isin(data.ions, self.ions)) if self.ions else np.arange(len(data))
        if self.rows is not None and self.rows < len(chosen):
            chosen = np.sort(np.random.default_rng(DRAW_SEED).choice(chosen, self.rows, replace=False))
        if not len(chosen):
            raise DataError(f"no electrode of {', '.join(self.ions) or 'any ion'} is left. Choose other rows or ions")
        return chosen

    def has_fold(self, fold: int) -> bool:
        """Whether a fold is to be computed."""
        return not self.folds or fold in self.folds


@dataclass(frozen=True)
class Job:
    """One call of a recipe.

    Attributes:
        data: Parquet file of labelled electrodes.
        folder: Where everything is kept: features, held-out answers, fitted models.
        selection: The part of the data that takes part.
        label: Ends the names of the models, as in ``delta-mp2025``; empty: the snapshots of the data.
        jobs: Networks that are trained at the same time, where a recipe can do that.
        minutes: After which a step ends that never has enough; None: it goes through all rows.
        progress: Told units done, units in all, and words about the one that is done or begins.
    """

    data: Path
    folder: Path
    selection: Selection = field(default_factory=Selection)
    label: str = ""
    jobs: int = 1
    minutes: float | None = None
    progress: ProgressCallback = no_progress

    @property
    def own_folder(self) -> Path:
        """Where results that hang on the chosen rows go; features do not."""
        return self.folder / self.selection.name

    @property
    def models_folder(self) -> Path:
        """Where the fitted models are written."""
        return self.own_folder / "models"

    def read(self, rules: Sequence[str]) -> ElectrodeSet:
        """The cleaned data set. The folder remembers whose it is.

        Raises:
            DataError: The folder holds a run on other data.
        """
        data, _ = clean(read_dataset(self.data), list(rules))
        facts = {"sha256": data_fingerprint(data), "n_rows": len(data), "rules": list(rules)}
        path = self.folder / DATA_FILE
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")).get("sha256") != facts["sha256"]:
                raise DataError(f"{self.folder}: it holds a run on other data than {self.data}. Give another folder")
        else:
            write_json(path, facts)
        return data
