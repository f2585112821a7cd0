"""Train the final networks on all rows, and write their weights and card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ionvolt.datasets import ElectrodeSet, clean
from ionvolt.errors import DataError
from ionvolt.evaluation.testing import elements_of
from ionvolt.models.card import ModelCard
from ionvolt.models.cgcnn.conversion import ensemble_of
from ionvolt.models.cgcnn.ensemble import Ensemble, save_ensemble
from ionvolt.models.storage import Arrays
from ionvolt.recipes.cards import attribution, label_of, provenance
from ionvolt.recipes.cgcnn.cross_validation import Graphs, epoch_log, ions_of
from ionvolt.recipes.cgcnn.local_heads import fit_ion
from ionvolt.recipes.cgcnn.report import IonReport, reports
from ionvolt.recipes.cgcnn.settings import CgcnnSettings
from ionvolt.recipes.job import Job
from ionvolt.training.cgcnn.networks import pooled_vectors, train_ensemble, transfer_heads
from ionvolt.training.cgcnn.runs import EnsembleParts, prepare

DESCRIPTION = (
    "The paper's method, trained here: crystal graph networks pre-trained on Li electrodes; for every other ion "
    "the two last layers were trained again, embedding, convolutions and batch statistics frozen."
)
SPLIT = (
    "final networks: all rows, another ninth of them as validation part for each member; errors: other networks of the "
    "same recipe on held-out test parts (errors, by cleaning/split)"
)
LIMITS = [
    "The voltage is the average over the whole charge that the Materials Project calculated (PBE+U, 0 K), from the "
    "charged host alone: how much ion goes in is not an input, and one host can have several voltages.",
    "Hosts far from the training frameworks have the errors of the framework split, not of the random one.",
    "Rb, Cs, K, Al and Y rest on few electrodes (n_rows of each ion); their intervals are wide.",
    "voltage_std is the ensemble's spread, scaled so that 68 % of errors on framework-held-out electrodes lie within "
    "it; it is no guarantee for a single crystal.",
]


def fit(data: ElectrodeSet, settings: CgcnnSettings, job: Job, name: str) -> Ensemble:
    """The ensemble on all rows, with local heads, and its card.

    Args:
        data: The rows that take part, not yet cleaned.
        settings: Settings of the recipe.
        job: Where unfinished networks and held-out errors are.
        name: Name of the model.
    """
    data, removed = clean(data, list(settings.clean))
    graphs, tests = Graphs(), reports(settings, job)
    parts = final_parts(data, settings)
    ensemble = train_final(parts, settings, job, graphs, name)
    whole = graphs.of(data)
    pooled = ensemble.pooled(whole)
    card = ensemble.card
    calibration: dict[str, dict[str, float]] = {}
    local_heads: Arrays = {}
    for ion in ensemble.ions:
        job.progress(0, 0, f"{ion}: local voltages")
        fitted, local = fit_ion(ensemble, data, whole, pooled, ion, settings.checked)
        local_heads |= fitted
        card.add_ion(ion, elements_of(parts[ion], np.arange(len(parts[ion].rows))), ion_facts(parts[ion], ion))
        calibration[ion] = calibration_of(ensemble, parts[ion], ion, tests, settings)
        for test, by_ion in tests.items():
            card.evaluation += by_ion[ion].records(test, ion) if ion in by_ion else []
        card.evaluation.append(local)
    card.hyperparameters["calibration"] = calibration
    card.description = DESCRIPTION
    card.training |= {
        "data": label_of(data),
        "snapshots": sorted({e.snapshot for e in data}),
        "cleaning": removed,
        "members": settings.final_members,
        "split": SPLIT,
        "settings": {"Li": asdict(settings.li), "heads": asdict(settings.head)},
        "frameworks": sorted(set(parts["Li"].rows.frameworks)),
        **provenance(data),
    }
    card.limits = list(LIMITS)
    card.attribution = attribution(data)
    return ensemble.with_arrays(local_heads)


def final_parts(data: ElectrodeSet, settings: CgcnnSettings) -> dict[str, EnsembleParts]:
    """All rows of each ion, with the members' validation parts; ions with too few rows are left out.

    Raises:
        DataError: Too few electrodes of Li.
    """
    found = {"Li": prepare(data, "Li", n_members=settings.final_members, keep_test=False)}
    for ion in ions_of(data):
        try:
            found[ion] = prepare(data, ion, n_members=settings.final_members, keep_test=False)
        except DataError:
            continue
    return found


def train_final(
    parts: Mapping[str, EnsembleParts], settings: CgcnnSettings, job: Job, graphs: Graphs, name: str
) -> Ensemble:
    """Train the Li networks, transfer them, and keep what distances are measured from; a killed run goes on."""
    folder, li = job.own_folder / "final", parts["Li"]

    def log(words: str) -> None:
        job.progress(0, 0, words)

    networks, _ = train_ensemble(
        graphs.of(li.rows),
        li.rows.voltages,
        li.members,
        settings.li,
        folder=folder / "Li",
        jobs=job.jobs,
        progress=epoch_log(log, "Li", settings.li),
    )
    heads = {"Li": [n.head for n in networks]}
    scale = pooled_vectors(networks[0].trunk, graphs.of(li.rows)).std(0) + 1e-6
    references: Arrays = {"reference_scale": scale.numpy()}
    for ion, own in parts.items():
        rows = graphs.of(own.rows)
        if ion != "Li":
            log(f"{ion}: heads")
            heads[ion], _ = transfer_heads(
                networks, rows, own.rows.voltages, own.members, settings.head, folder=folder / ion, jobs=job.jobs
            )
        references[f"reference.{ion}"] = (pooled_vectors(networks[0].trunk, rows) / scale).half().numpy()
    return ensemble_of([n.trunk for n in networks], heads, ModelCard(name)).with_arrays(references)


def ion_facts(parts: EnsembleParts, ion: str) -> dict[str, Any]:
    """What the card says of the training of an ion."""
    return {
        "mode": "scratch" if ion == "Li" else "head",
        "n_rows": len(parts.rows),
        "frameworks": sorted(set(parts.rows.frameworks)),
        "voltage_range_V": [round(float(f(parts.rows.voltages)), 3) for f in (np.min, np.max)],
    }


def calibration_of(
    ensemble: Ensemble,
    parts: EnsembleParts,
    ion: str,
    tests: Mapping[str, Mapping[str, IonReport]],
    settings: CgcnnSettings,
) -> dict[str, float]:
    """How answers for an ion are judged (``parameters.Calibration``)."""
    deviation = tests.get(settings.deviation, {}).get(ion)
    limit = distance_limit(torch.from_numpy(ensemble.arrays[f"reference.{ion}"]), parts.rows.frameworks)
    return {"distance_limit": limit, **(deviation.deviation if deviation else {})}


def distance_limit(reference: torch.Tensor, frameworks: NDArray[np.str_]) -> float:
    """The distance within which 19 of 20 training hosts have a training host of another framework."""
    vectors = reference.float()
    apart = torch.cdist(vectors, vectors) / vectors.shape[1] ** 0.5
    same = torch.from_numpy(frameworks[:, None] == frameworks[None, :])
    return round(float(apart.masked_fill(same, float("inf")).min(1).values.quantile(0.95)), 4)


def write(data: ElectrodeSet, settings: CgcnnSettings, job: Job, folders: Sequence[Path]) -> None:
    """Fit the model and write its folder."""
    for folder in folders:
        save_ensemble(fit(data, settings, job, folder.name), folder)
        job.progress(0, 0, f"{folder}: written")
