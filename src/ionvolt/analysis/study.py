"""Everything that is to be said of what a model has learned, as figures, tables and one summary in a folder."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ionvolt.analysis import checks, embedding, environments, importances, periodic
from ionvolt.analysis import design_vectors as design
from ionvolt.analysis.atom_table import atoms_of
from ionvolt.errors import DataError
from ionvolt.explain.figures import save
from ionvolt.graphs import build_graph
from ionvolt.ions import remove_ion, working_ion
from ionvolt.models.interface import Predictor, Query
from ionvolt.store import write_rows, write_text
from ionvolt.typing import LogCallback, no_log

if TYPE_CHECKING:
    from ionvolt.datasets import ElectrodeSet
    from ionvolt.models.cgcnn.ensemble import Ensemble

STEPS = 6
FEWEST = 10
"""Hosts below which a study of a data set makes no sense."""


@dataclass(frozen=True)
class Written:
    """What a study left behind.

    Attributes:
        summary: Every claim and number, plain JSON types; also in ``summary.json``.
        files: In the order written.
    """

    summary: dict[str, Any]
    files: list[Path]


def study_model(
    model: Ensemble,
    data: ElectrodeSet | None,
    ion: str,
    folder: Path,
    *,
    seed: int = 0,
    log: LogCallback = no_log,
) -> Written:
    """Study the element embedding and, where there is a data set, all else, and write it down.

    Args:
        model: The ensemble.
        data: Electrodes; the hosts of the ion are used. Of a model without local-voltage heads for the ion they only
            say which elements to look at.
        ion: Working ion.
        folder: For ``*.png``, ``*.csv`` and ``summary.json``.
        seed: Seed of samples, maps and forests.
        log: Called with the name of each step (``STEPS`` of them) as it begins.

    Raises:
        DataError: Too few hosts of the ion.
        IonVoltError: scikit-learn is not installed.
    """
    out = _Folder(folder)
    summary: dict[str, Any] = {"model": model.card.name, "ion": ion}
    if data is not None:
        data = data.for_ion(ion)
        if len(data) < FEWEST:
            raise DataError(f"{ion}: only {len(data)} electrodes in the data set. At least {FEWEST} are needed")
    log("element embedding")
    of_hosts = sorted({int(z) for host in data.hosts for z in host.numbers}) if data is not None else None
    elements = embedding.study_embedding(model, None if model.card.elements else of_hosts)
    for network in range(len(elements.networks)):
        out.figure(f"embedding-network-{network + 1}", embedding.draw_embedding(study=elements, network=network))
    out.figure("embedding", embedding.draw_embedding(study=elements, network=None))
    out.figure("embedding-correlations", embedding.draw_correlations(study=elements))
    out.table("embedding-correlations", elements.rows())
    summary["embedding"] = elements.verdict()
    summary["embedding"]["n_elements"] = len(elements.numbers)
    if data is not None and ion not in model.local_ions:
        summary["note"] = f"no local-voltage heads for {ion}: only the embedding was studied"
    elif data is not None:
        summary["n_hosts"] = len(data)
        summary |= _study_data(model, data, ion, out, seed, log)
    summary = _plain(summary)
    out.write("summary.json", json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return Written(summary, out.files)


def _study_data(
    model: Ensemble, data: ElectrodeSet, ion: str, out: _Folder, seed: int, log: LogCallback
) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    log("local voltages of all atoms")
    atoms = atoms_of(model, [build_graph(host, ties=model.ties) for host in data.hosts], ion)
    log("oxygen environments")
    if len(np.unique(atoms.crystal[atoms.oxygen])) >= FEWEST:
        oxygen = environments.study_environments(atoms, seed=seed)
        out.figure("environments", environments.draw_environments(study=oxygen))
        out.figure("environments-groups", environments.draw_groups(study=oxygen))
        summary["environments"] = oxygen.verdict()
    log("periodic table")
    for kind in ("linear", "additive"):
        for words, only in (("oxygen", True), ("all", False)):
            found = periodic.element_voltages(atoms, kind=kind, oxygen_only=only)
            if not found:
                continue
            out.table(f"elements-{kind}-{words}", periodic.rows(found))
            where = "median local voltage" + (" in oxygen environments" if only else "")
            out.figure(f"elements-{kind}-{words}", periodic.draw_periodic_table(elements=found, ion=ion, words=where))
            summary[f"elements_{kind}_{words}"] = periodic.verdict(found)
    log("deleted and replaced atoms")
    tried = _checks(model, [Query(ion, host) for host in data.hosts], ion, out, 120, seed)
    sampled = atoms_of(model, [build_graph(query.host, ties=model.ties) for query in tried.sample], ion)
    tried = replace(tried, stability=checks.stability(sampled))
    medians = periodic.element_voltages(atoms, kind="additive", oxygen_only=False)
    rule = design.study_design(model, data.hosts, ion, medians, seed=seed)
    summary["checks"] = tried.summary()
    if len(rule.foreseen) > FEWEST:
        out.figure("design", design.draw_design(test=rule))
        summary["design"] = rule.summary()
    log("random forest")
    features, names = features_of(data)
    forest = importances.forest_importances(features, names, data.voltages, groups=data.frameworks, seed=seed)
    out.figure("importances", importances.draw_importances(study=forest))
    out.table("importances", forest.rows())
    summary["importances"] = forest.verdict()
    return summary


def study_answers(
    model: Predictor,
    data: ElectrodeSet,
    ion: str,
    folder: Path,
    *,
    n_crystals: int = 120,
    seed: int = 0,
    log: LogCallback = no_log,
) -> Written:
    """Check the explanations of any model that explains its answers, and write down what came out.

    Args:
        model: It is asked for hosts alone where it takes them, else for discharged structures.
        data: Electrodes; those of the ion are used.
        ion: Working ion.
        folder: For ``checks.png``, ``checks.csv`` and ``summary.json``.
        n_crystals: How many electrodes are drawn.
        seed: Seed of the sample.
        log: Called with the name of the step as it begins.

    Raises:
        DataError: Too few electrodes of the ion.
        ModelError: The model does not explain its answers.
    """
    data = data.for_ion(ion)
    queries = [Query(ion, e.host) for e in data]
    if "charged" not in model.accepts:
        known = [e.discharged for e in data if e.discharged is not None]
        taken_out = working_ion(ion)
        queries = [
            Query(ion, remove_ion(d, taken_out), "discharged", d) for d in known if taken_out.number in d.numbers
        ]
    if len(queries) < FEWEST:
        raise DataError(f"{ion}: only {len(queries)} electrodes in the data set. At least {FEWEST} are needed")
    out = _Folder(folder)
    log("deleted and replaced atoms")
    tried = _checks(model, queries, ion, out, n_crystals, seed)
    summary = _plain({"model": model.card.name, "ion": ion, "checks": tried.summary()})
    out.write("summary.json", json.dumps(summary, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
    return Written(summary, out.files)


def _checks(
    model: Predictor, queries: Sequence[Query], ion: str, out: _Folder, n_crystals: int, seed: int
) -> checks.CheckStudy:
    tried = checks.check_explanations(model, queries, ion, n_crystals=n_crystals, seed=seed)
    if tried.outcomes:
        out.figure("checks", checks.draw_checks(study=tried))
        out.table("checks", tried.summary()["outcomes"])
    return tried


def features_of(data: ElectrodeSet) -> tuple[NDArray[np.float64], Sequence[str]]:
    """Composition and structure features of the hosts and their names."""
    from ionvolt.descriptors import FEATURES, features

    return features(data.hosts), FEATURES


class _Folder:
    """Writes into a folder and remembers what."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[Path] = []
        path.mkdir(parents=True, exist_ok=True)

    def figure(self, name: str, figure: Any) -> None:
        save(figure, self.path / f"{name}.png")
        self.files.append(self.path / f"{name}.png")

    def table(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        write_rows(self.path / f"{name}.csv", rows)
        self.files.append(self.path / f"{name}.csv")

    def write(self, name: str, text: str) -> None:
        write_text(self.path / name, text)
        self.files.append(self.path / name)


def _plain(value: Any) -> Any:
    """The same with NaN as None and no numpy types: what JSON can hold."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
