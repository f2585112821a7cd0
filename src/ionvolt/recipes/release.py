"""From fitted models in a folder to the weights that come with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ionvolt.datasets import ElectrodeSet
from ionvolt.errors import DataError, ModelError
from ionvolt.evaluation.learners import voltages_of
from ionvolt.models.registry import SHIPPED, load_folder
from ionvolt.models.storage import CARD_FILE, WEIGHTS_FILE
from ionvolt.recipes.interface import Recipe
from ionvolt.recipes.job import Job
from ionvolt.store import write_bytes

ASKED = 3
"""Electrodes of each ion for which a model must answer before it is released."""


def release(recipe: Recipe, job: Job, target: Path | None = None) -> list[Path]:
    """Copy a recipe's fitted models to where shipped weights lie, once they answer.

    Args:
        recipe: The recipe whose models are released.
        job: Whose models are fitted.
        target: Another folder of models; by default that of the package.

    Returns:
        The folders written.

    Raises:
        DataError: A part of the rows only, or models with other names than those that they would replace.
        ModelError: A model that does not load, or gives no voltage.
    """
    if not job.selection.everything and target is None:
        raise DataError("models of a part of the rows are not released. Leave --rows and --ions out, or give --to")
    folders = {folder.relative_to(job.models_folder).as_posix(): folder for folder in recipe.models(job)}
    strange = [name for name in folders if name not in recipe.makes]
    if strange and target is None:
        raise DataError(
            f"{', '.join(strange)}: the package ships {', '.join(recipe.makes)}. "
            f"Use the models from {job.models_folder}, or name the label of those that are to be replaced"
        )
    for folder in folders.values():
        recipe.check(job, folder)
    written = []
    for name, folder in folders.items():
        goal = (target or SHIPPED) / name
        for file in (WEIGHTS_FILE, CARD_FILE):
            write_bytes(goal / file, (folder / file).read_bytes())
        written.append(goal)
    return written


def require_answers(folder: Path, data: ElectrodeSet) -> None:
    """Load a model and ask it for some electrodes of each ion.

    Raises:
        ModelError: It does not load, or gives something that is no voltage.
    """
    model = load_folder(folder)
    for ion in dict.fromkeys(data.ions.tolist()):
        some = data.for_ion(ion)[np.arange(min(ASKED, int((data.ions == ion).sum())))]
        if ion in model.ions and not np.isfinite(voltages_of(model, some, ion)).all():
            raise ModelError(f"{folder}: it gives no voltage for {some[0].formula_charge} and {ion}. Fit it again")
